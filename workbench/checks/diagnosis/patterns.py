"""What the difference itself looks like, when no known confusion explains it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from workbench.checks.diagnosis.recurrent import recurrent_cause, unread_operand
from workbench.checks.diagnosis.relations import relation
from workbench.checks.results.statistics import largest_difference
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import reference_tensor
from workbench.core.mapping import Mapping, Row
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build_row

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
    ours, theirs = pair
    told = ""
    if ours.shape == theirs.shape and ours.is_floating_point() and theirs.is_floating_point():
        told = relation(row, references[0], ours, theirs)
    return told or _recurrent(mapping, row, references) or _relation(ours, theirs)


def _recurrent(mapping: Mapping, row: Row, references: Sequence[Reference]) -> str:
    if row.layer is None or not row.target.startswith(("nn.LSTM", "nn.GRU", "nn.RNN")):
        return ""
    told = unread_operand(row)
    if told:
        return told
    try:
        told = recurrent_cause(mapping, row, references)
    except Exception:  # noqa: BLE001 - what cannot run has no pattern
        return ""
    return told or "no mix-up of its weights explains it"


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
    near = _EXPLAINED * before
    return (
        _moved(ours, theirs, near)
        or _scaled(ours, theirs)
        or _biased(ours, theirs, near)
        or _where(ours, theirs, near)
    )


def _moved(ours: torch.Tensor, theirs: torch.Tensor, near: float) -> str:
    """The elements are right but for their sign or their places."""

    def explains(other: torch.Tensor) -> bool:
        return largest_difference(other, theirs) < near

    if explains(-ours):
        return "the sign of every element is wrong"
    for axis, size in enumerate(ours.shape):
        if size > 1 and explains(ours.flip(axis)):
            return f"the result is reversed along axis {axis}"
        if any(_shifted(ours, theirs, axis, shift, near) for shift in (1, -1)):
            return f"the result is shifted by one along axis {axis}: padding on the other side"
        for other in range(axis + 1, ours.ndim):
            if size == ours.shape[other] > 1 and explains(ours.transpose(axis, other)):
                return f"axes {axis} and {other} of the result are swapped"
    return ""


def _shifted(ours: torch.Tensor, theirs: torch.Tensor, axis: int, by: int, near: float) -> bool:
    """True when all but the ends of an axis are right, one place further."""
    inner = (axis, 1, max(ours.shape[axis] - 2, 0))
    wanted = theirs.narrow(*inner)
    found = ours.roll(by, axis).narrow(*inner)
    return wanted.numel() > 0 and largest_difference(found, wanted) < near


def _scaled(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    factor, _ = line_between(ours, theirs)
    if factor is None:
        return ""
    return f"Paddle's result is {factor:.6g} times ours: a scale is missing"


def _biased(ours: torch.Tensor, theirs: torch.Tensor, near: float) -> str:
    for axis in range(ours.ndim):
        rest = [other for other in range(ours.ndim) if other != axis]
        shift = (theirs - ours).mean(rest, keepdim=True) if rest else None
        if shift is not None and largest_difference(ours + shift, theirs) < near:
            return f"a constant is missing for each index of axis {axis}: a bias"
    return ""


def _shapes(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    told = f"the shape is {list(ours.shape)}, Paddle's is {list(theirs.shape)}"
    if ours.numel() == theirs.numel():
        same = largest_difference(ours.reshape(theirs.shape), theirs) == 0
        return f"{told}, with equal elements: only the shape is wrong" if same else told
    return told


def _where(ours: torch.Tensor, theirs: torch.Tensor, near: float) -> str:
    """Which elements differ: one index of an axis, the border, or one sign."""
    bad = (ours - theirs).abs() > near
    sized = _sized(theirs.abs(), bad)
    if sized and int(bad.sum()) < 3:  # one or two elements are always few indices
        return sized
    return _indices(bad) or sized or _scattered(theirs, bad)


def _indices(bad: torch.Tensor) -> str:
    """Which indices of an axis differ, where they differ throughout or are the border."""
    for axis in range(bad.ndim):
        rest = tuple(other for other in range(bad.ndim) if other != axis)
        hit = bad.any(dim=rest) if rest else bad
        places = torch.nonzero(hit).flatten().tolist()
        size = bad.shape[axis]
        throughout = int(bad.sum()) * size >= 0.3 * len(places) * bad.numel()
        if not throughout:
            continue
        if size > 2 and set(places) <= {0, size - 1}:
            return f"only the border along axis {axis} differs: look at the padding"
        told = _range(places, size)
        if told:
            return f"only {told} of axis {axis} differ"
        if size > 2 and len(places) <= max(1, size // 8):
            shown = ", ".join(map(str, places[:4]))
            return f"only index {shown} of axis {axis} differs"
    return ""


def _scattered(theirs: torch.Tensor, bad: torch.Tensor) -> str:
    """Every so many elements, or those of one sign."""
    flat = torch.nonzero(bad.flatten()).flatten()
    step = int(flat[1] - flat[0]) if len(flat) > 2 else 1
    if step > 1 and bool((flat.diff() == step).all()):
        return f"only every {step}th element differs"
    if bool((theirs[bad] <= 0).all()) and bool((theirs > 0).any()):
        return "only elements that are not positive differ: look at the slope or the clipping"
    return ""


def _sized(size: torch.Tensor, bad: torch.Tensor) -> str:
    """Elements that differ, where these are the largest ones, or the smallest."""
    if bad.numel() < 20 or bool(bad.all()) or not bool(bad.any()):
        return ""
    if size[bad].min() > size[~bad].max():
        return f"only large elements differ, from {float(size[bad].min()):.6g} on"
    if size[bad].max() < size[~bad].min():
        return f"only small elements differ, up to {float(size[bad].max()):.6g}"
    return ""


def _range(places: list[int], size: int) -> str:
    """Indices that differ, where these are the last ones, or every so many."""
    if size < 3 or not places or len(places) in (1, size):
        return ""
    if places == list(range(places[0], size)):
        return f"indices from {places[0]} on"
    step = places[1] - places[0]
    if step > 1 and len(places) > 2 and places == list(range(places[0], size, step)):
        return f"every {step}th index, from {places[0]},"
    return ""
