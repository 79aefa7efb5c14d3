"""One backward pass of a converted model on Paddle's forward values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from workbench.checks.values.row_runner import RowRunner, widen
from workbench.core.values import Value

Lookup = Callable[[Value], "torch.Tensor | None"]
Change = Callable[[Value, torch.Tensor], torch.Tensor]


@dataclass(slots=True)
class Backward:
    """Gradients of one pass: by value, and by the key of a parameter.

    `reached` are the values through which our run can pass gradients at all.
    """

    values: dict[Value, torch.Tensor] = field(default_factory=dict)
    parameters: dict[str, torch.Tensor] = field(default_factory=dict)
    reached: set[Value] = field(default_factory=set)


def backward(
    runner: RowRunner,
    inputs: Sequence[torch.Tensor],
    cotangents: Mapping[Value, torch.Tensor],
    forward_values: Lookup,
    change: Change | None = None,
    stops: Collection[Value] = (),
    double: bool = False,
    quiet: Collection[fx.Node] = (),
) -> Backward:
    """Run the model, each value replaced by Paddle's, and go back from the weighted roots.

    `cotangents` weight the roots. `change` may put another gradient in place of a value's on the
    way back. No gradient passes the values in `stops`, and `quiet` nodes run without. With
    `double` the module is a float64 copy.
    """
    found = Backward()
    env = _forward(runner, inputs, _Anchors(found, forward_values, change, stops), double, quiet)
    results = {value: env.get(value) for value in cotangents}
    roots = {
        value: result
        for value, result in results.items()
        if isinstance(result, torch.Tensor) and result.requires_grad
    }
    parameters = dict(runner.module.named_parameters())
    for parameter in parameters.values():
        parameter.grad = None
    if roots:
        weights = [cotangents[value].to(root.dtype) for value, root in roots.items()]
        torch.autograd.backward(list(roots.values()), weights)
    for key, parameter in parameters.items():
        if parameter.grad is not None:
            found.parameters[key] = parameter.grad
            parameter.grad = None
    return found


def _forward(
    runner: RowRunner,
    inputs: Sequence[torch.Tensor],
    anchors: _Anchors,
    double: bool,
    quiet: Collection[fx.Node],
) -> dict[Value, Any]:
    env: dict[fx.Node, Any] = {}
    values: dict[Value, Any] = {}
    given = iter(inputs)
    for node in runner.module.graph.nodes:
        if node.op == "output":
            break
        if node.op == "placeholder":
            tensor = next(given).detach().clone()
            result: Any = tensor.requires_grad_(tensor.is_floating_point())
        else:
            with torch.set_grad_enabled(node not in quiet):
                result = runner.run(node, env.__getitem__, runner.modules)
            result = widen(result) if double else result
        value = node.meta.get("value")
        env[node] = anchors.anchored(value, result) if isinstance(value, Value) else result
        if isinstance(value, Value):
            values[value] = env[node]
    return values


class _Anchors:
    """Puts Paddle's values into our run, and notes the gradients that come back."""

    def __init__(
        self,
        found: Backward,
        values: Lookup,
        change: Change | None,
        stops: Collection[Value],
    ) -> None:
        self.found = found
        self.stops = stops
        self.values = values
        self.change = change

    def anchored(self, value: Value, ours: Any) -> Any:
        """Paddle's value with our history; ours where Paddle's is not known or does not fit."""
        theirs = self.values(value)
        if value in self.stops and isinstance(ours, torch.Tensor):
            ours = ours.detach()
        if theirs is None or not isinstance(ours, torch.Tensor) or ours.shape != theirs.shape:
            return ours
        if not ours.requires_grad:
            return theirs.to(ours.dtype)
        self.found.reached.add(value)
        return _Anchor.apply(ours, theirs, lambda gradient: self._seen(value, gradient))

    def _seen(self, value: Value, gradient: torch.Tensor) -> torch.Tensor:
        self.found.values[value] = gradient.detach()
        if self.change is None:
            return gradient
        return self.change(value, gradient.detach()).to(gradient.dtype)


class _Anchor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ours: torch.Tensor, theirs: torch.Tensor, seen: Any) -> torch.Tensor:
        ctx.seen = seen
        return theirs.to(ours.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return ctx.seen(gradients[0]), None, None
