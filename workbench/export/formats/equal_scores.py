"""Tables of found things whose rows stand in another order because their scores are equal.

Detectors sort boxes by score. Where two scores are equal but for rounding, either may come first,
and a file may decide otherwise than the module. Rows may change places only among such scores.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Scores count as equal within so much of the largest one.
EQUAL = 1e-5
#: Rows of which tables are searched at most.
_MOST = 2000


def in_order_of(found: list[Tensor], expected: list[Tensor], tolerance: float) -> list[Tensor]:
    """`found`, its rows in the order of the expected ones where that is open.

    Outputs with equally many rows are one table. What does not fit is given back as it is.
    """
    if len(found) != len(expected):
        return found
    ordered = list(found)
    for axis in (0, 1):
        for places in _tables(expected, axis).values():
            if all(found[n].shape == expected[n].shape for n in places):
                ours, theirs = ([one[n].movedim(axis, 0) for n in places]
                                for one in (ordered, expected))  # fmt: skip
                for number, part in zip(places, _ordered(ours, theirs, tolerance), strict=True):
                    ordered[number] = part.movedim(0, axis)
    return ordered


def _tables(outputs: list[Tensor], axis: int) -> dict[tuple[int, ...], list[int]]:
    tables: dict[tuple[int, ...], list[int]] = {}
    for number, tensor in enumerate(outputs):
        if tensor.dim() > axis and 1 < tensor.shape[axis] <= _MOST and not tensor.is_complex():
            single = axis == 1 and tensor.shape[0] != 1  # one image at a time
            if not single:
                tables.setdefault(tuple(tensor.shape[: axis + 1]), []).append(number)
    return tables


def _ordered(found: list[Tensor], expected: list[Tensor], tolerance: float) -> list[Tensor]:
    one, other = (torch.cat([part.reshape(part.shape[0], -1).double() for part in parts], 1)
                  for parts in (found, expected))  # fmt: skip
    scale = other.abs().amax(0).clamp(min=1e-30)
    places = _matched(one, other, scale * tolerance)
    if places is None:
        return found
    moved = places != torch.arange(len(places))
    scores = (other != other.round()).any(0)  # not a label, and not a position
    apart = ((other[places] - other).abs() / scale)[moved][:, scores]
    open_ = not bool(moved.any()) or bool((apart <= EQUAL).all(0).any())
    return [part[places] for part in found] if open_ else found


def _matched(found: Tensor, expected: Tensor, allowed: Tensor) -> Tensor | None:
    """For each expected row, the found one that is it; None unless all fit."""
    free = torch.ones(len(found), dtype=torch.bool)
    places = []
    for number, row in enumerate(expected):
        fits = free & ((found - row).abs() <= allowed).all(1)
        if not bool(fits.any()):
            return None
        place = number if bool(fits[number]) else int(torch.nonzero(fits)[0])
        free[place] = False
        places.append(place)
    return torch.tensor(places)
