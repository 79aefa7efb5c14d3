"""A layer alone: fed the inputs that Paddle's layer had, and compared with what that made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from workbench.accumulation import (
    NAN_READ,
    finite_noise,
    may_lose_nan,
    moved_products,
    without_nan,
)
from workbench.integrity import Integrity
from workbench.judging import compare, first_line, sum_noise, worst
from workbench.mapping import Row
from workbench.paddle_side.reference import Reference
from workbench.program import ARRAY, Value
from workbench.row_runner import Lookup, RowRunner
from workbench.statistics import largest_difference
from workbench.verification import Check

__all__ = ["NAN_READ", "check_alone"]

_UNCHECKED = Check("unchecked")


def check_alone(
    runner: RowRunner,
    row: Row,
    get: Lookup,
    wanted: Lookup,
    reference: Reference,
    integrity: Integrity,
) -> Check:
    """Check one row on Paddle's values, which `get` looks up; a stored tensor against the file.

    `wanted` looks up what the row should make.
    """
    if any(value.dtype == ARRAY for value in row.reads):
        return _UNCHECKED  # what earlier rows put into the array cannot be had
    if not row.is_parameter and not any(value in reference for value in row.values):
        return _UNCHECKED
    try:
        made = runner.alone(row.path, get)
    except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
        return Check("wrong", problem=first_line(error))
    theirs = {value: wanted(value) for value in row.values}
    if not row.is_comparable:  # the numbers cannot be compared, shapes and dtypes can
        checks = (compare(made.get(v), theirs[v], None) for v in row.values)
        return next((check for check in checks if check.problem), _UNCHECKED)
    borrowed = {*runner.borrowed, integrity.orphans.get(row.path, "")} - {row.path}
    if row.is_parameter:
        check = worst(compare(made.get(v), theirs[v], None) for v in row.values)
        return replace(check, verdict="wrong") if check.verdict == "rounding" else check
    read = next((get(v) for v in row.reads if v in reference), None)
    check = _judged(runner, row, get, made, theirs, read)
    guilty = sorted(borrowed & set(integrity.changes))
    if check.failed and guilty and row.path not in integrity.changes:
        return replace(check, verdict="unchecked", problem=f"it reads {guilty[0]}, at fault")
    return check


def _judged(
    runner: RowRunner,
    row: Row,
    get: Lookup,
    made: dict[Value, Any],
    theirs: dict[Value, torch.Tensor | None],
    read: torch.Tensor | None,
) -> Check:
    """The verdict, with the noise that is needed to reach it: none where all bits agree."""
    if all(_same(made.get(value), theirs[value]) for value in row.values):
        return worst(compare(made.get(v), theirs[v], None) for v in row.values)
    try:
        wide = runner.alone(row.path, get, double=True)
    except Exception:  # noqa: BLE001 - no float64 form: judged by epsilon alone
        wide = {}
    wide = {value: finite_noise(made.get(value), wide.get(value)) for value in row.values}
    least = {value: sum_noise(row.ops, read, made.get(value)) for value in row.values}

    def judged(ours: dict[Value, Any], paddles: dict[Value, Any]) -> Check:
        return worst(compare(ours.get(v), paddles[v], wide[v], least[v]) for v in row.values)

    check = judged(made, theirs)
    if not check.failed or check.error is None:
        return check
    moved = runner.alone(row.path, get, mover=moved_products)
    for value in row.values:
        least[value] = max(least[value], _moved_by(made.get(value), moved.get(value)))
    check = judged(made, theirs)
    if check.failed and may_lose_nan(row.ops, map(get, row.reads)):
        kept = {v: without_nan(made.get(v), theirs[v]) for v in row.values}
        ours = {v: pair[0] if pair else made.get(v) for v, pair in kept.items()}
        paddles = {v: pair[1] if pair else theirs[v] for v, pair in kept.items()}
        wide = {v: _finite(wide[v], ours[v]) for v in row.values}
        again = judged(ours, paddles)
        if not again.failed:
            return replace(again, verdict="unchecked", problem=NAN_READ)
    return check


def _same(ours: Any, theirs: torch.Tensor | None) -> bool:
    if theirs is None or not isinstance(ours, torch.Tensor):
        return True
    return ours.dtype == theirs.dtype and torch.equal(ours, theirs)


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
