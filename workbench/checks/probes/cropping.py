"""Smaller operands for operators that treat every element by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from workbench.core.program import Op
from workbench.core.values import Value
from workbench.sources.interface import Slice

#: Operands keep about so many elements.
ELEMENTS = 4096
_ELEMENTWISE = {
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "assign", "cast",
    "ceil", "celu", "clip", "cos", "cosh", "divide", "elementwise_pow", "elu", "equal", "erf",
    "erfinv", "exp", "expm1", "floor", "floor_divide", "fmax", "fmin", "full", "gelu",
    "greater_equal", "greater_than", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "heaviside", "isfinite", "isinf", "isnan", "leaky_relu", "less_equal", "less_than", "lgamma",
    "log", "log10", "log1p", "log2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "logsigmoid", "maximum", "minimum", "mish", "multiply", "not_equal", "pow",
    "reciprocal", "relu", "relu6", "remainder", "round", "rsqrt", "scale", "selu", "sigmoid",
    "sign", "silu", "sin", "sinh", "softplus", "softshrink", "softsign", "sqrt", "square", "stanh",
    "subtract", "swish", "tan", "tanh", "tanh_shrink", "thresholded_relu", "trunc", "where",
}  # fmt: skip


def cropped(part: Slice, base: Mapping[Value, torch.Tensor]) -> dict[Value, torch.Tensor]:
    """The operands, smaller where the operators allow it; equal sizes stay equal, 1 stays 1."""
    names = {op.short_name.rstrip("_") for op in part.ops}
    kept = any(value.parameter for value in base) or any(map(_fixes_size, part.ops))
    if kept or not names <= _ELEMENTWISE:
        return dict(base)
    rank = max((tensor.ndim for tensor in base.values()), default=0)
    side = max(2, round(ELEMENTS ** (1 / max(rank, 1))))
    return {
        value: tensor[tuple(slice(0, side) for _ in tensor.shape)].contiguous()
        for value, tensor in base.items()
    }


def _fixes_size(op: Op) -> bool:
    """True for a constant of several elements."""
    several = any(math.prod(value.shape) != 1 for value in op.outputs.values())
    return several and not any(True for _ in op.operands)
