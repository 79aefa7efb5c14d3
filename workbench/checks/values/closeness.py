"""How far an element may be from its reference: a share of its own terms, not of the largest.

Elements of like magnitude form a group; a mask of -1e9 beside scores around 1 is a group of its
own and excuses nothing in the other. An element may be off by a unit (a relative error) of its own
magnitude or of what is typical in its group, whichever is more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from workbench.checks.results.checks import Check
from workbench.checks.results.statistics import (
    ErrorStats,
    Magnitude,
    as_real,
    error_stats,
    magnitude,
    quick_stats,
)

#: What an element may be off when both sides computed in float64: rules that are right agree to
#: about 1e-15, an epsilon that is wrong by 0.1 % stands at 1e-8 and above.
EXACT = 1e-9
#: Beyond this many tolerances a difference is *wrong*, below *suspicious*.
WRONG = 10.0
#: Elements that are looked at to find the groups of a tensor.
_SAMPLE = 1024
#: The least of a group is this many times the largest of the next lower one.
_GAP = 2.0**10
#: What is this much smaller than other values of the tensor counts as nothing beside them (Paddle's
#: softmax gives 1e-28 where a mask hides a place, torch's 0); numbers from `_MASK` on are masks,
#: beside which nothing counts as small.
_NOTHING, _MASK = 1e-5, 1e7


def unit_of(dtype: torch.dtype) -> float:
    """The relative error that a row may have whose values were computed in a dtype; 0 for integers.

    64 roundings for the narrower floats: kernels add up their terms in another order.
    """
    if dtype in (torch.float64, torch.complex128):
        return EXACT
    if not (dtype.is_floating_point or dtype.is_complex):
        return 0.0
    return 64.0 * torch.finfo(dtype).eps


@dataclass(frozen=True, slots=True)
class Groups:
    """Elements of like magnitude: where each group begins, and what is typical in it."""

    edges: tuple[float, ...]
    scales: tuple[float, ...]

    def scale(self, magnitudes: torch.Tensor) -> torch.Tensor | float:
        """The typical magnitude around each element."""
        if len(self.scales) < 2:
            return self.scales[0] if self.scales else 0.0
        edges = torch.tensor(self.edges[1:], dtype=magnitudes.dtype)
        scales = torch.tensor(self.scales, dtype=magnitudes.dtype)
        return scales[torch.bucketize(magnitudes, edges, right=True)]

    def index(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """The number of the group of each element."""
        edges = torch.tensor(self.edges[1:], dtype=magnitudes.dtype)
        return torch.bucketize(magnitudes, edges, right=True)


def groups_of(reference: torch.Tensor) -> Groups:
    """The groups of a tensor, found on a sample of it; zeros and what is not finite have none."""
    flat = as_real(reference).flatten()
    step = max(1, flat.numel() // _SAMPLE)
    sample = flat[::step].abs().double().numpy()
    sample = np.sort(sample[(sample > 0) & np.isfinite(sample)])
    if not sample.size:
        finite = flat[torch.isfinite(flat)].abs()
        largest = float(finite.max()) if finite.numel() else 0.0
        return Groups((0.0,), (largest,))
    cuts = np.flatnonzero(sample[1:] / _GAP > sample[:-1]) + 1
    parts = np.split(sample, cuts) if cuts.size else [sample]
    edges = (0.0, *(float(part[0]) / math.sqrt(_GAP) for part in parts[1:]))
    scales = [_typical(part) for part in parts]
    largest = max((scale for scale in scales if scale < _MASK), default=0.0)
    return Groups(edges, tuple(max(scale, _NOTHING * largest) for scale in scales))


def _typical(magnitudes: np.ndarray) -> float:
    """The root mean square of magnitudes in order; their squares may not overflow."""
    top = float(magnitudes[-1])
    shares = magnitudes / top
    return top * math.sqrt(shares.dot(shares) / shares.size)


class Known:
    """What was found out about one tensor of Paddle's, each when it was first asked for.

    The tensor is given by who asks, so that it need not stay in memory.
    """

    __slots__ = ("_groups", "_size")

    def __init__(self) -> None:
        self._groups: Groups | None = None
        self._size: Magnitude | None = None

    def size(self, tensor: torch.Tensor) -> Magnitude | None:
        """How large it is; None when it is empty."""
        if self._size is None and tensor.numel():
            self._size = magnitude(tensor)
        return self._size

    def groups(self, tensor: torch.Tensor) -> Groups:
        """Its elements by magnitude."""
        if self._groups is None:
            self._groups = groups_of(tensor)
        return self._groups


def judge(
    ours: object,
    theirs: torch.Tensor | None,
    unit: float,
    extra: Callable[[], torch.Tensor | float] = lambda: 0.0,
    known: Known | None = None,
) -> Check:
    """Our value against Paddle's: each element within `unit` of its own terms, or `extra` more.

    Integers and booleans must be equal, NaN and infinities stand in the same places. The tolerance
    of the check is what the error may be at the element that uses most of its own. `extra` is asked
    only where an element may need it; `known` is what was found out about Paddle's value before.
    """
    if theirs is None or not isinstance(ours, torch.Tensor):
        return Check("unchecked")
    problem = misfit(ours, theirs)
    if problem:
        return Check("wrong", problem=problem)
    known = known or Known()
    quick = unit == EXACT
    error = quick_stats(ours, theirs) if quick else error_stats(ours, theirs, known.size(theirs))
    if not (ours.is_floating_point() or ours.is_complex()):
        return Check("exact" if error.exact else "wrong", error)
    groups = known.groups(theirs)
    least = unit * min(groups.scales)
    if error.exact:
        return Check("exact", error, least)
    if not math.isfinite(error.max_abs):
        return Check("wrong", error, least, problem=_not_finite(ours, theirs))
    if error.max_abs > least:
        more = extra()
        if isinstance(more, torch.Tensor) or error.max_abs > least + more:
            return _by_share(error, largest_share(ours, theirs, unit, groups, more))
        least += more
    return Check("rounding", error, least)


def _by_share(error: ErrorStats, share: float) -> Check:
    tolerance = error.max_abs / share if share and math.isfinite(share) else 0.0
    if share <= 1:
        return Check("rounding", error, tolerance or error.max_abs)
    return Check("suspicious" if share <= WRONG else "wrong", error, tolerance)


def largest_share(
    ours: torch.Tensor,
    theirs: torch.Tensor,
    unit: float,
    groups: Groups,
    extra: torch.Tensor | float = 0.0,
) -> float:
    """The largest share of its tolerance that an element uses; both finite in the same places."""
    mine, other = as_real(ours), as_real(theirs)
    allowed = other.abs()
    allowed = torch.maximum(allowed, torch.as_tensor(groups.scale(allowed), dtype=allowed.dtype))
    allowed = allowed.mul_(unit)
    allowed += extra if isinstance(extra, float) else extra.reshape(allowed.shape)
    share = (mine - other).abs_().div_(allowed)
    largest = float(share.max()) if share.numel() else 0.0
    if math.isnan(largest):  # nothing over nothing, or infinities that are equal
        largest = float(torch.where(mine == other, 0.0, share).nan_to_num_(nan=0.0).max())
    return largest


def misfit(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    """What of shape and dtype differs, in words; empty when nothing does."""
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"shape {list(ours.shape)}, Paddle has {list(theirs.shape)}"
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype}, Paddle has {theirs.dtype}"
    return ""


def _not_finite(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    mine, other = as_real(ours), as_real(theirs)
    if bool((torch.isnan(mine) & ~torch.isnan(other)).any()):
        return "NaN where Paddle has a number"
    if bool((torch.isnan(other) & ~torch.isnan(mine)).any()):
        return "a number where Paddle has NaN"
    return "infinite in other places than Paddle"


def noise_by_group(
    theirs: torch.Tensor, exact: torch.Tensor, groups: Groups
) -> torch.Tensor | float:
    """For each element the largest finite distance between two values of Paddle's in its group."""
    one, other = as_real(theirs), as_real(exact)
    apart = (one - other).abs_()
    if len(groups.scales) < 2:
        largest = float(apart.max()) if apart.numel() else 0.0
        if math.isfinite(largest):
            return largest
    apart = apart.nan_to_num_(nan=0.0, posinf=0.0)
    if len(groups.scales) < 2:
        return float(apart.max())
    index = groups.index(other.abs())
    largest_by_group = torch.zeros(len(groups.scales), dtype=apart.dtype)
    largest_by_group.scatter_reduce_(0, index.flatten(), apart.flatten(), "amax")
    return largest_by_group[index]
