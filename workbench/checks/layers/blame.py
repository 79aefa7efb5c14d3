"""What becomes of a row that torch refuses to run."""

from __future__ import annotations

from workbench.checks.results.checks import Check
from workbench.checks.rounding.judging import first_line
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Row


def refused(row: Row, paddles: PaddleValues, error: Exception) -> Check:
    """A failed check; without a verdict where the row was to work on nothing."""
    reads = [paddles.get(value) for value in row.reads if paddles.is_recorded(value)]
    if any(read is not None and not read.numel() for read in reads):
        return Check("unchecked", problem=f"torch takes no empty tensor here: {first_line(error)}")
    return Check("wrong", problem=first_line(error), cause="raised")
