"""Run a converted model row by row: in the chain, alone on given values, and in float64."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr
from typing import Any

import torch
from torch import fx, nn

from workbench.checks.values.integrity import Integrity
from workbench.core.values import Value
from workbench.targets.pytorch.control_flow import For, If, While

Lookup = Callable[[Value], "torch.Tensor | None"]
Change = Callable[[Value, Any], Any]
Mover = Callable[[fx.Node, Any, tuple[Any, ...], dict[str, Any], "nn.Module | None"], Any]
_NARROW = (torch.float32, torch.float16, torch.bfloat16)


class NotRecordedError(Exception):
    """A row reads an input of its block that Paddle did not hand over."""


class RowRunner:
    """The nodes of a GraphModule grouped by mapping row, in order.

    `integrity` says to which row nodes belong that were added by hand. `borrowed` holds the other
    rows that the last run of a row alone had to compute, because their values are not recorded.
    """

    def __init__(self, module: fx.GraphModule, integrity: Integrity | None = None) -> None:
        self.module = module
        self.modules = dict(module.named_modules(remove_duplicate=False))
        self.integrity = integrity or Integrity()
        self.borrowed: set[str] = set()
        self.rows: dict[str, list[fx.Node]] = {}
        self.placeholders = [node for node in module.graph.nodes if node.op == "placeholder"]
        for node in module.graph.nodes:
            if node.op not in ("placeholder", "output"):
                self.rows.setdefault(self.row(node), []).append(node)
        self.last_use = self._last_uses()

    def row(self, node: fx.Node) -> str:
        """Path of the row that a node belongs to."""
        return str(self.integrity.rows.get(node, node.meta.get("row", "")))

    def value(self, node: fx.Node) -> Value | None:
        """The program value that a node stands for, if it does."""
        if node in self.integrity.values:
            return self.integrity.values[node]
        value = node.meta.get("value")
        return value if isinstance(value, Value) else None

    def _last_uses(self) -> dict[str, list[fx.Node]]:
        """For each row, the nodes that no later row reads."""
        seen: set[fx.Node] = set()
        freed: dict[str, list[fx.Node]] = {}
        for node in reversed(self.module.graph.nodes):
            if node.op == "output":
                seen.update(node.all_input_nodes)
                continue
            if node.op == "placeholder":
                continue
            for source in (*node.all_input_nodes, node):
                if source not in seen:
                    seen.add(source)
                    freed.setdefault(self.row(node), []).append(source)
        return freed

    def chain(self, inputs: Iterable[torch.Tensor]) -> Chain:
        """Start a run of the whole model, one row at a time."""
        return Chain(self, dict(zip(self.placeholders, inputs, strict=True)))

    def alone(
        self, row: str, reference: Lookup, double: bool = False, mover: Mover | None = None
    ) -> dict[Value, Any]:
        """Run one row on reference values; returns what it makes, by program value.

        `mover` may put another result in place of a node's; it gets node, result, operands, module.
        """
        env: dict[fx.Node, Any] = {}
        modules = self._modules(self.rows[row], double)
        made: dict[Value, Any] = {}
        self.borrowed = set()
        with torch.no_grad():
            for node in self.rows[row]:
                wanted = _Wide(node) if double else node

                def fetch(read: fx.Node) -> Any:
                    return self._fetch(read, env, reference, double)

                result = self.run(wanted, fetch, modules)
                if mover is not None:
                    result = _moved_by(mover, node, result, fetch, modules)
                env[node] = widen(result) if double else result
                value = self.value(node)
                if value is not None:
                    made[value] = env[node]
        return made

    def _fetch(
        self, node: fx.Node, env: dict[fx.Node, Any], reference: Lookup, double: bool
    ) -> Any:
        """A node's value outside the row: Paddle's where known, else computed from Paddle's."""
        if node in env:
            return env[node]
        value = self.value(node)
        known = reference(value) if value is not None else None
        if known is not None:
            env[node] = _sharper(known) if double else known
        elif node.op == "placeholder":
            raise NotRecordedError(node.name)
        else:
            self.borrowed.add(self.row(node))
            modules = self._modules([node], double)
            env[node] = self.run(node, lambda n: self._fetch(n, env, reference, double), modules)
        return env[node]

    def _modules(self, nodes: Iterable[fx.Node], double: bool) -> dict[str, nn.Module]:
        found = {
            str(node.target): self.modules[str(node.target)]
            for node in nodes
            if node.op == "call_module"
        }
        return {name: wide_copy(module) for name, module in found.items()} if double else found

    def run(
        self, node: fx.Node | _Wide, fetch: Callable[[fx.Node], Any], modules: dict[str, nn.Module]
    ) -> Any:
        """Compute one node; `fetch` gives the values of the nodes that it reads."""
        if node.op == "get_attr":
            return _attribute(self.module, str(node.target))
        args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), fetch)
        if node.op == "call_module":
            module = modules[str(node.target)]
            with quiet() if isinstance(module, (If, While, For)) else nullcontext():
                return module(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


def quiet() -> AbstractContextManager[Any]:
    """Graph modules print a stack of their own when they fail; what went wrong is told anyway."""
    return redirect_stderr(io.StringIO())


@contextmanager
def untouched(module: fx.GraphModule) -> Iterator[None]:
    """A layer in training mode updates its statistics when it runs: put them back."""
    kept = [
        (buffer, buffer.clone())
        for part in module.modules()
        if part.training
        for buffer in part._buffers.values()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)


class Chain:
    """A run of the whole model that stops after each row."""

    def __init__(self, runner: RowRunner, env: dict[fx.Node, Any]) -> None:
        self.runner = runner
        self.env = env
        self.failed = ""

    def step(
        self, row: str, change: Change | None = None, mover: Mover | None = None
    ) -> dict[Value, Any]:
        """Run the next row; `change` may put another result in place of a value that it made.

        `mover` does so for every node, as in `RowRunner.alone`.
        """
        made: dict[Value, Any] = {}
        runner = self.runner
        modules = runner.modules
        with torch.no_grad():
            for node in runner.rows[row]:
                result = runner.run(node, self.env.__getitem__, modules)
                if mover is not None:
                    result = _moved_by(mover, node, result, self.env.__getitem__, modules)
                value = runner.value(node)
                if value is not None:
                    made[value] = result = change(value, result) if change else result
                self.env[node] = result
        for node in runner.last_use.get(row, ()):
            self.env.pop(node, None)
        return made

    def put(self, row: str, get: Lookup) -> None:
        """Go on with other values in place of those that a row made, as far as `get` has any."""
        for node in self.runner.rows[row]:
            value = self.runner.value(node)
            found = get(value) if value is not None else None
            if found is not None and node not in self.runner.last_use.get(row, ()):
                self.env[node] = found

    def output(self) -> Any:
        """What the module returns; raises KeyError when a row that it needs did not run."""
        node = next(n for n in reversed(self.runner.module.graph.nodes) if n.op == "output")
        return fx.node.map_arg(node.args[0], self.env.__getitem__)


def _moved_by(
    mover: Mover,
    node: fx.Node,
    result: Any,
    fetch: Callable[[fx.Node], Any],
    modules: dict[str, nn.Module],
) -> Any:
    args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), fetch)
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return mover(node, result, args, kwargs, module)


