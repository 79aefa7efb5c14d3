"""Operators that Paddle computes partly in float32 whatever the program's dtype.

Measured with Paddle 3.3 on a CPU, over all operator cases of the tests in float64: everything else
agrees to 1e-9.
"""

from __future__ import annotations

import torch

from workbench.checks.values.closeness import unit_of
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Row
from workbench.core.traits import Trait

#: A position is off by about one rounding for so many elements along an axis.
_ALONG = 8.0


def loose_unit(row: Row, paddles: PaddleValues) -> float | None:
    """The relative error that a row may have for float32 inside Paddle's kernel; None for none."""
    unit = unit_of(torch.float32)
    if row.has(Trait.FLOAT32_POSITIONS):
        sizes = [size for value in (*row.reads, *row.values) for size in _shape(value, paddles)]
        return unit * max(1.0, max(sizes, default=1) / _ALONG)
    if row.has(Trait.FLOAT32_INSIDE):
        return unit
    complex_ = any(value.dtype.startswith("complex") for value in row.reads)
    if row.has(Trait.FLOAT32_COMPLEX) and complex_:
        return unit
    return None


def loose_shift(row: Row, paddles: PaddleValues) -> float:
    """How far every element may be off, for what a rounded position takes of its neighbour.

    A position in float32 may fall beside the element that it names, so that the next one counts a
    little though the element's own terms are zero.
    """
    unit = loose_unit(row, paddles)
    read = next((paddles.get(value) for value in row.reads), None)
    if unit is None or not row.has(Trait.FLOAT32_POSITIONS) or not isinstance(read, torch.Tensor):
        return 0.0
    finite = read[torch.isfinite(read)].abs() if read.is_floating_point() else read[:0]
    return unit * float(finite.max()) if finite.numel() else 0.0


def _shape(value: object, paddles: PaddleValues) -> tuple[int, ...]:
    found = paddles.get(value)  # type: ignore[arg-type]
    return tuple(found.shape) if isinstance(found, torch.Tensor) else ()
