"""Error figures: how far a candidate tensor is from its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

#: Edges of the error histograms: log10 of the error relative to the scale of the reference.
EDGES = np.arange(-10.0, 2.01, 0.5)

#: Histograms look at no more than about this many elements.
SAMPLE = 1 << 16

#: Thresholds that the reference documents use for the L2 error: good below, investigate above.
L2_GOOD, L2_INVESTIGATE = 1e-5, 1e-3


@dataclass(frozen=True, slots=True)
class ErrorStats:
    """Candidate against reference, for one tensor.

    `max_abs` and `mean_abs` are absolute; `relative` is max_abs over `scale`, the largest magnitude
    of the reference; `l2` is the norm of the difference over the norm of the reference; `cosine` is
    the cosine similarity; `mismatches` counts elements that differ (for integer and bool tensors
    this is what counts). `counts` is the histogram over `EDGES`, `zeros` the number of elements
    with no error.
    """

    max_abs: float
    mean_abs: float
    scale: float
    l2: float
    cosine: float
    mismatches: int
    elements: int
    zeros: int
    counts: tuple[int, ...]
    worst: tuple[int, ...] = ()

    @property
    def relative(self) -> float:
        """max_abs relative to the scale of the reference."""
        return self.max_abs / self.scale if self.scale else self.max_abs

    @property
    def exact(self) -> bool:
        """True when every element is equal."""
        return self.mismatches == 0


def error_stats(candidate: torch.Tensor, reference: torch.Tensor) -> ErrorStats:
    """Compare two tensors of equal shape; NaN equals NaN and infinities equal themselves."""
    if candidate.numel() == 0:
        return ErrorStats(0.0, 0.0, 0.0, 0.0, 1.0, 0, 0, 0, (0,) * (len(EDGES) - 1))
    ours, theirs = _comparable(candidate), _comparable(reference)
    if torch.equal(ours, theirs):
        return _equal(theirs, candidate)
    difference = (ours - theirs).abs_()
    largest = float(difference.max())
    if not math.isfinite(largest):
        ours, theirs, difference = _finite_parts(ours, theirs)
        largest = float(difference.max())
    low, high = torch.aminmax(theirs)
    scale = max(abs(float(low)), abs(float(high)))
    norm, mine = float(theirs.norm()), float(ours.norm())
    differing = int(torch.count_nonzero(difference))
    if norm and mine:
        cosine = float(torch.dot(theirs.flatten() / norm, ours.flatten() / mine))
    else:
        cosine = 0.0 if differing else 1.0
    return ErrorStats(
        max_abs=largest,
        mean_abs=float(difference.mean()),
        scale=scale,
        l2=float(difference.norm()) / (norm or 1.0),
        cosine=min(cosine, 1.0),
        mismatches=differing,
        elements=candidate.numel(),
        zeros=difference.numel() - differing,
        counts=_histogram(difference, scale),
        worst=_position(int(difference.argmax()), candidate),
    )


def _equal(reference: torch.Tensor, candidate: torch.Tensor) -> ErrorStats:
    """No error anywhere; NaN does not come here, infinities count as zero in the scale."""
    low, high = (abs(float(bound)) for bound in torch.aminmax(reference))
    scale = max(low, high)
    if not math.isfinite(scale):
        finite = torch.where(torch.isfinite(reference), reference.abs(), 0.0)
        scale = float(finite.max())
    counts, start = (0,) * (len(EDGES) - 1), (0,) * candidate.dim()
    return ErrorStats(
        0.0, 0.0, scale, 0.0, 1.0, 0, candidate.numel(), reference.numel(), counts, start
    )


def largest_difference(candidate: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference, in float64; NaN and equal infinities count as equal."""
    if candidate.numel() == 0:
        return 0.0
    ours, theirs = _comparable(candidate).double(), _comparable(reference).double()
    largest = float((ours - theirs).abs_().max())
    if math.isfinite(largest):
        return largest
    return float(_finite_parts(ours, theirs)[2].max())


def _comparable(tensor: torch.Tensor) -> torch.Tensor:
    """Real and at least float32; integers become float64, which holds them."""
    tensor = tensor.detach()
    if tensor.is_complex():
        return torch.view_as_real(tensor.resolve_conj())
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor
    return tensor.float() if tensor.is_floating_point() else tensor.double()


def _finite_parts(
    ours: torch.Tensor, theirs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The tensors with what is not finite set to zero, and their difference (infinite where one
    is).
    """
    zero = torch.zeros((), dtype=ours.dtype)
    same = (ours == theirs) | (torch.isnan(ours) & torch.isnan(theirs))
    difference = torch.where(same, zero, (ours - theirs).abs())
    difference = torch.nan_to_num(difference, nan=math.inf, posinf=math.inf)
    kept = [torch.where(torch.isfinite(part), part, zero) for part in (ours, theirs)]
    return kept[0], kept[1], difference


def _histogram(difference: torch.Tensor, scale: float) -> tuple[int, ...]:
    """Counts over `EDGES`, estimated from an even sample of large tensors."""
    flat = difference.flatten()
    step = max(1, flat.numel() // SAMPLE)
    sample = flat[::step].double()
    sample = sample[sample > 0]
    logs = torch.log10(sample / (scale or 1.0)).clamp_(EDGES[0], EDGES[-1] - 1e-9)
    counts = torch.histc(logs, len(EDGES) - 1, float(EDGES[0]), float(EDGES[-1]))
    return tuple(int(count) * step for count in counts)


def _position(flat: int, tensor: torch.Tensor) -> tuple[int, ...]:
    if tensor.is_complex():
        flat //= 2
    return tuple(int(i) for i in np.unravel_index(flat, tuple(tensor.shape)))
