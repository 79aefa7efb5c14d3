"""Counting and distinct elements."""

from __future__ import annotations

import torch
from torch import Tensor


def histogram(
    x: Tensor, bins: int, low: float, high: float, weight: Tensor | None = None,
    density: bool = False,
) -> Tensor:  # fmt: skip
    """Sum of weights (or counts) in equal bins; as a density if asked. No limits: those of x."""
    x = x.flatten()
    first, last = x.new_tensor(low), x.new_tensor(high)
    if low == high == 0 and x.numel() > 0:
        first, last = x.min(), x.max()
    same = first == last
    first, last = torch.where(same, first - 1, first), torch.where(same, last + 1, last)
    inside = (x >= first) & (x <= last)
    place = ((x[inside] - first) * bins / (last - first)).long().clamp(max=bins - 1)
    weights = torch.ones_like(x) if weight is None else weight.flatten()
    counts = weights.new_zeros(bins).index_add(0, place, weights[inside])
    return counts / counts.sum() / ((last - first) / bins) if density else counts


def unique(
    x: Tensor, dim: int | None = None, dtype: torch.dtype = torch.int64
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distinct elements sorted, where each occurs first, which one each element is, and counts."""
    found, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True, dim=dim)
    inverse = inverse.flatten()
    places = torch.arange(inverse.numel(), device=x.device)
    first = torch.full_like(counts, inverse.numel()).scatter_reduce(0, inverse, places, "amin")
    return found, first.to(dtype), inverse.to(dtype), counts.to(dtype)


def unique_consecutive(
    x: Tensor, dim: int | None = None, dtype: torch.dtype = torch.int64
) -> tuple[Tensor, Tensor, Tensor]:
    """Elements without consecutive repetitions, which one each element is, and counts."""
    found, inverse, counts = torch.unique_consecutive(
        x, return_inverse=True, return_counts=True, dim=dim
    )
    return found, inverse.flatten().to(dtype), counts.to(dtype)
