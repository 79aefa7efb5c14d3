"""What becomes of a row that torch refuses to run."""

from __future__ import annotations

from workbench.judging import first_line
from workbench.mapping import Row
from workbench.paddle_values import PaddleValues
from workbench.verification import Check


def refused(row: Row, paddles: PaddleValues, error: Exception) -> Check:
    """A failed check; without a verdict where the row was to work on nothing."""
    reads = [paddles.get(value) for value in row.reads if paddles.is_recorded(value)]
    if any(read is not None and not read.numel() for read in reads):
        return Check("unchecked", problem=f"torch takes no empty tensor here: {first_line(error)}")
    return Check("wrong", problem=first_line(error), cause="raised")
