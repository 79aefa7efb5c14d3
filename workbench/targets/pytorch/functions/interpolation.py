"""Resizing and moving pixels where torch has no single function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def source_positions(
    size: int, count: int, scale: float | None, align_corners: bool, device: torch.device
) -> Tensor:
    """Where each of `count` output elements lies in an input of `size` elements, not centred."""
    step = (size - 1) / max(count - 1, 1) if align_corners else size / count
    if scale is not None and not align_corners:
        step = 1 / scale
    return torch.arange(count, device=device, dtype=torch.float32) * (step if count > 1 else 0.0)


def resized(
    x: Tensor, size: tuple[int, ...] | None, scale_factor: tuple[float, ...] | None
) -> list[int]:
    """The spatial sizes after a resize."""
    if size is not None:
        return list(size)
    factors = scale_factor or ()
    return [scaled_size(n, factor) for n, factor in zip(x.shape[2:], factors, strict=True)]


def scaled_size(size: Any, factor: Any) -> Any:
    """A size times a factor, rounded down; `torch.jit.trace` has sizes as tensors."""
    if isinstance(size, Tensor) or isinstance(factor, Tensor):
        return (torch.as_tensor(size).double() * factor).long()
    return torch.sym_int(size * factor)


def resize_nearest(
    x: Tensor,
    size: tuple[int, ...] | None = None,
    scale_factor: tuple[float, ...] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """Nearest-neighbour resize of any dtype; with `align_corners` positions are rounded."""
    counts = resized(x, size, scale_factor)
    if counts == list(x.shape[2:]):
        return x
    for axis, count in enumerate(counts, 2):
        scale = scale_factor[axis - 2] if scale_factor else None
        length = x.shape[axis]
        position = source_positions(length, count, scale, align_corners, x.device)
        index = (position + 0.5 if align_corners else position).to(torch.int64)
        x = x.index_select(axis, index.clamp(max=length - 1))
    return x


def resize_linear(
    x: Tensor,
    size: tuple[int, ...] | None = None,
    scale_factor: tuple[float, ...] | None = None,
    centred: bool = False,
) -> Tensor:
    """Linear resize with Paddle's `align_mode=1`: element i comes from i / scale.

    If `centred`, from (i + 0.5) / scale - 0.5, also on an axis whose size stays; but in two
    dimensions a single element comes from the first one.
    """
    counts = resized(x, size, scale_factor)
    if counts == list(x.shape[2:]):
        return x
    for axis, count in enumerate(counts, 2):
        scale = scale_factor[axis - 2] if scale_factor else None
        length = x.shape[axis]
        position = source_positions(length, count, scale, False, x.device)
        if centred and (count > 1 or x.dim() != 4):
            shift = 0.5 / scale if scale else 0.5 * length / count
            position = (position + (shift - 0.5)).clamp(min=0)
        low = position.to(torch.int64).clamp(max=length - 1)
        weight = (position - low).to(x.dtype).reshape(-1, *[1] * (x.dim() - 1 - axis))
        high = (low + 1).clamp(max=length - 1)
        x = x.index_select(axis, low) * (1 - weight) + x.index_select(axis, high) * weight
    return x


def resize_cubic(
    x: Tensor,
    size: tuple[int, ...] | None = None,
    scale_factor: tuple[float, ...] | None = None,
) -> Tensor:
    """Bicubic resize; a single output element lies at -0.5, not in the middle as in torch.

    The input itself when no size changes, which torch resamples where a scale is given.
    """
    counts = resized(x, size, scale_factor)
    if counts == list(x.shape[2:]):
        return x
    for axis, count in enumerate(counts, 2):
        scale = scale_factor[axis - 2] if scale_factor else None
        length = x.shape[axis]
        position = source_positions(length, count, scale, False, x.device)
        step = (1 / scale if scale else length / count) if count > 1 else 0.0
        position = position + (0.5 * step - 0.5)
        low = position.floor()
        t = (position - low).reshape(-1, *[1] * (x.dim() - 1 - axis))
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for offset in (-1, 0, 1, 2):
            far = (t - offset).abs()
            near = (1.25 * far - 2.25) * far * far + 1
            wide = ((-0.75 * far + 3.75) * far - 6) * far + 3
            weight = torch.where(far <= 1, near, wide).to(x.dtype)
            index = (low + offset).to(torch.int64).clamp(0, length - 1)
            total = total + x.index_select(axis, index) * weight
        x = total
    return x


def temporal_shift(x: Tensor, seg_num: int, shift_ratio: float) -> Tensor:
    """Shift a part of the channels one frame forth, another part one frame back."""
    frames = x.reshape(-1, seg_num, *x.shape[1:])
    channels = x.shape[1]
    first, second = int(channels * shift_ratio), int(channels * 2 * shift_ratio)
    forth = F.pad(frames[:, :-1, :first], (0, 0, 0, 0, 0, 0, 1, 0))
    back = F.pad(frames[:, 1:, first:second], (0, 0, 0, 0, 0, 0, 0, 1))
    return torch.cat((forth, back, frames[:, :, second:]), 2).reshape(x.shape)
