"""A layer alone: fed the inputs that Paddle's layer had, and compared with what that made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from workbench.accumulation import (
    finite_noise,
    moved_products,
    nan_told,
    without_nan,
)
from workbench.integrity import Integrity
from workbench.judging import (
    NOISE_FACTOR,
    amplified,
    compare,
    compare_again,
    first_line,
    worst,
)
from workbench.kernel_noise import known_noise
from workbench.mapping import Row
from workbench.paddle_values import PaddleValues
from workbench.program import ARRAY, Value
from workbench.row_runner import NotRecordedError, RowRunner
from workbench.statistics import largest_difference
from workbench.term_by_term import measured
from workbench.ties import TIES, may_tie, only_ties, scores_tie
from workbench.verification import Check

_UNCHECKED = Check("unchecked")
#: A layer that uses less than this of the smallest tolerance there is passes without a float64 run.
PLAIN = 0.75
#: How many times the rounding that was measured by adding in Paddle's order Paddle may be away.
MEASURED = 3.0


def check_alone(runner: RowRunner, row: Row, paddles: PaddleValues, integrity: Integrity) -> Check:
    """Check one row on Paddle's values; a stored tensor against the file."""
    if any(value.dtype == ARRAY for value in row.reads):
        return _UNCHECKED  # what earlier rows put into the array cannot be had
    if not row.is_parameter and not any(paddles.is_recorded(value) for value in row.values):
        return _UNCHECKED
    try:
        made = runner.alone(row.path, paddles.get)
    except NotRecordedError:
        return _UNCHECKED
    except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
        return refused(row, paddles, error)
    borrowed = {*runner.borrowed, integrity.orphans.get(row.path, "")} - {row.path}
    if row.is_parameter:
        check = worst(compare(made.get(v), paddles.get(v), None) for v in row.values)
        return replace(check, verdict="wrong") if check.verdict == "rounding" else check
    alone = _Alone(runner, row, paddles, made)
    if not row.is_comparable:  # the numbers cannot be compared, shapes and dtypes can
        return next((check for check in alone.plain.values() if check.problem), _UNCHECKED)
    check = alone.check()
    guilty = sorted(borrowed & set(integrity.changes))
    if check.failed and guilty and row.path not in integrity.changes:
        return replace(check, verdict="unchecked", problem=f"it reads {guilty[0]}, at fault")
    return check


def refused(row: Row, paddles: PaddleValues, error: Exception) -> Check:
    """A layer that torch refuses to run; without blame where it was to work on nothing."""
    reads = [paddles.get(value) for value in row.reads if paddles.is_recorded(value)]
    if any(read is not None and not read.numel() for read in reads):
        return Check("unchecked", problem=f"torch takes no empty tensor here: {first_line(error)}")
    return Check("wrong", problem=first_line(error), cause="raised")


