"""Operators of torch for whose dynamic sizes `torch.onnx` keeps the example's, written out.

Each form takes what the operator takes and gives the same numbers, by operators whose windows and
positions follow the sizes at hand. They are used on the way to ONNX only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


# --- adaptive pooling ---------------------------------------------------------------------------


def _pooling(reduce: Callable[[Tensor, int, int], Tensor], dims: int) -> Callable[..., Tensor]:
    def adaptive_pool(x: Tensor, output_size: Sequence[int]) -> Tensor:
        for axis, count in zip(range(-dims, 0), output_size, strict=True):
            x = reduce(x, count, axis)
        return x

    return adaptive_pool


def _mean(x: Tensor, count: int, axis: int) -> Tensor:
    """The mean over each of `count` windows along one axis."""
    if count == 1:
        return x.mean(axis, keepdim=True)
    parts, inside = _windows(x, count, axis)
    total = torch.where(inside, parts, 0).sum(-1)
    return (total / inside.sum(-1).to(x.dtype)).movedim(-1, axis)


def _windows(x: Tensor, count: int, axis: int) -> tuple[Tensor, Tensor]:
    """The elements of each window, (…, count, longest), and which of these it really has."""
    size, first = x.shape[axis], torch.arange(count, device=x.device)
    start, stop = first * size // count, ((first + 1) * size + count - 1) // count
    place = start[:, None] + torch.arange(size // count + 2, device=x.device)
    last = stop[:, None] - 1
    parts = x.movedim(axis, -1).index_select(-1, torch.minimum(place, last).flatten())
    return parts.unflatten(-1, (count, -1)), place <= last  # type: ignore[no-untyped-call]


def _maximum(dims: int) -> Callable[..., tuple[Tensor, Tensor]]:
    def adaptive_max_pool(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
        places = _places(x, dims)
        for axis, count in zip(range(-dims, 0), output_size, strict=True):
            parts, _ = _windows(x, count, axis)
            x, best = parts.max(-1)
            x = x.movedim(-1, axis)
            places = _windows(places, count, axis)[0].gather(-1, best[..., None])[..., 0]
            places = places.movedim(-1, axis)
        return x, places

    return adaptive_max_pool


def _places(x: Tensor, dims: int) -> Tensor:
    """The position of each element among those of the last `dims` axes."""
    places = torch.zeros_like(x, dtype=torch.int64)
    for axis in range(-dims, 0):
        own = torch.arange(x.shape[axis], device=x.device).reshape(-1, *[1] * (-1 - axis))
        places = places * x.shape[axis] + own
    return places


# --- resizing -----------------------------------------------------------------------------------


def upsample_nearest(
    x: Tensor, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> Tensor:
    """Pixels by position, where ONNX's `Resize` rounds another quotient."""
    dims = x.dim() - 2
    for axis, number in zip(range(-dims, 0), range(dims), strict=True):
        size = x.shape[axis]
        factor = scale_factors[number] if scale_factors else None
        count = torch.sym_int(size * factor) if factor else output_size[number]  # type: ignore
        x = x.index_select(axis, _nearest(size, count, factor, x.device))
    return x


def _nearest(size: int, count: int, factor: float | None, device: torch.device) -> Tensor:
    """Where each of `count` elements comes from, in float32 as torch does."""
    place = torch.arange(count, device=device)
    if factor is None:
        ratio = _float(size, device) / _float(count, device)
    else:
        ratio = torch.full((), 1 / factor, dtype=torch.float32, device=device)
    found = (place.to(torch.float32) * ratio).to(torch.int64)
    if factor is not None:  # torch goes by the sizes where these are equal or double
        found = torch.where(_float(count, device) == _float(2 * size, device), place // 2, found)
        found = torch.where(_float(count, device) == _float(size, device), place, found)
    return found.clamp(max=size - 1)


def _float(number: int, device: torch.device) -> Tensor:
    return torch.full((), number, dtype=torch.int64, device=device).to(torch.float32)


# --- reductions ---------------------------------------------------------------------------------


def _over_all(operator: Callable[..., Tensor]) -> Callable[..., Any]:
    """Of all elements where no axis is given, which torch's translation asks for."""

    def reduced(x: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
        return NotImplemented if dim else operator(x.reshape(-1), [0], keepdim)

    return reduced


# --- indices and sizes --------------------------------------------------------------------------


def _wide_index(operator: Callable[..., Tensor]) -> Callable[..., Any]:
    """ONNX takes positions as int64 only."""

    def indexed(x: Tensor, indices: Sequence[Tensor | None], *values: Any) -> Any:
        if not any(one is not None and one.dtype == torch.int32 for one in indices):
            return NotImplemented
        wide = [one.long() if one is not None and one.dtype == torch.int32 else one
                for one in indices]  # fmt: skip
        return operator(x, wide, *values)

    return indexed


def remainder(x: Tensor, other: Any) -> Any:
    """By a size, which torch's translation takes as a number."""
    if not isinstance(other, torch.SymInt):
        return NotImplemented
    return torch.remainder(x, torch.full((), other, dtype=x.dtype, device=x.device))


#: The forms by operator, as `ExportedProgram.run_decompositions` takes them.
FORMS: dict[Any, Callable[..., Any]] = {
    _ATEN.amax.default: _over_all(_ATEN.amax.default),
    _ATEN.amin.default: _over_all(_ATEN.amin.default),
    _ATEN.index.Tensor: _wide_index(_ATEN.index.Tensor),
    _ATEN.index_put.default: _wide_index(_ATEN.index_put.default),
    _ATEN.remainder.Scalar: remainder,
    _ATEN.adaptive_avg_pool1d.default: _pooling(_mean, 1),
    _ATEN.adaptive_avg_pool2d.default: _pooling(_mean, 2),
    _ATEN.adaptive_avg_pool3d.default: _pooling(_mean, 3),
    _ATEN.adaptive_max_pool1d.default: _maximum(1),
    _ATEN.adaptive_max_pool2d.default: _maximum(2),
    _ATEN.adaptive_max_pool3d.default: _maximum(3),
    _ATEN.upsample_nearest1d.vec: upsample_nearest,
    _ATEN.upsample_nearest2d.vec: upsample_nearest,
    _ATEN.upsample_nearest3d.vec: upsample_nearest,
}
