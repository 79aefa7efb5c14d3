"""How a tensor differs from the one in the model's file, in words that name the mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

#: Tensors may differ from the file by so many roundings of each element.
_ULPS = 4.0
#: Recurrent layers keep so many blocks, one a gate.
_GATES = {4: "ifgo", 3: "rzn"}


def tensor_difference(mine: torch.Tensor, stored: torch.Tensor) -> str:
    """What was done to the file's tensor, and how many elements differ; empty for rounding only.

    The tensors have equal shape and dtype.
    """
    if same_bits(mine, stored):
        return ""
    same = (mine == stored) | ((mine != mine) & (stored != stored))
    wide = torch.complex128 if mine.is_complex() else torch.float64
    ours, theirs = mine.to(wide), stored.to(wide)
    distance = (ours - theirs).abs()
    if mine.is_floating_point() or mine.is_complex():
        allowed = _ULPS * torch.finfo(mine.dtype).eps * torch.maximum(ours.abs(), theirs.abs())
        same |= distance <= allowed
    differing = int((~same).sum())
    if not differing:
        return ""
    largest = float(distance[~same].max())
    count = f"{differing:,} of {same.numel():,} elements differ from the file"
    told = next((told for guess in _GUESSES for told in guess(mine, stored)), "")
    if differing == 1 and mine.numel() > 1:
        place = tuple(int(axis[0]) for axis in torch.nonzero(~same, as_tuple=True))
        now, before = mine[place].item(), stored[place].item()
        told = told or f"element {list(place)} is {now:.6g}, in the file {before:.6g}"
    return f"{told} ({count})" if told else f"{count}, by up to {largest:.3g}"


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """True when two tensors of equal shape and dtype hold the same bytes; faster than `equal`."""
    pair = (one, other)
    left, right = (
        part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy() for part in pair
    )
    if left.size % 8 == 0 and not (left.ctypes.data % 8 or right.ctypes.data % 8):
        left, right = left.view(np.int64), right.view(np.int64)
    return np.array_equal(left, right)


def _axes_swapped(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    for left in range(mine.ndim):
        for right in range(left + 1, mine.ndim):
            if mine.shape[left] != mine.shape[right] or mine.shape[left] == 1:
                continue
            if torch.equal(mine, stored.transpose(left, right)):
                both = "transposed" if mine.ndim == 2 else f"axes {left} and {right} swapped"
                yield f"not as stored but {both}"


def _mirrored(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    for axis in range(mine.ndim):
        if 1 < mine.shape[axis] <= 7 and torch.equal(mine, stored.flip(axis)):
            yield f"mirrored along axis {axis}"


def _reordered(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    for axis in range(mine.ndim):
        size = mine.shape[axis]
        if size < 2:
            continue
        for gates, names in _GATES.items():
            if size % gates == 0 and size >= 2 * gates:
                order = _order(mine, stored, axis, gates)
                if order:
                    now = "".join(names[number] for number in order)
                    yield f"blocks of axis {axis} in another order ({names} became {now})"
        order = _order(mine, stored, axis, size)
        if order:
            shift = next((k for k in range(1, size) if order == _rolled(size, k)), 0)
            told = f"rolled by {shift}" if shift else "in another order"
            yield f"channels along axis {axis} {told}"


def _rolled(size: int, shift: int) -> list[int]:
    return [(number - shift) % size for number in range(size)]


def _order(mine: torch.Tensor, stored: torch.Tensor, axis: int, parts: int) -> list[int]:
    """Which part of the stored tensor each part of mine is; empty when they are no permutation."""
    ours = mine.movedim(axis, 0).reshape(parts, -1).contiguous()
    theirs = stored.movedim(axis, 0).reshape(parts, -1).contiguous()
    places = {row.numpy().tobytes(): number for number, row in enumerate(_bits(theirs))}
    order = [places.get(row.numpy().tobytes(), -1) for row in _bits(ours)]
    moved = order != list(range(parts))
    return order if moved and sorted(order) == list(range(parts)) else []


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.uint8) if tensor.dtype != torch.bool else tensor


def _signs(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    if mine.dtype == torch.bool:
        return
    differs = mine != stored
    if torch.equal(torch.where(differs, -mine, mine), stored):
        count = int(differs.sum())
        whole = count == int((stored != 0).sum())
        yield "negated" if whole else f"the sign of {count:,} flipped"


def _constant(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    if mine.numel() > 1 and bool((mine == mine.flatten()[0]).all()):
        yield f"all {mine.flatten()[0].item():g}"


def _rounded(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    if not mine.is_floating_point():
        return
    for dtype in (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8):
        if torch.equal(mine, stored.to(dtype).to(mine.dtype)):
            yield f"rounded to {str(dtype).removeprefix('torch.')}"


def _scaled(mine: torch.Tensor, stored: torch.Tensor) -> Iterator[str]:
    if not mine.is_floating_point() or mine.numel() < 2:
        return
    ours, theirs = mine.double(), stored.double()
    norm = float((theirs * theirs).sum())
    if not norm:
        return
    factor = float((ours * theirs).sum()) / norm
    near = 8 * torch.finfo(mine.dtype).eps * float(ours.abs().max())
    if factor and float((ours - factor * theirs).abs().max()) <= near:
        yield f"scaled by {factor:.6g}"
    shift = float((ours - theirs).mean())
    if shift and float((ours - theirs - shift).abs().max()) <= near:
        yield f"shifted by {shift:.6g}"


_GUESSES: tuple[Callable[[torch.Tensor, torch.Tensor], Iterator[str]], ...] = (
    _constant, _axes_swapped, _mirrored, _signs, _reordered, _rounded, _scaled,
)  # fmt: skip
