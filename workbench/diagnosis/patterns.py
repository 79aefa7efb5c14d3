"""What the difference itself looks like, when no known confusion explains it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from workbench.builder import build_row
from workbench.mapping import Mapping, Row
from workbench.paddle_side.reference import Reference
from workbench.paddle_values import reference_tensor
from workbench.row_runner import RowRunner
from workbench.statistics import largest_difference

#: A pattern explains a difference when what remains is this much smaller.
_EXPLAINED = 1e-3


def first_pair(
    mapping: Mapping, row: Row, references: Sequence[Reference]
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Our first value and Paddle's, when the row can run."""
    for reference in references[:1]:
        get = partial(reference_tensor, reference)
        try:
            made = RowRunner(build_row(mapping, row)).alone(row.path, get)
        except Exception:  # noqa: BLE001 - what cannot run has no pattern
            return None
        for value in row.values:
            ours, theirs = made.get(value), get(value)
            if isinstance(ours, torch.Tensor) and theirs is not None:
                return ours, theirs
    return None


def line_between(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[float | None, float | None]:
    """The factor, and the shift, that alone make our value Paddle's; None where there is none."""
    if ours.shape != theirs.shape or not ours.is_floating_point() or not ours.numel():
        return None, None
    ours, theirs = ours.double(), theirs.double()
    keep = torch.isfinite(ours) & torch.isfinite(theirs)
    ours, theirs = ours[keep], theirs[keep]
    if not ours.numel():
        return None, None
    near = _EXPLAINED * float((ours - theirs).abs().max())
    norm = float((ours * ours).sum())
    factor = float((ours * theirs).sum()) / norm if norm else 0.0
    shift = float((theirs - ours).mean())
    fits = bool(factor) and float((ours * factor - theirs).abs().max()) <= near
    moved = bool(shift) and float((ours + shift - theirs).abs().max()) <= near
    return factor if fits else None, shift if moved else None


def pattern(mapping: Mapping, row: Row, references: Sequence[Reference]) -> str:
    """One sentence on how our value relates to Paddle's; empty when nothing stands out."""
    pair = first_pair(mapping, row, references)
    if pair is None:
        return ""
    return _operand(row, references[0], *pair) or _relation(*pair)


def _operand(row: Row, reference: Reference, ours: torch.Tensor, theirs: torch.Tensor) -> str:
    """An operand that was added too often or too rarely, as in a residual."""
    if ours.shape != theirs.shape or not ours.is_floating_point() or not ours.numel():
        return ""
    mine, other = ours.double(), theirs.double()
    before = largest_difference(mine, other)
    for value in row.reads:
        read = reference_tensor(reference, value)
        if read is None or not read.is_floating_point() or not before:
            continue
        for times in (1.0, -1.0):
            try:
                moved = mine + times * read.double()
            except RuntimeError:
                break
            if moved.shape == other.shape and largest_difference(moved, other) < (
                _EXPLAINED * before
            ):
                often = "is missing once" if times > 0 else "is added once too often"
                return f"operand {value.label} {often}"
    return ""


def _relation(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    if ours.shape != theirs.shape:
        return _shapes(ours, theirs)
    if not torch.equal(torch.isnan(ours), torch.isnan(theirs)):
        who = "Paddle" if torch.isnan(ours).sum() < torch.isnan(theirs).sum() else "PyTorch"
        return f"{who} gives NaN where the other does not: look at where the NaN first appears"
    if not ours.is_floating_point() or not theirs.is_floating_point() or not ours.numel():
        return ""
    ours, theirs = ours.double(), theirs.double()
    before = largest_difference(ours, theirs)
    if not before:
        return ""

    def explains(other: torch.Tensor) -> bool:
        return largest_difference(other, theirs) < _EXPLAINED * before

    if explains(-ours):
        return "the sign of every element is wrong"
    for axis in range(ours.ndim):
        if ours.shape[axis] > 1 and explains(ours.flip(axis)):
            return f"the result is reversed along axis {axis}"
        for shift in (1, -1):
            inner = ours.roll(shift, axis).narrow(axis, 1, max(ours.shape[axis] - 2, 0))
            wanted = theirs.narrow(axis, 1, max(ours.shape[axis] - 2, 0))
            if wanted.numel() and largest_difference(inner, wanted) < _EXPLAINED * before:
                return f"the result is shifted by one along axis {axis}: padding on the other side"
        for other in range(axis + 1, ours.ndim):
            if ours.shape[axis] == ours.shape[other] > 1 and explains(ours.transpose(axis, other)):
                return f"axes {axis} and {other} of the result are swapped"
    factor, _ = line_between(ours, theirs)
    if factor is not None:
        return f"Paddle's result is {factor:.6g} times ours: a scale is missing"
    for axis in range(ours.ndim):
        rest = [other for other in range(ours.ndim) if other != axis]
        if rest and explains(ours + (theirs - ours).mean(rest, keepdim=True)):
            return f"a constant is missing for each index of axis {axis}: a bias"
    return _where(ours, theirs, before)


def _shapes(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    told = f"the shape is {list(ours.shape)}, Paddle's is {list(theirs.shape)}"
    if ours.numel() == theirs.numel():
        same = largest_difference(ours.reshape(theirs.shape), theirs) == 0
        return f"{told}, with equal elements: only the shape is wrong" if same else told
    return told


def _where(ours: torch.Tensor, theirs: torch.Tensor, before: float) -> str:
    """Which elements differ: one index of an axis, the border, or one sign."""
    bad = (ours - theirs).abs() > _EXPLAINED * before
    for axis in range(ours.ndim):
        rest = tuple(other for other in range(ours.ndim) if other != axis)
        hit = bad.any(dim=rest) if rest else bad
        places = torch.nonzero(hit).flatten().tolist()
        size = ours.shape[axis]
        if size > 2 and set(places) <= {0, size - 1}:
            return f"only the border along axis {axis} differs: look at the padding"
        if size > 2 and len(places) <= max(1, size // 8):
            shown = ", ".join(map(str, places[:4]))
            return f"only index {shown} of axis {axis} differs"
    if bool((theirs[bad] <= 0).all()) and bool((theirs > 0).any()):
        return "only elements that are not positive differ: look at the slope or the clipping"
    return ""