class _Wide:
    """A node whose dtype arguments ask for float64 in place of narrower floats."""

    def __init__(self, node: fx.Node) -> None:
        self.op, self.target = node.op, node.target
        self.args = _widened(node.args)
        self.kwargs = _widened(dict(node.kwargs))


def _widened(argument: Any) -> Any:
    if argument in _NARROW if isinstance(argument, torch.dtype) else False:
        return torch.float64
    if isinstance(argument, dict):
        return {key: _widened(value) for key, value in argument.items()}
    if isinstance(argument, (tuple, list)):
        return type(argument)(_widened(item) for item in argument)
    return argument


def widen(value: Any) -> Any:
    """A tensor (or a tuple or list of tensors) with narrower floats as float64."""
    if isinstance(value, torch.Tensor):
        if value.dtype in _NARROW:
            return value.double()
        return value.to(torch.complex128) if value.dtype == torch.complex64 else value
    if isinstance(value, (tuple, list)):
        return type(value)(widen(item) for item in value)
    return value


def _sharper(value: torch.Tensor) -> torch.Tensor:
    """The value in float64; one that is float64 already is moved by a rounding error instead.

    There is no wider type to compare a float64 layer with, so its noise is what one rounding of its
    inputs makes of it.
    """
    if value.dtype not in (torch.float64, torch.complex128):
        return widen(value)  # type: ignore[no-any-return]
    generator = torch.Generator().manual_seed(value.numel())
    shift = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 2 - 1
    return value * (1 + shift * torch.finfo(torch.float64).eps)


def wide_copy(module: nn.Module) -> nn.Module:
    """A float64 copy of a module; the graphs of control-flow blocks ask for float64 too."""
    memo: dict[int, Any] = {}
    for tensor in module.parameters():
        memo[id(tensor)] = nn.Parameter(tensor.detach().double(), tensor.requires_grad)
    wide = copy.deepcopy(module, memo).double()
    for part in wide.modules():
        if isinstance(part, fx.GraphModule):
            for node in part.graph.nodes:
                node.args, node.kwargs = _widened(node.args), _widened(dict(node.kwargs))
            part.recompile()
    return wide


def _attribute(module: nn.Module, path: str) -> Any:
    holder, _, leaf = path.rpartition(".")
    return getattr(module.get_submodule(holder), leaf)
