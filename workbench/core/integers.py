"""Integers that are known only when the model runs, such as `x.shape[0] * 2`.

The shape-arithmetic pass turns Paddle's small integer tensors into these, so that the PyTorch model
computes shapes with Python integers: it then traces, exports and reads as a person would write it.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from workbench.core.values import Value

_FUNCTIONS: dict[str, Any] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "min": min, "max": max, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Symbol:
    """Base of the symbolic integers; arithmetic on them gives `IntOp`, folded where it can be."""

    __slots__ = ()

    def __add__(self, other: Int) -> Int:
        return int_op("+", self, other)

    def __radd__(self, other: Int) -> Int:
        return int_op("+", other, self)

    def __sub__(self, other: Int) -> Int:
        return int_op("-", self, other)

    def __rsub__(self, other: Int) -> Int:
        return int_op("-", other, self)

    def __mul__(self, other: Int) -> Int:
        return int_op("*", self, other)

    def __rmul__(self, other: Int) -> Int:
        return int_op("*", other, self)

    def __floordiv__(self, other: Int) -> Int:
        return int_op("//", self, other)

    def __mod__(self, other: Int) -> Int:
        return int_op("%", self, other)


@dataclass(frozen=True, slots=True)
class Dim(Symbol):
    """Size of one dimension of a value: `value.shape[axis]`."""

    value: Value
    axis: int


@dataclass(frozen=True, slots=True)
class Item(Symbol):
    """One element of an integer tensor, read when the model runs: `int(value[index])`.

    `index` is the position in the flattened tensor.
    """

    value: Value
    index: int = 0


@dataclass(frozen=True, slots=True)
class Count(Symbol):
    """A value that is a Python integer when the model runs: the number of a `for` loop."""

    value: Value


@dataclass(frozen=True, slots=True)
class IntOp(Symbol):
    """`left op right` on integers."""

    op: str
    left: Int
    right: Int

    @property
    def function(self) -> Any:
        """The Python function that computes it."""
        return _FUNCTIONS[self.op]


Int: TypeAlias = "int | Symbol"


def int_op(op: str, left: Int, right: Int) -> Int:
    """`left op right`, folded when both are plain integers or one is neutral."""
    if not isinstance(left, Symbol) and not isinstance(right, Symbol):
        return _FUNCTIONS[op](left, right)  # type: ignore[no-any-return]
    if op in "+-" and not isinstance(right, Symbol) and right == 0:
        return left
    if op == "-":
        rest = _difference(left, right)
        if rest is not None:
            return rest
    if op == "+" and not isinstance(left, Symbol) and left == 0:
        return right
    if op in ("*", "//") and not isinstance(right, Symbol) and right == 1:
        return left
    if op == "*" and not isinstance(left, Symbol) and left == 1:
        return right
    return IntOp(op, left, right)


def is_size(number: Int) -> bool:
    """True for what is surely not negative: sizes, their sums and products."""
    if isinstance(number, IntOp):
        known = number.op in ("+", "*", "//", "%")
        return known and is_size(number.left) and is_size(number.right)
    return isinstance(number, Dim) or (isinstance(number, int) and number >= 0)


def _difference(left: Int, right: Int) -> int | None:
    """`left - right` where it is a plain integer: n - n, (n + 1) - n, (n - 1) - n."""
    if left == right:
        return 0
    if isinstance(left, IntOp) and left.left == right and isinstance(left.right, int):
        return {"+": left.right, "-": -left.right}.get(left.op)
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """Elements of a small value: Python numbers or symbolic integers, in an object array."""

    array: np.ndarray
    dtype: str

    @property
    def constant(self) -> bool:
        """True when no element depends on the inputs."""
        return not any(isinstance(item, Symbol) for item in self.array.flat)

    @property
    def pure(self) -> bool:
        """True when the elements come from constants and shapes only, not from tensor contents."""
        return not any(_reads_item(item) for item in self.array.flat)

    @property
    def items(self) -> list[Any]:
        """The elements in row-major order."""
        return list(self.array.flat)


def _reads_item(expression: Any) -> bool:
    if isinstance(expression, Item):
        return True
    if isinstance(expression, IntOp):
        return _reads_item(expression.left) or _reads_item(expression.right)
    return False
