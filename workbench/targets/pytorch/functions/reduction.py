"""Reductions and running sums that torch has in another form."""

from __future__ import annotations

import torch
from torch import Tensor


def prod(
    x: Tensor, dims: tuple[int, ...], keepdim: bool = False, dtype: torch.dtype | None = None
) -> Tensor:
    """Product over several axes."""
    for dim in sorted((dim % x.dim() for dim in dims), reverse=True):
        x = x.prod(dim, keepdim, dtype=dtype)
    return x


def shifted(x: Tensor, dim: int, first: float) -> Tensor:
    """Everything moved one place along an axis, with `first` in front."""
    return x.roll(1, dim).index_fill(dim, torch.tensor([0], device=x.device), first)


def cumsum(x: Tensor, dim: int, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running sum, without the element itself if exclusive, from the end if reverse."""
    x = x.flip(dim) if reverse else x
    total = torch.cumsum(x, dim)
    total = shifted(total, dim, 0) if exclusive else total
    return total.flip(dim) if reverse else total


def cumprod(x: Tensor, dim: int, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running product, without the element itself if exclusive, from the end if reverse."""
    x = x.flip(dim) if reverse else x
    total = torch.cumprod(x, dim)
    total = shifted(total, dim, 1) if exclusive else total
    return total.flip(dim) if reverse else total


def logcumsumexp(x: Tensor, dim: int, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Running log-sum-exp; an empty sum is the lowest number, as in Paddle."""
    x = x.flip(dim) if reverse else x
    total = torch.logcumsumexp(x, dim)
    total = shifted(total, dim, torch.finfo(x.dtype).min) if exclusive else total
    return total.flip(dim) if reverse else total


def flattened(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The given axes joined into a last one."""
    if x.dim() == 0:
        return x.reshape(1)
    return x.movedim(dims, tuple(range(-len(dims), 0))).flatten(-len(dims))


def median(x: Tensor, dims: tuple[int, ...], keepdim: bool, lower: bool = False) -> Tensor:
    """Median over several axes, the mean of the middle two of an even count; NaN if any is."""
    middle = torch.quantile(
        flattened(x, dims), 0.5, dim=-1, interpolation="lower" if lower else "midpoint"
    )
    return kept(middle, dims) if keepdim else middle


def nanmedian(x: Tensor, dims: tuple[int, ...], keepdim: bool, lower: bool = False) -> Tensor:
    """Median of the elements that are not NaN; NaN when there are none."""
    middle = torch.nanquantile(
        flattened(x, dims), 0.5, dim=-1, interpolation="lower" if lower else "midpoint"
    )
    return kept(middle, dims) if keepdim else middle


def kept(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Reduced axes put back with size 1."""
    rank = x.dim() + len(dims)
    for dim in sorted(dim % rank for dim in dims):
        x = x.unsqueeze(dim)
    return x
