"""Padding that torch has no call for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def pad_same(x: Tensor, kernel_size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Pad with zeros as Paddle's SAME does: output = ceil(input / stride), extra at the end."""
    sides: list[int] = []
    for axis in range(len(kernel_size) - 1, -1, -1):
        size = x.shape[axis + 2]
        steps = (size + stride[axis] - 1) // stride[axis]
        total = max((steps - 1) * stride[axis] + kernel_size[axis] - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


def pad_circular(x: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Pad the last axes (last one first) by going around, as often as needed."""
    for axis in range(len(sides) // 2):
        before, after = sides[2 * axis], sides[2 * axis + 1]
        size = x.shape[-1 - axis]
        index = torch.arange(-before, size + after, device=x.device) % size
        x = x.index_select(-1 - axis, index)
    return x
