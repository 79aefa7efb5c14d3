"""Positions that differ only among equal numbers, whose order neither framework promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from workbench.checks.values.row_runner import Lookup
from workbench.core.mapping import Row
from workbench.core.program import Op
from workbench.core.traits import Role, Trait
from workbench.core.values import Value

#: Numbers that Paddle holds equal are no further apart.
EQUAL = 4 * 2.0**-52
#: What is told of a layer that picks others of equal numbers.
TIES = "equal numbers stand in another order here, which neither framework promises"


def scores_tie(row: Row, get: Lookup) -> bool:
    """True for boxes that are kept by their scores, when scores that count are equal.

    Which of equal boxes comes first is open, and which others it then removes.
    """
    if row.op is None or Trait.SCORED not in row.op.traits:
        return False
    read = row.op.operand(Role.SCORES)
    scores = get(read) if read is not None else None
    if scores is None:
        return False
    counted = scores[scores > row.op.setting(Role.LEAST_SCORE, -torch.inf)]
    return bool((counted.flatten().sort().values.diff() == 0).any())


def only_ties(row: Row, get: Lookup, made: Mapping[Value, Any]) -> bool:
    """True when a row differs from Paddle only in which of equal numbers it picks.

    `made` is what the row made of Paddle's values, which `get` gives.
    """
    if scores_tie(row, get) or _nearly_equal(row, get, made):
        return True
    op = row.op
    if op is None or Trait.PICKS_POSITIONS not in op.traits or op.merged or not row.reads:
        return False
    numbers = get(row.reads[0])
    for value in row.values:
        ours, theirs = made.get(value), get(value)
        if not isinstance(ours, torch.Tensor) or theirs is None or ours.shape != theirs.shape:
            return False
        if ours.is_floating_point():
            if not torch.allclose(ours, theirs, rtol=1e-6, atol=0.0, equal_nan=True):
                return False
        elif not _equal_numbers(op, numbers, ours, theirs):
            return False
    return True


def _nearly_equal(row: Row, get: Lookup, made: Mapping[Value, Any]) -> bool:
    """True for a test of equality that differs only where both numbers are within Paddle's bound.

    Paddle's `equal` and `not_equal` of floats hold numbers equal that differ by up to 4 · 2⁻⁵²,
    whatever their dtype (measured with 3.3 on a CPU).
    """
    if row.op is None or Trait.NEARLY_EQUAL not in row.op.traits or len(row.values) != 1:
        return False
    numbers = [get(value) for value in list(row.op.operands)[:2]]
    ours, theirs = made.get(row.values[0]), get(row.values[0])
    if len(numbers) != 2 or any(one is None or not one.is_floating_point() for one in numbers):
        return False
    if not isinstance(ours, torch.Tensor) or theirs is None or ours.shape != theirs.shape:
        return False
    apart = (numbers[0] - numbers[1]).abs()  # type: ignore[operator]
    return bool((apart.expand(ours.shape)[ours != theirs] <= EQUAL).all())


def _equal_numbers(
    op: Op, numbers: torch.Tensor | None, ours: torch.Tensor, theirs: torch.Tensor
) -> bool:
    """True when both positions point to equal numbers everywhere.

    `numbers` is what the operator read; `ours` and `theirs` are integers of equal shape.
    """
    if numbers is None or not numbers.ndim:
        return False
    axis = op.attributes.get("axis", -1)
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if not isinstance(axis, int):
        return False
    axis %= numbers.ndim
    if ours.ndim < numbers.ndim:  # without keepdim
        ours, theirs = ours.unsqueeze(axis), theirs.unsqueeze(axis)
    size = numbers.shape[axis]
    if ours.ndim != numbers.ndim or bool(((ours < 0) | (ours >= size)).any()):
        return False
    if Trait.DISTINCT_POSITIONS in op.traits:
        ordered = ours.sort(axis).values
        if bool((ordered.diff(dim=axis) == 0).any()):
            return False
    picked = (numbers.gather(axis, positions.long()) for positions in (ours, theirs))
    return torch.equal(*(torch.nan_to_num(one.double()) for one in picked))
