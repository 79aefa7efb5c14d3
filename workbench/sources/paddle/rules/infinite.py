"""Which values may be infinite: what the constants of a program make of ordinary numbers.

A mask of −inf stands in the graph as a constant, or is fed as an input and added. What layers
compute counts as ordinary: it does not overflow in a healthy model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from workbench.conversion.context import Context
from workbench.core.dtypes import is_float
from workbench.core.program import Op, Operand
from workbench.core.values import Value

#: The magnitude of a value of which nothing is known.
ORDINARY = 1.0
#: Beyond this a number is a mask; two of them added may overflow.
HUGE = 1e30
#: Operators that move their operands' elements, or choose among them.
_MOVES = {
    "assign", "broadcast_to", "cast", "concat", "expand", "expand_as", "fill_diagonal", "flatten",
    "full_batch_size_like", "full_like", "full_with_tensor", "gather", "gather_nd",
    "index_select", "masked_fill", "minimum", "reshape", "set_value", "set_value_with_tensor",
    "share_data", "slice", "squeeze", "stack", "strided_slice", "tile", "transpose", "tril",
    "triu", "unsqueeze", "where",
}  # fmt: skip
#: Operators of which a mask is an operand.
_SUMS = {"add", "subtract"}
#: Rows of a multiple of so many numbers are computed by vector instructions throughout.
LANES = 8
#: What the note of a softmax says.
EQUAL_SHARES = (
    "a row that is −inf throughout gives equal shares where its length is a multiple of eight, NaN "
    "elsewhere: so Paddle computes on a CPU"
)
#: Steps that are followed back at most.
DEPTH = 64


def may_be_infinite(op: Context, value: Operand) -> bool:
    """True when a constant of the program, or a mask that is fed, may make elements infinite."""
    return isinstance(value, Value) and not math.isfinite(_Magnitudes(op).of(value))


def masked_throughout(op: Context, x: Value, axis: int) -> bool:
    """True when a softmax may meet rows of −inf only of which Paddle makes numbers on a CPU."""
    return gives_shares(x, axis) and may_be_infinite(op, x)


def gives_shares(x: Value, axis: int) -> bool:
    """True where Paddle's vectorised softmax may work: along the last axis, in float32."""
    behind = x.shape[axis % len(x.shape) + 1 :] if x.shape else ()
    if not x.shape or x.dtype == "float64" or any(size != 1 for size in behind):
        return False
    size = x.shape[axis]
    return size < 0 or size % LANES == 0


class _Magnitudes:
    """The largest magnitude that each value may have, followed back from where it is read."""

    def __init__(self, op: Context) -> None:
        self.op = op
        self.known: dict[Value, float] = {}

    def of(self, value: Operand, depth: int = 0) -> float:
        if not isinstance(value, Value):
            return ORDINARY
        if value not in self.known:
            self.known[value] = ORDINARY  # also where a loop leads back here
            self.known[value] = self._found(value, depth)
        return self.known[value]

    def _found(self, value: Value, depth: int) -> float:
        parameter = self.op.parameter(value)
        if parameter is not None:
            return _largest(parameter.data) if is_float(parameter.dtype) else ORDINARY
        maker = self.op.maker(value)
        if maker is None or depth > DEPTH or not is_float(value.dtype):
            return ORDINARY
        return _held(self._made(maker, depth + 1), value.dtype)

    def _made(self, maker: Op, depth: int) -> float:
        name = maker.short_name.rstrip("_")
        own = _numbers(maker)
        if name in ("full", "assign_value"):
            return own
        operands = [v for v in maker.operands if isinstance(v, Value)]
        if name in _SUMS and any(self._is_fed(value, depth) for value in operands):
            return math.inf
        if name not in _MOVES | _SUMS | {"maximum", "multiply", "scale"}:
            return ORDINARY
        sizes = [self.of(value, depth) for value in operands]
        if name == "multiply":
            return math.prod(sizes)
        if name == "scale":
            return sizes[0] * max(own, *sizes[1:], ORDINARY)
        if name == "maximum":
            return min(sizes)
        masks = [size for size in sizes if size > HUGE]
        if name in _SUMS and len(masks) > 1:
            return sum(masks)
        return max(own, *sizes, ORDINARY)

    def _is_fed(self, value: Value, depth: int) -> bool:
        """True for a mask that a person feeds: an input that is only moved before it is added."""
        while value not in self.op.program.inputs:
            maker = self.op.maker(value)
            if maker is None or maker.short_name.rstrip("_") not in _MOVES or depth > DEPTH:
                return False
            first = next((v for v in maker.operands if isinstance(v, Value)), None)
            if first is None:
                return False
            value, depth = first, depth + 1
        return is_float(value.dtype)


def _numbers(maker: Op) -> float:
    """The largest number among an operator's own settings."""
    found = [maker.attributes.get(name) for name in ("value", "scale", "bias")]
    given = maker.attributes.get("values")
    found += list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    return max((_number(item) for item in found), default=ORDINARY)


def _number(item: object) -> float:
    try:
        return abs(float(item))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ORDINARY


def _largest(array: np.ndarray) -> float:
    """The largest magnitude; bfloat16, which is held as bits, counts as ordinary."""
    if array.dtype.kind != "f" or not array.size:
        return ORDINARY
    return float(np.abs(array).max())


def _held(size: float, dtype: str) -> float:
    """The magnitude as the dtype holds it: beyond its largest number it is infinite."""
    largest = {"float64": 1.8e308, "float16": 65504.0}.get(dtype, 3.4028236e38)
    return math.inf if size > largest else size
