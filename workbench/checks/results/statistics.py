"""Error figures: how far a candidate tensor is from its reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

#: Edges of the error histograms: log10 of the error relative to the scale of the reference.
EDGES = np.arange(-10.0, 2.01, 0.5)

#: Ten in natural logarithms, which numpy computes several times faster than decimal ones.
_DECADE = np.float32(math.log(10.0))
#: Histograms of floats look at no more than about this many elements.
SAMPLE = 1 << 11
#: Tensors of up to so many elements are always compared whole.
SMALL = 1 << 14
#: Elements that are compared at a time: half a megabyte of float32.
PIECE = 1 << 17
_NO_COUNTS = (0,) * (len(EDGES) - 1)

#: Thresholds that the reference documents use for the L2 error: good below, investigate above.
L2_GOOD, L2_INVESTIGATE = 1e-5, 1e-3


@dataclass(frozen=True, slots=True)
class ErrorStats:
    """Candidate against reference, for one tensor.

    `max_abs` and `mean_abs` are absolute; `relative` is max_abs over `scale`, the largest magnitude
    of the reference; `l2` is the norm of the difference over the norm of the reference; `cosine` is
    the cosine similarity; `mismatches` counts elements that differ (for integer and bool tensors
    this is what counts). `counts` is the histogram over `EDGES`, `zeros` the number of elements
    with no error; of large float tensors these are estimated from a sample.
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


