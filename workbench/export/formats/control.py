"""Branches and loops for `torch.export`: `torch.cond` and `torch.while_loop`.

The converted module uses Python's `if` and `while`, which read best and take any shapes. An
exporter sees only one path through them, so for exporting they are exchanged for torch's operators.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn

from workbench.export.formats.forms import element, with_forms
from workbench.targets.pytorch.control_flow import For, If, While, as_tuple


def exportable(module: nn.Module, onnx: bool = False) -> nn.Module:
    """The module with torch's operators in place of Python's control flow; weights are shared.

    Python's `min` and `max` of sizes, which would decide for one of the two, give way as well, and
    helpers that have another form for exporters, or for ONNX.
    """
    tensors = (*module.parameters(), *module.buffers())
    copied = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    unrolled = _unrolled(copied)
    for path, part in reversed(list(copied.named_modules())):  # inner ones first
        if isinstance(part, fx.GraphModule):
            with_forms(part, onnx)
            _symbolic(part)
        if type(part) in _KINDS and part not in unrolled:
            holder, _, leaf = path.rpartition(".")
            setattr(copied.get_submodule(holder), leaf, _KINDS[type(part)](part, path))
    return copied


def _unrolled(module: nn.Module) -> set[nn.Module]:
    """Loops over a range of plain numbers; an exporter may as well run them."""
    return {
        part.get_submodule(str(node.target))
        for part in module.modules()
        if isinstance(part, fx.GraphModule)
        for node in part.graph.nodes
        if node.op == "call_module"
        and isinstance(part.get_submodule(str(node.target)), For)
        and all(isinstance(bound, int) for bound in node.args[:3])
    }


def _symbolic(module: fx.GraphModule) -> None:
    """Functions that take symbolic numbers in place of Python's that do not."""
    table: dict[Any, Any] = {
        min: torch.sym_min, max: torch.sym_max, operator.getitem: element,
    }  # fmt: skip
    for node in module.graph.nodes:
        if node.op == "call_function":
            node.target = table.get(node.target, node.target)
    module.recompile()


class Cond(nn.Module):
    """`If` by `torch.cond`."""

    def __init__(self, branch: If, path: str) -> None:
        super().__init__()
        self.then_branch = branch.then_branch
        self.else_branch = branch.else_branch
        self.split = branch.split
        self.path = path

    def forward(self, condition: Any, *values: Any) -> Any:
        """Both branches are recorded; they must give tensors of the same shapes and dtypes."""
        if isinstance(condition, bool):
            branch = self.then_branch if condition else self.else_branch
            chosen = values[: self.split] if condition else values[self.split :]
            return as_tuple(branch(*chosen))
        first, second = self.then_branch, self.else_branch
        split = self.split

        def then(*given: Any) -> tuple[Any, ...]:
            return _own(as_tuple(first(*given[:split])))

        def otherwise(*given: Any) -> tuple[Any, ...]:
            return _own(as_tuple(second(*given[split:])))

        with _row(self.path):
            return torch.cond(_flag(condition), then, otherwise, values)


class Loop(nn.Module):
    """`While` by `torch.while_loop`."""

    def __init__(self, loop: While, path: str) -> None:
        super().__init__()
        self.body = loop.body
        self.loop_values = loop.loop_values
        self.path = path

    def forward(self, condition: Any, *values: Any) -> Any:
        """The loop values must keep their shapes and dtypes."""
        carried, outer = values[: self.loop_values], values[self.loop_values :]
        body = self.body

        def again(flag: Tensor, *_: Any) -> Tensor:
            return flag.clone()

        def step(_: Tensor, *given: Any) -> tuple[Any, ...]:
            flag, *results = as_tuple(body(*given, *outer))
            return _own((_flag(flag), *results))

        flag = torch.as_tensor(condition)
        with _row(self.path):
            _no_arrays(values)
            return _while(again, step, (_flag(flag).clone(), *carried))[1:]


class CountedLoop(nn.Module):
    """`For` by `torch.while_loop`, its number carried as a tensor."""

    def __init__(self, loop: For, path: str) -> None:
        super().__init__()
        self.body = loop.body
        self.loop_values = loop.loop_values
        self.path = path

    def forward(self, start: Any, stop: Any, step: int, *values: Any) -> Any:
        """The loop values must keep their shapes and dtypes."""
        carried, outer = values[: self.loop_values], values[self.loop_values :]
        body = self.body

        limit = torch.full((), stop, dtype=torch.int64)

        def again(number: Tensor, *_: Any) -> Any:
            return number < limit if step > 0 else number > limit

        def once(number: Tensor, *given: Any) -> tuple[Any, ...]:
            results = as_tuple(body(number.item(), *given, *outer))
            return (number + step, *_own(results))

        with _row(self.path):
            _no_arrays(values)
            first = torch.full((), start, dtype=torch.int64)
            return _while(again, once, (first, *carried))[1:]


_KINDS: dict[type, Callable[[Any, str], nn.Module]] = {If: Cond, While: Loop, For: CountedLoop}


def _while(again: Any, step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
    from torch._higher_order_ops import while_loop

    return tuple(while_loop(again, step, carried))  # type: ignore[no-untyped-call]


def _no_arrays(values: tuple[Any, ...]) -> None:
    if any(isinstance(value, list) for value in values):
        raise RuntimeError("the loop fills a tensor array")


@contextmanager
def _row(path: str) -> Iterator[None]:
    """Name the row in what torch says."""
    try:
        yield
    except Exception as error:
        told = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise RuntimeError(f"row {path}: {told}") from error


def _flag(condition: Any) -> Any:
    """A condition as a bool tensor without axes; a symbolic bool as it is."""
    if isinstance(condition, Tensor):
        return condition.reshape(()).to(torch.bool)
    return condition


def _own(results: tuple[Any, ...]) -> tuple[Any, ...]:
    """Results that are tensors of their own: torch's operators may not hand inputs through."""
    return tuple(item.clone() if isinstance(item, Tensor) else item for item in results)
