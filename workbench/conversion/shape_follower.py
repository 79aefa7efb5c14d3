"""What shape arithmetic knows of the values met so far, and the table of operators it follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.core.dtypes import is_integer
from workbench.core.integers import Int, Item, Known, Symbol, int_op
from workbench.core.program import Block, Op
from workbench.core.values import Value

#: Longest tensor whose elements are followed one by one.
LIMIT = 64

Follower = Callable[["ShapeFollower", Op], "np.ndarray | None"]
FOLLOWERS: dict[str, Follower] = {}


class ShapeFollower:
    """Knows the elements of the values met so far."""

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        #: Start and step of `arange` results, loop numbers never negative, lengths of ranges.
        self.series: dict[Value, tuple[Int, Int]] = {}
        self.natural: set[Int] = set()
        self.lengths: dict[Value, Int] = {}

    def visit(self, block: Block) -> None:
        """Follow every op of a block, and of the blocks inside."""
        for op in block.ops:
            self._visit_op(op)
            for inner in op.blocks:
                self.visit(inner)

    def _visit_op(self, op: Op) -> None:
        follow = FOLLOWERS.get(op.name)
        output = next(iter(op.outputs.values()), None)
        if follow is None or output is None or output.dtype not in _DTYPES:
            return
        try:
            elements = follow(self, op)
        except UnknownError:
            return
        if elements is not None and elements.size <= LIMIT:
            if len(op.outputs) == 1:
                self.known[output.id] = Known(elements, output.dtype)
            else:
                self._split(op, elements)

    def _split(self, op: Op, elements: np.ndarray) -> None:
        for value, part in zip(op.outputs.values(), elements, strict=False):
            self.known[value.id] = Known(np.asarray(part, object), value.dtype)

    def get(self, operand: Any) -> np.ndarray:
        """Elements of an operand; raises `UnknownError`."""
        if not isinstance(operand, Value) or operand.id not in self.known:
            raise UnknownError
        return self.known[operand.id].array

    def get_or_items(self, operand: Any) -> np.ndarray:
        """Elements of an operand; those of a small integer tensor are read when the model runs."""
        if isinstance(operand, Value) and operand.id in self.known:
            return self.known[operand.id].array
        if not isinstance(operand, Value) or not is_integer(operand.dtype):
            raise UnknownError
        if any(dim < 0 for dim in operand.shape):
            raise UnknownError
        count = int(np.prod(operand.shape, dtype=int))
        if count > 8:
            raise UnknownError
        items = np.empty(count, object)
        items[:] = [Item(operand, index) for index in range(count)]
        return items.reshape(operand.shape)

    def element(self, op: Op) -> np.ndarray | None:
        """`arange[i]` for the number i of a loop."""
        start, step = self.series[op.inputs["input"]]  # type: ignore[index]
        (first,) = op.inputs["starts"] if isinstance(op.inputs["starts"], tuple) else (None,)
        (index,) = self.get(first or op.inputs["starts"]).flat
        if index not in self.natural or not op.attributes.get("decrease_axis"):
            return None
        return symbolic_array([int_op("+", start, int_op("*", index, step))], ())

    def ints(self, operand: Any) -> list[int]:
        """Constant integers of an operand."""
        found = self.get(operand)
        if any(isinstance(item, Symbol) for item in found.flat):
            raise UnknownError
        return [int(item) for item in found.flat]


class UnknownError(Exception):
    """The elements are not known; the chain ends here."""


_DTYPES = {"int32", "int64", "bool", "float32", "float64", "float16", "bfloat16"}


def follows(*names: str) -> Callable[[Follower], Follower]:
    """Decorator: the function gives the elements of these operators' results."""

    def register(function: Follower) -> Follower:
        for name in names:
            FOLLOWERS[name] = function
        return function

    return register


def symbolic_array(items: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Numbers and symbolic integers as an array of objects."""
    items = list(items)
    array = np.empty(len(items), object)
    array[:] = items
    return array if shape is None else array.reshape(shape)


def rounded_number(value: Any, dtype: str) -> Any:
    """The number as the dtype would hold it."""
    if dtype == "bool":
        return bool(value)
    if is_integer(dtype):
        return int(value)
    if dtype == "bfloat16":
        bits = np.array(value, np.float32).view(np.uint32).astype(np.uint64)
        rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
        return float((rounded << np.uint64(16)).astype(np.uint32).view(np.float32))
    return float(np.asarray(value, dtype))
