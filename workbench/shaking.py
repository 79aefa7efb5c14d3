"""Random errors as large as rounding was measured to be, added to what a layer makes."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from workbench.program import Value
from workbench.row_runner import Change
from workbench.verification import Check

#: Uniform random numbers that are used over and over, from another place for each value.
POOL = 1 << 18
_STRIDE = 7919


def rounding(alone: Check) -> float:
    """The largest error of a layer alone that rounding makes."""
    if alone.error is None:
        return alone.noise
    return max(alone.noise, min(alone.error.max_abs, alone.tolerance))


def shake(alone: Check, draw: int = 0) -> Change | None:
    """Add a random error as large as rounding was measured to be in this layer; None for none."""
    size = rounding(alone)
    if not size:
        return None

    def change(value: Value, result: Any) -> Any:
        if not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        return _moved(result, size, (value.id + draw * 1_000_003) * _STRIDE)

    return change


def _moved(tensor: torch.Tensor, size: float, place: int) -> torch.Tensor:
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    copied = tensor.float() if half else tensor.clone()
    flat = copied.contiguous().view(-1)
    pool, start = _pool(), place % POOL
    for begin in range(0, flat.numel(), POOL):
        part = flat[begin : begin + POOL]
        part.add_(pool[start : start + part.numel()], alpha=size)
    return flat.view(tensor.shape).to(tensor.dtype)


@cache
def _pool() -> torch.Tensor:
    """Twice the same numbers in [-1, 1), so that every start has `POOL` of them behind it."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(POOL, generator=generator) * 2 - 1
    return torch.cat([numbers, numbers])
