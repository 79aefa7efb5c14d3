"""TorchScript of a converted module, its branches and loops kept.

`torch.jit.trace` records one path. So every branch and loop body is traced by itself, and joined by
a few lines of TorchScript that a trace takes over as they are.
"""

from __future__ import annotations

import copy
import linecache
import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from workbench.export.formats.forms import with_forms
from workbench.targets.pytorch.control_flow import For, If, While, as_tuple

_FLOW = (If, While, For)


def traced(module: nn.Module, example: Sequence[Tensor]) -> torch.jit.ScriptModule:
    """The module as TorchScript; raises RuntimeError naming the row that cannot be traced."""
    inputs = _inputs_of_flow(module, example)
    tensors = (*module.parameters(), *module.buffers())
    copied = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    for path, given in inputs.items():
        holder, _, leaf = path.rpartition(".")
        setattr(copied.get_submodule(holder), leaf, _Flow(module.get_submodule(path), given, path))
    for part in copied.modules():
        if isinstance(part, fx.GraphModule):
            with_forms(part)
            _keep_numbers(part)
    return torch.jit.trace(  # type: ignore[no-untyped-call, no-any-return]
        copied, tuple(example), check_trace=False, strict=False
    )


def _keep_numbers(module: fx.GraphModule) -> None:
    """Numbers read from tensors stay tensors, as sizes do: a trace would keep the example's."""
    for node in module.graph.nodes:
        if node.op == "call_method" and node.target == "item":
            node.target, node.args = "reshape", (node.args[0], ())
    module.recompile()


def _inputs_of_flow(module: nn.Module, example: Sequence[Tensor]) -> dict[str, list[Tensor]]:
    """What each outermost branch or loop is called with, as tensors."""
    found: dict[str, list[Tensor]] = {}
    handles = []
    for path, part in module.named_modules():
        inside = any(path.startswith(f"{outer}.") for outer in found)
        if not isinstance(part, _FLOW) or inside:
            continue
        found[path] = []

        def note(_: nn.Module, given: Any, path: str = path) -> None:
            if any(isinstance(item, list) for item in given):
                raise RuntimeError(f"row {path}: the loop fills a tensor array")
            found[path] = [torch.as_tensor(item) for item in given]

        handles.append(part.register_forward_pre_hook(note))
    try:
        with torch.no_grad():
            module(*example)
    finally:
        for handle in handles:
            handle.remove()
    return found


class _Flow(nn.Module):
    """Calls the TorchScript of a branch or loop; a trace keeps the call."""

    def __init__(self, flow: nn.Module, given: list[Tensor], path: str) -> None:
        super().__init__()
        try:
            self.flow = _scripted(flow, given)
        except (RuntimeError, TypeError, IndexError) as error:
            raise RuntimeError(f"row {path}: {error}".replace("row block.", "row ")) from error
        self.step = isinstance(flow, For)

    def forward(self, *given: Any) -> Any:
        """Numbers are passed as tensors."""
        values = (given[:2] + given[3:]) if self.step else given
        return self.flow(*(torch.as_tensor(value) for value in values))


def _scripted(flow: nn.Module, given: list[Tensor]) -> torch.jit.ScriptModule:
    holder = nn.Module()
    if isinstance(flow, If):
        values = given[1:]
        holder.then_branch = traced(_Tuple(flow.then_branch), values[: flow.split])
        holder.else_branch = traced(_Tuple(flow.else_branch), values[flow.split :])
        names = [f"v{number}" for number in range(len(values))]
        return _compiled(holder, _IF.format(
            inputs=_typed(names), then=", ".join(names[: flow.split]),
            otherwise=", ".join(names[flow.split :]),
        ))  # fmt: skip
    assert isinstance(flow, (While, For))
    counts = isinstance(flow, For)
    values = given[3 if counts else 1 :]
    names = [f"v{number}" for number in range(len(values))]
    holder.body = traced(_Tuple(flow.body), [*given[:1], *values] if counts else values)
    shift, carried = 0 if counts else 1, range(flow.loop_values)
    text = _FOR if counts else _WHILE
    return _compiled(holder, text.format(
        inputs=_typed(names), values=", ".join(names), step=int(given[2]) if counts else 1,
        assigned="\n        ".join(f"v{i} = found[{i + shift}]" for i in carried) or "pass",
        results="".join(f"v{i}, " for i in carried),
    ))  # fmt: skip


def _compiled(holder: nn.Module, text: str) -> torch.jit.ScriptModule:
    """A scripted module with the attributes of `holder` and the given forward method."""
    file = f"<torchscript-{zlib.crc32(text.encode()):08x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"torch": torch, "Tensor": Tensor}
    exec(compile(text, file, "exec"), scope)
    kind = type("Flow", (nn.Module,), {"forward": scope["forward"], "__module__": __name__})
    made = kind()
    for name, part in holder.named_children():
        setattr(made, name, part)
    return torch.jit.script(made)  # type: ignore[no-any-return]


class _Tuple(nn.Module):
    """A block that always gives a tuple of tensors."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Run the block."""
        # a result that is an input may not be changed in place by what follows
        return tuple(torch.as_tensor(item).clone() for item in as_tuple(self.block(*values)))


def _typed(names: list[str]) -> str:
    return "".join(f", {name}: Tensor" for name in names)


_IF = """def forward(self, condition: Tensor{inputs}):
    if bool(condition):
        found = self.then_branch({then})
    else:
        found = self.else_branch({otherwise})
    return found
"""
_WHILE = """def forward(self, condition: Tensor{inputs}):
    while bool(condition):
        found = self.body({values})
        condition = found[0]
        {assigned}
    return ({results})
"""
_FOR = """def forward(self, start: Tensor, stop: Tensor{inputs}):
    for number in range(int(start), int(stop), {step}):
        found = self.body(torch.tensor(number), {values})
        {assigned}
    return ({results})
"""
