"""Finite differences: whose gradient is the derivative of the values, ours or Paddle's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from workbench.checks.gradients.passes import Passes
from workbench.checks.values.source_values import reference_tensor
from workbench.core.values import Value

#: Random directions that all must say the same.
DIRECTIONS = 3
#: A step, in units of the value's scale.
STEP = 1e-5
#: Ours must be this many times closer to the slope than Paddle's, and within this share of it.
CLOSER, SHARE = 20.0, 1e-3
#: The layers must do as Paddle's within this share of their scale, and the two gradients must be
#: this many times further apart, so that no small fault of ours can pass for one of Paddle's.
AGREE, APART = 1e-5, 100.0

#: What is told of a gradient of Paddle that is none.
NOT_A_DERIVATIVE = "Paddle's gradient is not the derivative of its values, PyTorch's is"


def ours_is_the_derivative(
    passes: Passes, value: Value, paths: Sequence[str], ours: torch.Tensor, theirs: torch.Tensor
) -> bool:
    """True when finite differences through the layers that read a value confirm our gradient only.

    The layers run in float64 on Paddle's values; their outputs are weighted by Paddle's gradients.
    """
    known = reference_tensor(passes.reference, value)
    if known is None or not known.numel() or ours.shape != theirs.shape:
        return False
    difference = float((ours.double() - theirs.double()).abs().max())
    if not difference > AGREE * APART * float(ours.abs().max()):
        return False
    if _weighted(passes, value, paths, known.double(), AGREE) is None:
        return False
    scale = float(known.abs().max()) or 1.0
    generator = torch.Generator().manual_seed(value.id)
    for _ in range(DIRECTIONS):
        direction = torch.randn(known.shape, generator=generator, dtype=torch.float64)
        ends = [
            _weighted(passes, value, paths, known.double() + sign * STEP * scale * direction)
            for sign in (1, -1)
        ]
        if None in ends:
            return False
        slope = (ends[0] - ends[1]) / (2 * STEP * scale)  # type: ignore[operator]
        apart = abs(slope - float((ours.double() * direction).sum()))
        other = abs(slope - float((theirs.double() * direction).sum()))
        if apart * CLOSER > other or apart > SHARE * abs(slope):
            return False
    return True


def _weighted(
    passes: Passes, value: Value, paths: Sequence[str], moved: torch.Tensor, bound: float = math.inf
) -> float | None:
    """Σ output · Paddle's gradient over the layers.

    None where an output is further from Paddle's than the bound, in units of its scale.
    """
    cotangent = passes.cotangents.get(value)
    total = 0.0 if cotangent is None else float((cotangent.double() * moved).sum())
    for path in paths:
        made = passes.runner.alone(path, lambda one: _read(passes, one, value, moved), double=True)
        for out, result in made.items():
            if not isinstance(result, torch.Tensor) or not result.is_floating_point():
                continue
            theirs = reference_tensor(passes.reference, out)
            gradient = passes.paddles(out, result)
            if theirs is None or theirs.shape != result.shape or gradient is result:
                return None
            if float((result - theirs).abs().max()) > bound * (float(theirs.abs().max()) + 1e-30):
                return None
            total += float((gradient.double() * result).sum())
    return total


def _read(passes: Passes, one: Value, value: Value, moved: torch.Tensor) -> torch.Tensor | None:
    return moved if one is value or one == value else reference_tensor(passes.reference, one)
