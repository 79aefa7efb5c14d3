"""Pooling with Paddle's windows where torch's differ."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def pool_input(
    x: Tensor,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    ceil_mode: bool,
    value: float,
) -> Tensor:
    """Pad `x` so that plain pooling has as many windows as Paddle's, those in the padding too."""
    sides: list[int] = []
    for axis in range(len(kernel_size) - 1, -1, -1):
        size, step, width = x.shape[axis + 2], stride[axis], kernel_size[axis]
        rest = size + begin[axis] + end[axis] - width + (step - 1 if ceil_mode else 0)
        needed = max(rest, 0) // step * step + width
        sides += [begin[axis], needed - size - begin[axis]]
    return F.pad(x, sides, value=value)


def max_pool(
    x: Tensor,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    ceil_mode: bool = False,
) -> Tensor:
    """Maximum over windows; one that lies wholly in the padding gives float32's lowest number."""
    lowest = torch.finfo(torch.float32).min if x.element_size() >= 4 else float("-inf")
    x = pool_input(x, kernel_size, stride, begin, end, ceil_mode, lowest)
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel_size) - 1]
    return pool(x, kernel_size, stride)


def avg_pool(
    x: Tensor,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Tensor:
    """Mean over windows; `count_include_pad` counts as much padding at the end as at the start."""
    padded = pool_input(x, kernel_size, stride, begin, end, ceil_mode, 0.0)
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel_size) - 1]
    out = pool(padded, kernel_size, stride) * math.prod(kernel_size)
    for axis, width in enumerate(kernel_size):
        size = x.shape[axis + 2]
        start = torch.arange(out.shape[axis + 2], device=x.device) * stride[axis] - begin[axis]
        stop = (start + width).clamp(max=size + begin[axis])
        if not count_include_pad:
            start, stop = start.clamp(min=0), stop.clamp(max=size)
        ones = [1] * (len(kernel_size) - 1 - axis)
        out = out / (stop - start).to(x.dtype).reshape(-1, *ones)
    return out


def lp_pool(
    x: Tensor,
    norm_type: float,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    ceil_mode: bool = False,
) -> Tensor:
    """(Sum of x ** norm_type over each window) ** (1 / norm_type)."""
    x = pool_input(x.pow(norm_type), kernel_size, stride, begin, end, ceil_mode, 0.0)
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel_size) - 1]
    return (pool(x, kernel_size, stride) * math.prod(kernel_size)).pow(1 / norm_type)


def with_int32_index(found: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Maxima and their positions, these as int32."""
    out, index = found
    return out, index.to(torch.int32)


def unpool(x: Tensor, indices: Tensor, output_size: tuple[int, ...]) -> Tensor:
    """Zeros of `output_size` with the elements of `x` at the positions `indices`."""
    out = x.new_zeros(*x.shape[:2], math.prod(output_size))
    out = out.scatter(2, indices.flatten(2).to(torch.int64), x.flatten(2))
    return out.reshape(*x.shape[:2], *output_size)


def fractional_max_pool(
    x: Tensor, output_size: tuple[int, ...], kernel_size: tuple[int, ...], random_u: float
) -> tuple[Tensor, Tensor]:
    """Maximum over windows of uneven size, placed by `random_u`, and its flat int32 position."""
    spatial = x.shape[2:]
    index = torch.arange(math.prod(spatial), device=x.device).reshape(spatial).expand(x.shape)
    for axis, (count, width) in enumerate(zip(output_size, kernel_size, strict=True), 2):
        windows = fractional_windows(x.shape[axis], count, width, random_u)
        values, positions = [], []
        for start, stop in windows:
            part = x.narrow(axis, start, stop - start)
            best, place = part.max(axis, keepdim=True)
            values.append(best)
            positions.append(index.narrow(axis, start, stop - start).gather(axis, place))
        x, index = torch.cat(values, axis), torch.cat(positions, axis)
    return x, index.to(torch.int32)


def fractional_windows(size: int, count: int, width: int, u: float) -> list[tuple[int, int]]:
    """Start and stop of each window along one axis; `width` 0 lets the windows meet."""
    if width > 0 and count == 1:
        return [(0, width)]
    if width > 0:
        step = (size - width) / (count - 1)
        starts = [int((i + u) * step) - int(u * step) for i in range(count - 1)] + [size - width]
        return [(start, start + width) for start in starts]
    step, base = size / count, size // count
    u *= min((base + 2) / step - 1, (size + 1 - base) / step - (count - 1))
    edges = [int((i + u) * step) - int(u * step) for i in range(count)]
    starts = edges
    return [(start, stop) for start, stop in zip(starts, [*starts[1:], size], strict=True)]
