"""One backward pass of a converted model on Paddle's forward values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from workbench.program import Value
from workbench.row_runner import RowRunner

Lookup = Callable[[Value], "torch.Tensor | None"]


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
    outputs: Sequence[Value],
    cotangents: Mapping[Value, torch.Tensor],
    forward_values: Lookup,
    gradients: Lookup | None = None,
) -> Backward:
    """Run the model, each value replaced by Paddle's, and go back from the weighted outputs.

    `outputs` are the model's, `cotangents` weight some of them. With `gradients`, Paddle's gradient
    of a value takes the place of ours on the way back.
    """
    found = Backward()
    results = _forward(runner, inputs, _Anchors(found, forward_values, gradients))
    roots = {
        value: result
        for value, result in zip(outputs, results, strict=True)
        if value in cotangents and isinstance(result, torch.Tensor) and result.requires_grad
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
    runner: RowRunner, inputs: Sequence[torch.Tensor], anchors: _Anchors
) -> tuple[Any, ...]:
    env: dict[fx.Node, Any] = {}
    given = iter(inputs)
    for node in runner.module.graph.nodes:
        if node.op == "output":
            results = node.args[0]
            return tuple(env[n] for n in ((results,) if isinstance(results, fx.Node) else results))
        if node.op == "placeholder":
            tensor = next(given).detach().clone()
            result: Any = tensor.requires_grad_(tensor.is_floating_point())
        else:
            result = runner.run(node, env.__getitem__, runner.modules)
        value = node.meta.get("value")
        env[node] = anchors.anchored(value, result) if isinstance(value, Value) else result
    raise AssertionError("a graph ends with its output")


class _Anchors:
    """Puts Paddle's values into our run, and notes the gradients that come back."""

    def __init__(self, found: Backward, values: Lookup, gradients: Lookup | None) -> None:
        self.found = found
        self.values = values
        self.gradients = gradients

    def anchored(self, value: Value, ours: Any) -> Any:
        """Paddle's value with our history; ours where Paddle's is not known or does not fit."""
        theirs = self.values(value)
        if theirs is None or not isinstance(ours, torch.Tensor) or ours.shape != theirs.shape:
            return ours
        if not ours.requires_grad:
            return theirs.to(ours.dtype)
        self.found.reached.add(value)
        return _Anchor.apply(ours, theirs, lambda gradient: self._seen(value, gradient))

    def _seen(self, value: Value, gradient: torch.Tensor) -> torch.Tensor:
        self.found.values[value] = gradient.detach()
        theirs = self.gradients(value) if self.gradients else None
        return gradient if theirs is None else theirs.to(gradient.dtype)


class _Anchor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ours: torch.Tensor, theirs: torch.Tensor, seen: Any) -> torch.Tensor:
        ctx.seen = seen
        return theirs.to(ours.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return ctx.seen(gradients[0]), None, None
