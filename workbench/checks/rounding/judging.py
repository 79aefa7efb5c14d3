"""Verdicts: whether rounding explains a difference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from workbench.checks.results.checks import VERDICTS, Check
from workbench.checks.results.statistics import (
    ErrorStats,
    Magnitude,
    error_stats,
    largest_difference,
    magnitude,
)
from workbench.checks.values.closeness import WRONG, misfit

#: How many times the rounding noise of our own run Paddle's result may be away.
NOISE_FACTOR = 8.0
#: Rounding that even a single operation is allowed, in units of the dtype's epsilon at full scale.
EPSILONS = 8.0

#: A reference whose largest magnitude is below this proves nothing.
VANISHING = 1e-10


#: An output that rounding moves by more than this much of its scale proves nothing.
AMPLIFIED = 0.05


def compare(
    ours: Any,
    theirs: torch.Tensor | None,
    other: Any,
    least: float = 0.0,
    size: Magnitude | None = None,
) -> Check:
    """Our value against Paddle's; `other` is what rounding may make of ours.

    `least` is noise that is known to be there even when the other run does not show it, `size` the
    magnitude of Paddle's value if it is known already.
    """
    if theirs is None or not isinstance(ours, torch.Tensor):
        return Check("unchecked")
    problem = misfit(ours, theirs)
    if problem:
        return Check("wrong", problem=problem)
    return compare_again(error_stats(ours, theirs, size), ours, other, least)


def compare_again(error: ErrorStats, ours: torch.Tensor, other: Any, least: float) -> Check:
    """Verdict on a known error, with another run or another least noise."""
    noise = _noise(ours, other)
    check = judge(error, max(noise or 0.0, least), ours.dtype)
    if noise is None and check.failed:
        return Check("unchecked", error, problem="rounding flips a decision here")
    return check


def judge(error: ErrorStats, noise: float, dtype: torch.dtype) -> Check:
    """Verdict on an error, given what rounding does to our own value.

    `noise` is the largest absolute difference to the float64 run (alone) or to the shaken run (in
    the chain).
    """
    if not (dtype.is_floating_point or dtype.is_complex):
        return Check("exact" if error.exact else "wrong", error)
    epsilon = torch.finfo(dtype).eps
    tolerance = NOISE_FACTOR * noise + EPSILONS * epsilon * error.scale
    if error.exact:
        return Check("exact", error, tolerance, noise)
    if error.max_abs <= tolerance:
        return Check("rounding", error, tolerance, noise)
    verdict = "suspicious" if error.max_abs <= WRONG * tolerance else "wrong"
    return Check(verdict, error, tolerance, noise)


def amplified(check: Check, dtype: torch.dtype) -> Check:
    """No verdict on an output that rounding alone moves by much of its scale."""
    if check.verdict != "rounding" or check.error is None or not check.error.scale:
        return check
    moved = check.error.scale * max(AMPLIFIED, 64 * torch.finfo(dtype).eps)
    if check.error.max_abs <= moved:
        return check
    told = f"rounding alone moves it by {check.noise / check.error.scale:.1g} of its scale"
    return replace(check, verdict="unchecked", problem=told)


def health_of(reference: torch.Tensor, size: Magnitude | None = None) -> tuple[str, ...]:
    """Why a reference proves little: constant, vanishing, not finite."""
    if reference.numel() == 0:
        return ("empty",)
    if not (reference.is_floating_point() or reference.is_complex()):
        return ()
    size = size or magnitude(reference)
    if not size.finite:
        finite = reference[torch.isfinite(reference)]
        lacks = "NaN" if math.isnan(size.low) else "infinite"
        return (lacks,) if finite.numel() < 2 or health_of(finite) else ()
    if size.low == size.high and reference.numel() > 1:
        return ("constant",)
    if size.scale < VANISHING:
        return (f"vanishing scale {size.scale:.0e}",)
    return ()


def _noise(ours: torch.Tensor, other: Any) -> float | None:
    """Largest difference to the other run; None when that one took another decision.

    Where rounding makes NaN of a number, as at the root of what is nearly zero, it may as well take
    it to zero; where it decides whether a number overflows, that is a decision.
    """
    if not isinstance(other, torch.Tensor):
        return 0.0
    if other.shape != ours.shape:
        return None
    if not (ours.is_floating_point() or ours.is_complex()):
        return 0.0
    noise = largest_difference(ours, other)
    if math.isfinite(noise):
        return noise
    finite = torch.isfinite(ours)
    if bool((torch.isfinite(other) & ~finite).any()):
        return None
    other = torch.where(torch.isfinite(other), other, torch.where(finite, 0, ours))
    return largest_difference(ours, other)


def worst(checks: Iterable[Check]) -> Check:
    """The worst of several checks; *unchecked* when there is none."""
    return max(
        checks,
        key=lambda check: (VERDICTS.index(check.verdict), check.ratio),
        default=Check("unchecked"),
    )


def first_line(error: Exception) -> str:
    """What went wrong, short."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"