class _Alone:
    """What a row made, and the noise that is needed to judge it: as little as will do."""

    def __init__(
        self, runner: RowRunner, row: Row, paddles: PaddleValues, made: dict[Value, Any]
    ) -> None:
        self.runner, self.row, self.paddles, self.made = runner, row, paddles, made
        self.plain = {
            v: compare(made.get(v), paddles.beside(v, made.get(v)), None, size=paddles.size(v))
            for v in row.values
        }

    def check(self) -> Check:
        """The verdict; none on a result that rounding alone moves by much of its scale."""
        dtypes = [made.dtype for made in self.made.values() if isinstance(made, torch.Tensor)]
        floats = [dtype for dtype in dtypes if dtype.is_floating_point]
        found = self._check()
        return amplified(found, max(floats, key=lambda d: torch.finfo(d).eps)) if floats else found

    def _check(self) -> Check:
        """By the dtype's epsilon, by sums term by term, by a float64 run, by NaN."""
        check = worst(self.plain.values())
        if self._calm(self.plain.values()) or (check.failed and check.error is None):
            return self._unrounded(check)
        if check.failed and scores_tie(self.row, self.paddles.get):
            return replace(check, verdict="unchecked", problem=TIES)
        least = self._known()
        found = self._judged({}, least)
        if self._calm(found):
            return self._unrounded(worst(found))
        wide = self._wide()
        check = worst(self._judged(wide, least))
        if not check.failed:
            return self._unrounded(check)
        for value, noise in self._added_one_by_one().items():
            least[value] = max(least[value], noise)
        check = worst(self._judged(wide, least))
        if check.failed and may_tie(self.row):
            check = self._without_ties(check, wide, least)
        return self._without_nan(check, wide, least) if check.failed else check

    def _calm(self, checks: Iterable[Check]) -> bool:
        return not any(check.ratio > PLAIN or check.failed for check in checks)

    def _known(self) -> dict[Value, float]:
        """Rounding that is known to be there: adding up term by term, float32 inside a kernel."""
        read = next((v for v in self.row.reads if self.paddles.is_recorded(v)), None)
        first = self.paddles.get(read) if read is not None else None
        layers = self.runner.layers(self.row.path)
        return {
            value: known_noise(self.row.ops, first, self.made.get(value), layers)
            for value in self.row.values
        }

    def _added_one_by_one(self) -> dict[Value, float]:
        """What adding terms or products one after another does to each value."""
        row, made = self.row, self.made
        reads = [self.paddles.get(value) for value in row.reads]
        noises = {
            value: measured(row, reads, made.get(value), check.error.scale)
            for value, check in self.plain.items()
            if check.error is not None
        }
        known = {
            value: noise * MEASURED / NOISE_FACTOR
            for value, noise in noises.items()
            if noise is not None
        }
        if known:
            return known
        moved = self.runner.alone(row.path, self.paddles.get, mover=moved_products)
        return {v: _moved_by(made.get(v), moved.get(v)) for v in row.values}

    def _judged(self, wide: dict[Value, Any], least: dict[Value, float]) -> list[Check]:
        return [
            compare_again(check.error, self.made[value], wide.get(value), least[value])
            if check.error is not None
            else check
            for value, check in self.plain.items()
        ]

    def _wide(self) -> dict[Value, Any]:
        """The float64 run; empty when the row has no float64 form: judged by epsilon alone."""
        try:
            wide = self.runner.alone(self.row.path, self.paddles.get, double=True)
        except Exception:  # noqa: BLE001 - any operator may refuse float64
            wide = {}
        return {v: finite_noise(self.made.get(v), wide.get(v)) for v in self.row.values}

    def _unrounded(self, check: Check) -> Check:
        """With the noise of rounding to bfloat16 where Paddle kept float32."""
        noise = check.noise
        for value in self.row.values:
            if self.paddles.is_wider(value):
                kept = self.paddles.get(value)
                rounded = self.paddles.beside(value, self.made.get(value))
                if kept is not None and rounded is not None:
                    noise = max(noise, largest_difference(kept, rounded.float()))
        return replace(check, noise=noise) if noise != check.noise else check

    def _without_ties(
        self, check: Check, wide: dict[Value, Any], least: dict[Value, float]
    ) -> Check:
        """No verdict where positions differ among equal numbers only."""
        numbers = self.paddles.get(self.row.reads[0])
        for value, plain in self.plain.items():
            if plain.error is None:
                return check
            ours, theirs = self.made[value], self.paddles.get(value)
            again = compare_again(plain.error, ours, wide[value], least[value])
            if again.failed and (theirs is None or not only_ties(self.row, numbers, ours, theirs)):
                return check
        return replace(check, verdict="unchecked", problem=TIES)

    def _without_nan(
        self, check: Check, wide: dict[Value, Any], least: dict[Value, float]
    ) -> Check:
        """No verdict where only NaN that came in tells the frameworks apart."""
        told = nan_told(self.row.ops, map(self.paddles.get, self.row.reads))
        if not told:
            return check
        checks = []
        for value in self.row.values:
            ours = self.made.get(value)
            theirs = self.paddles.beside(value, ours)
            pair = without_nan(ours, theirs)
            ours, theirs = pair or (ours, theirs)
            checks.append(compare(ours, theirs, _finite(wide[value], ours), least[value]))
        again = worst(checks)
        if again.failed:
            return check
        return replace(again, verdict="unchecked", problem=told)


def _finite(wide: Any, ours: Any) -> Any:
    """`wide`, with ours where it is NaN."""
    if not isinstance(wide, torch.Tensor) or not isinstance(ours, torch.Tensor):
        return wide
    return torch.where(torch.isnan(wide), ours.to(wide.dtype), wide)


def _moved_by(made: Any, moved: Any) -> float:
    if not isinstance(made, torch.Tensor) or not isinstance(moved, torch.Tensor):
        return 0.0
    if made.shape != moved.shape or not made.is_floating_point():
        return 0.0
    return largest_difference(made, finite_noise(made, moved))
