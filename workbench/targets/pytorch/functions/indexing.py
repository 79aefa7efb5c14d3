"""Elements picked and placed by index."""

from __future__ import annotations

import torch
from torch import Tensor


def multiplex(tensors: list[Tensor], index: Tensor) -> Tensor:
    """Row i of the result is row i of tensor number `index[i, 0]`."""
    rows = torch.arange(index.shape[0], device=index.device)
    return torch.stack(tensors)[index[:, 0], rows]


def fill_diagonal(x: Tensor, value: float, offset: int = 0, wrap: bool = False) -> Tensor:
    """A copy of x with a diagonal set to a number, as Paddle walks it.

    Element number i · (sum of strides) gets the number at `offset` beside it. Without `wrap` only
    the first width · width elements are looked at.
    """
    width = x.shape[1]
    step = sum(x.shape[axis:].numel() for axis in range(1, x.ndim + 1))
    source = torch.arange(x.numel(), device=x.device) - offset
    column = source % width + offset
    hit = (source >= 0) & (source % step == 0) & (column >= 0) & (column < width)
    if not wrap:
        hit &= source < width * width
    return x.masked_fill(hit.reshape(x.shape), value)
