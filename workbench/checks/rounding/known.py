"""Operators that Paddle computes partly in float32 whatever the program's dtype.

Measured with Paddle 3.3 on a CPU, over all operator cases of the tests in float64: everything else
agrees to 1e-9.
"""

from __future__ import annotations

import torch

from workbench.checks.values.closeness import unit_of
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Row

#: Settings, slopes, exponents, boxes and angles that the kernels hold in float32. Of these torch
#: has the slope of hard sigmoid and the constants of SELU exactly, also in a module of one's own.
_FLOAT32_INSIDE = {
    "atan2", "dist", "dropout", "hardsigmoid", "label_smooth", "lp_pool2d", "p_norm", "polygamma",
    "prior_box", "renorm", "rrelu", "self_dp_attention", "selu",
}  # fmt: skip
#: Operators that place samples between elements: positions are rounded, which grow with the size.
_POSITIONS = {
    "bilinear_interp", "bicubic_interp", "linear_interp", "trilinear_interp", "interp_antialias",
    "legacy_bilinear_interp", "legacy_bicubic_interp",
}  # fmt: skip
#: Operators that compute complex numbers in single precision.
_OF_COMPLEX = {"exp", "sigmoid", "silu"}
#: A position is off by about one rounding for so many elements along an axis.
_ALONG = 8.0


def loose_unit(row: Row, paddles: PaddleValues) -> float | None:
    """The relative error that a row may have for float32 inside Paddle's kernel; None for none."""
    names = {name.partition(".")[2].rstrip("_") for name in row.ops}
    unit = unit_of(torch.float32)
    if names & _POSITIONS:
        sizes = [size for value in (*row.reads, *row.values) for size in _shape(value, paddles)]
        return unit * max(1.0, max(sizes, default=1) / _ALONG)
    if names & _FLOAT32_INSIDE:
        return unit
    if names & _OF_COMPLEX and any(value.dtype.startswith("complex") for value in row.reads):
        return unit
    return None


def loose_shift(row: Row, paddles: PaddleValues) -> float:
    """How far every element may be off, for what a rounded position takes of its neighbour.

    A position in float32 may fall beside the element that it names, so that the next one counts a
    little though the element's own terms are zero.
    """
    unit = loose_unit(row, paddles)
    names = {name.partition(".")[2].rstrip("_") for name in row.ops}
    read = next((paddles.get(value) for value in row.reads), None)
    if unit is None or not names & _POSITIONS or not isinstance(read, torch.Tensor):
        return 0.0
    finite = read[torch.isfinite(read)].abs() if read.is_floating_point() else read[:0]
    return unit * float(finite.max()) if finite.numel() else 0.0


def _shape(value: object, paddles: PaddleValues) -> tuple[int, ...]:
    found = paddles.get(value)  # type: ignore[arg-type]
    return tuple(found.shape) if isinstance(found, torch.Tensor) else ()