@dataclass(frozen=True, slots=True)
class Magnitude:
    """How large a tensor is: smallest and largest element, and the sum of squares.

    NaN and infinities show in `low` and `high`; then `squares` means nothing.
    """

    low: float
    high: float
    squares: float

    @property
    def scale(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    @property
    def finite(self) -> bool:
        """True when every element is finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def magnitude(tensor: torch.Tensor) -> Magnitude:
    """How large a tensor is; complex numbers count as pairs. It must not be empty."""
    flat = as_real(tensor).flatten()
    low, high = _extremes(flat)
    return Magnitude(low, high, _dot(flat, flat, max(abs(low), abs(high))))


def _extremes(flat: torch.Tensor) -> tuple[float, float]:
    low, high = torch.aminmax(flat)
    return float(low), float(high)


def error_stats(
    candidate: torch.Tensor, reference: torch.Tensor, size: Magnitude | None = None
) -> ErrorStats:
    """Compare two tensors of equal shape; NaN equals NaN and infinities equal themselves.

    `size` is the magnitude of the reference, if it is known already.
    """
    if candidate.numel() == 0:
        return ErrorStats(0.0, 0.0, 0.0, 0.0, 1.0, 0, 0, 0, _NO_COUNTS)
    ours, theirs = as_real(candidate).flatten(), as_real(reference).flatten()
    size = size or magnitude(reference)
    found, apart = _Sums(size.scale), None
    for difference, part in _differences(ours, theirs):
        found.add(difference, part)
    if not (math.isfinite(found.largest) and size.finite):
        _, theirs, apart = _finite_parts(ours, theirs)
        size = magnitude(theirs)
        found = _Sums(size.scale)
        found.add(apart, theirs)
    elements, largest = ours.numel(), found.largest
    whole = not (candidate.is_floating_point() or candidate.is_complex())
    if whole and largest == 0 and not torch.equal(candidate, reference):
        largest = 1.0  # integers that float64 does not tell apart
    if largest == 0:
        start = (0,) * candidate.dim()
        return ErrorStats(0.0, 0.0, size.scale, 0.0, 1.0, 0, elements, elements, _NO_COUNTS, start)
    sample = _sampled(ours) - _sampled(theirs) if apart is None else _sampled(apart)
    zeros, counts = _spread(sample.abs().numpy(), elements, size.scale)
    if whole:
        zeros = int(torch.count_nonzero(candidate == reference))
    return ErrorStats(
        max_abs=largest,
        mean_abs=found.total / elements,
        scale=size.scale,
        l2=math.sqrt(found.squares / size.squares) if size.squares else math.sqrt(found.squares),
        cosine=_cosine(size.squares, found.along, found.squares),
        mismatches=elements - zeros,
        elements=elements,
        zeros=zeros,
        counts=counts,
        worst=_position(found.place, candidate),
    )


def quick_stats(candidate: torch.Tensor, reference: torch.Tensor) -> ErrorStats:
    """As `error_stats`, with the largest error and the scale of all elements, the rest of a sample.

    For tensors that agree to far below what the figures are looked at for.
    """
    ours, theirs = as_real(candidate).flatten(), as_real(reference).flatten()
    if ours.numel() <= SMALL or not candidate.is_floating_point():
        return error_stats(candidate, reference)
    largest, place, seen = 0.0, 0, 0
    for difference, part in _differences(ours, theirs):
        array = difference.abs_().numpy()
        here = int(array.argmax())
        if not array[here] <= largest:
            largest, place = float(array[here]), seen + here
        seen += part.numel()
    scale = max(map(abs, _extremes(theirs)))
    if not (math.isfinite(largest) and math.isfinite(scale)):
        return error_stats(candidate, reference)
    sampled = error_stats(_sampled(ours), _sampled(theirs))
    each = ours.numel() // max(sampled.elements, 1)
    return replace(
        sampled,
        max_abs=largest,
        scale=scale,
        mismatches=0 if largest == 0 else max(sampled.mismatches * each, 1),
        elements=ours.numel(),
        zeros=sampled.zeros * each,
        counts=tuple(count * each for count in sampled.counts),
        worst=_position(place, candidate),
    )


def _differences(
    ours: torch.Tensor, theirs: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pieces of the difference that fit into the processor's cache, and of the reference."""
    for start in range(0, ours.numel(), PIECE):
        part = theirs[start : start + PIECE]
        yield ours[start : start + PIECE] - part, part


class _Sums:
    """Sums over the pieces of a difference, and its largest element; NaN stays NaN."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.along = self.squares = self.total = 0.0
        self.largest, self.place, self.seen = 0.0, 0, 0

    def add(self, difference: torch.Tensor, theirs: torch.Tensor) -> None:
        """Add a piece; `difference` is overwritten."""
        self.along += _dot(difference, theirs, self.scale)
        array = difference.abs_().numpy()
        place = int(array.argmax())
        largest = float(array[place])
        if largest > self.largest or math.isnan(largest):
            self.largest, self.place = largest, self.seen + place
        if largest:
            self.squares += _dot(difference, difference, largest)
            self.total += float(difference.sum())
        self.seen += difference.numel()


def _dot(one: torch.Tensor, other: torch.Tensor, largest: float) -> float:
    """The scalar product of flat tensors; in float64 where float32 would over- or underflow."""
    if one.dtype == torch.float32 and not 1e-12 < largest < 1e15:
        one, other = one.double(), other.double()
    return float(torch.dot(one, other))


def _cosine(theirs: float, along: float, squares: float) -> float:
    """Cosine of r and r + d, from r·r, d·r and d·d: so a small d is not lost in rounding."""
    ours = theirs + 2 * along + squares
    if theirs <= 0 or ours <= 0 or not math.isfinite(ours):
        return 0.0
    return max(-1.0, min((theirs + along) / math.sqrt(theirs * ours), 1.0))


def largest_difference(candidate: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference, in the wider dtype; NaN and equal infinities count as equal."""
    if candidate.numel() == 0:
        return 0.0
    ours, theirs = as_real(candidate), as_real(reference)
    largest = float((ours - theirs).abs_().numpy().max())
    if math.isfinite(largest):
        return largest
    return float(_finite_parts(ours, theirs)[2].max())


def as_real(tensor: torch.Tensor) -> torch.Tensor:
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


def _sampled(flat: torch.Tensor) -> torch.Tensor:
    """The tensor, or of a large one `SAMPLE` elements in runs of 16: a line of memory each."""
    if flat.numel() <= 2 * SAMPLE:
        return flat
    runs = SAMPLE // 16
    step = flat.numel() // runs
    return flat[: runs * step].view(runs, step)[:, :16].flatten()


def _spread(sample: np.ndarray, elements: int, scale: float) -> tuple[int, tuple[int, ...]]:
    """How many of all elements agree and the counts over `EDGES`, as in the sample."""
    each = elements // sample.size
    agreeing = sample.size - int(np.count_nonzero(sample))
    with np.errstate(divide="ignore", over="ignore"):
        decades = np.log((sample / (scale or 1.0)).astype(np.float32)) / _DECADE
    bins = np.clip((decades - EDGES[0]) / (EDGES[1] - EDGES[0]), 0, len(EDGES) - 2)
    counts = np.bincount(bins.astype(np.int64), minlength=len(EDGES) - 1)
    counts[0] -= agreeing  # their logarithm is below every edge
    return min(agreeing * each, elements - 1), tuple((counts * each).tolist())


def _position(flat: int, tensor: torch.Tensor) -> tuple[int, ...]:
    if tensor.is_complex():
        flat //= 2
    return tuple(int(i) for i in np.unravel_index(flat, tuple(tensor.shape)))
