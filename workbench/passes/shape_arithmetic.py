"""Shape arithmetic: find out which small tensors are just integers made from shapes and constants.

Paddle computes shapes with tensors: `shape64 → slice → full → combine → stack → reshape`. This pass
follows such chains and records their elements in `Program.known` as numbers or symbolic integers
(`x.shape[0] * 2`). A rule that needs a shape asks for those elements; the tensor chain is then
dead.
Nothing is guessed: an operator that is not listed here ends a chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.ints import Count, Dim, Int, Item, Known, Symbol, int_op, is_size
from workbench.program import Block, Op, Program, Value, is_integer

#: Longest tensor whose elements are followed one by one.
LIMIT = 64

Follower = Callable[["_Follower", Op], "np.ndarray | None"]
_FOLLOWERS: dict[str, Follower] = {}


def shape_arithmetic(program: Program) -> Program:
    """The program with `known` filled in."""
    follower = _Follower()
    follower.visit(program.block)
    return replace(program, known=follower.known)


class _Follower:
    """Knows the elements of the values met so far."""

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        #: Start and step of `arange` results, loop numbers never negative, lengths of ranges.
        self.series: dict[Value, tuple[Int, Int]] = {}
        self.natural: set[Int] = set()
        self.lengths: dict[Value, Int] = {}

    def visit(self, block: Block) -> None:
        for op in block.ops:
            self._visit_op(op)
            for inner in op.blocks:
                self.visit(inner)

    def _visit_op(self, op: Op) -> None:
        follow = _FOLLOWERS.get(op.name)
        output = next(iter(op.outputs.values()), None)
        if follow is None or output is None or output.dtype not in _DTYPES:
            return
        try:
            elements = follow(self, op)
        except _UnknownError:
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
        """Elements of an operand; raises `_UnknownError`."""
        if not isinstance(operand, Value) or operand.id not in self.known:
            raise _UnknownError
        return self.known[operand.id].array

    def get_or_items(self, operand: Any) -> np.ndarray:
        """Elements of an operand; those of a small integer tensor are read when the model runs."""
        if isinstance(operand, Value) and operand.id in self.known:
            return self.known[operand.id].array
        if not isinstance(operand, Value) or not is_integer(operand.dtype):
            raise _UnknownError
        if any(dim < 0 for dim in operand.shape):
            raise _UnknownError
        count = int(np.prod(operand.shape, dtype=int))
        if count > 8:
            raise _UnknownError
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
        return _array([int_op("+", start, int_op("*", index, step))], ())

    def ints(self, operand: Any) -> list[int]:
        """Constant integers of an operand."""
        found = self.get(operand)
        if any(isinstance(item, Symbol) for item in found.flat):
            raise _UnknownError
        return [int(item) for item in found.flat]


class _UnknownError(Exception):
    """The elements are not known; the chain ends here."""


_DTYPES = {"int32", "int64", "bool", "float32", "float64", "float16", "bfloat16"}


def _follows(*names: str) -> Callable[[Follower], Follower]:
    def register(function: Follower) -> Follower:
        for name in names:
            _FOLLOWERS[name if "." in name else f"pd_op.{name}"] = function
        return function

    return register


def _array(items: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    items = list(items)
    array = np.empty(len(items), object)
    array[:] = items
    return array if shape is None else array.reshape(shape)


def _number(value: Any, dtype: str) -> Any:
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


@_follows("shape64", "shape")
def _shape(self: _Follower, op: Op) -> np.ndarray | None:
    (source,) = op.operands
    if source in self.lengths:
        return _array([self.lengths[source]])
    if source.dtype == "none" or (not source.shape and op.outputs["out"].shape not in ((0,),)):
        return None
    return _array(Dim(source, axis) if dim < 0 else dim for axis, dim in enumerate(source.shape))


@_follows("workbench.counter")
def _counter(self: _Follower, op: Op) -> np.ndarray | None:
    (number,), (output,) = op.operands, op.outputs.values()
    if op.attributes["natural"]:
        self.natural.add(Count(number))
    return _array([Count(number)], output.shape)


@_follows("increment", "increment_")
def _increment(self: _Follower, op: Op) -> np.ndarray | None:
    step = op.attributes.get("value", 1.0)
    source = self.get_or_items(op.inputs["x"])
    return _each(lambda item: item + int(step), source) if step == int(step) else None


@_follows("numel")
def _numel(_: _Follower, op: Op) -> np.ndarray | None:
    (source,) = op.operands
    total: Int = 1
    for axis, dim in enumerate(source.shape):
        total = int_op("*", total, Dim(source, axis) if dim < 0 else dim)
    return _array([total], op.outputs["size"].shape if "size" in op.outputs else ())


@_follows("full")
def _full(_: _Follower, op: Op) -> np.ndarray | None:
    return _filled(op.attributes["shape"], op.attributes["value"], op)


@_follows("full_with_tensor")
def _full_with_tensor(self: _Follower, op: Op) -> np.ndarray | None:
    (value,) = self.get(op.inputs["value"]).flat
    return _filled(self.ints(op.inputs["shape"]), value, op)


def _filled(shape: Any, value: Any, op: Op) -> np.ndarray | None:
    count = int(np.prod(shape, dtype=int))
    if count > LIMIT or count < 0:
        return None
    (output,) = op.outputs.values()
    if not isinstance(value, Symbol):
        value = _number(value, output.dtype)
    return _array([value] * count, tuple(shape))


@_follows("full_int_array")
def _full_int_array(_: _Follower, op: Op) -> np.ndarray | None:
    return _array(int(value) for value in op.attributes["value"])


@_follows("assign_value", "assign_value_")
def _assign_value(_: _Follower, op: Op) -> np.ndarray | None:
    (output,) = op.outputs.values()
    values, shape = op.attributes["values"], tuple(op.attributes["shape"])
    if op.attributes.get("dtype", output.dtype) not in (None, output.dtype):
        return None  # Paddle 2's stand-in for a variable that has no value yet
    if len(values) > LIMIT or len(values) != int(np.prod(shape, dtype=int)):
        return None
    if any(isinstance(value, complex) for value in values):
        return None
    return _array((_number(value, output.dtype) for value in values), shape)


@_follows("assign", "share_data_", "assign_out_")
def _same(self: _Follower, op: Op) -> np.ndarray | None:
    return self.get(op.inputs["x"])


@_follows("stack")
def _stack(self: _Follower, op: Op) -> np.ndarray | None:
    parts = [self.get_or_items(part) for part in _parts(op)]
    return np.stack(parts, axis=int(op.attributes.get("axis", 0)))


@_follows("concat")
def _concat(self: _Follower, op: Op) -> np.ndarray | None:
    (axis,) = self.ints(op.inputs["axis"])
    parts = [self.get_or_items(part) for part in _parts(op)]
    return np.concatenate([np.atleast_1d(part) for part in parts], axis=axis)


def _parts(op: Op) -> tuple[Any, ...]:
    parts = op.inputs["x"]
    if not isinstance(parts, tuple):
        raise _UnknownError
    (output,) = op.outputs.values()
    if not is_integer(output.dtype):
        raise _UnknownError
    return parts


@_follows("slice")
def _slice(self: _Follower, op: Op) -> np.ndarray | None:
    if op.inputs["input"] in self.series:
        return self.element(op)
    source = self.get(op.inputs["input"])
    axes = op.attributes["axes"]
    starts, ends = self.ints(op.inputs["starts"]), self.ints(op.inputs["ends"])
    window: list[Any] = [slice(None)] * source.ndim
    for axis, start, end in zip(axes, starts, ends, strict=True):
        window[axis] = slice(start, end)
    part = source[tuple(window)]
    dropped = tuple(op.attributes.get("decrease_axis", ()))
    return _reshaped(part, op) if dropped else part


def _reshaped(part: np.ndarray, op: Op) -> np.ndarray:
    (output,) = op.outputs.values()
    if any(dim < 0 for dim in output.shape):
        raise _UnknownError
    return part.reshape(output.shape)


@_follows("strided_slice")
def _strided_slice(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    window: list[Any] = [slice(None)] * source.ndim
    bounds = [self.ints(op.inputs[name]) for name in ("starts", "ends", "strides")]
    for axis, start, end, step in zip(op.attributes["axes"], *bounds, strict=True):
        if step < 0 and end < -source.shape[axis]:
            window[axis] = slice(start, None, step)
        else:
            window[axis] = slice(start, end, step)
    return _reshaped(source[tuple(window)], op)


@_follows("split", "split_with_num")
def _split(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    if source.ndim != 1 or source.size != len(op.outputs):
        return None
    return source.reshape(-1, 1)


@_follows("unbind")
def _unbind(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["input"])
    return source if source.ndim == 1 and source.size == len(op.outputs) else None


@_follows("reshape", "squeeze", "unsqueeze", "flatten")
def _reshape(self: _Follower, op: Op) -> np.ndarray | None:
    return _reshaped(self.get_or_items(op.inputs["x"]), op)


@_follows("cast")
def _cast(self: _Follower, op: Op) -> np.ndarray | None:
    operand = op.inputs["x"]
    source = self.get_or_items(operand)
    (output,) = op.outputs.values()
    symbolic = any(isinstance(item, Symbol) for item in source.flat)
    before = operand.dtype  # type: ignore[union-attr]
    if symbolic:
        return source if is_integer(before) and is_integer(output.dtype) else None
    return _array((_number(item, output.dtype) for item in source.flat), source.shape)


@_follows("scale")
def _scale(self: _Follower, op: Op) -> np.ndarray | None:
    (output,) = op.outputs.values()
    if not is_integer(output.dtype):
        return None
    source = self.get_or_items(op.inputs["x"])
    (factor,) = self.get(op.inputs["scale"]).flat
    bias = op.attributes.get("bias", 0.0)
    if isinstance(factor, Symbol) or factor != int(factor) or bias != int(bias):
        return None
    factor, bias = int(factor), int(bias)
    if factor == -1 and op.attributes.get("bias_after_scale", True):
        return _each(lambda item: bias - item, source)
    if op.attributes.get("bias_after_scale", True):
        return _each(lambda item: item * factor + bias, source)
    return _each(lambda item: (item + bias) * factor, source)


def _each(function: Callable[[Any], Any], source: np.ndarray) -> np.ndarray:
    return _array((function(item) for item in source.flat), source.shape)


_BINARY = {
    "add": "+", "subtract": "-", "multiply": "*", "floor_divide": "//", "remainder": "%",
    "minimum": "min", "maximum": "max", "less_than": "<", "less_equal": "<=",
    "greater_than": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@_follows(*_BINARY)
def _binary(self: _Follower, op: Op) -> np.ndarray | None:
    x, y = op.inputs["x"], op.inputs["y"]
    if not (isinstance(x, Value) and isinstance(y, Value)):
        return None
    if not (is_integer(x.dtype) and is_integer(y.dtype)):
        return None
    symbol = _BINARY[op.short_name]
    arithmetic = symbol in ("+", "-", "*", "//", "%")
    left = self.get_or_items(x) if arithmetic and y.id in self.known else self.get(x)
    right = self.get_or_items(y) if arithmetic and x.id in self.known else self.get(y)
    if symbol in ("//", "%") and any(item == 0 for item in right.flat if isinstance(item, int)):
        return None
    left, right = np.broadcast_arrays(left, right)
    pairs = zip(left.flat, right.flat, strict=True)
    return _array((int_op(symbol, a, b) for a, b in pairs), left.shape)


@_follows("gather", "index_select")
def _gather(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    if source.ndim != 1:
        return None
    picked = [source[index] for index in self.ints(op.inputs["index"])]
    return _reshaped(_array(picked), op)


@_follows("prod")
def _prod(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    (output,) = op.outputs.values()
    if source.ndim != 1 or not is_integer(output.dtype):
        return None
    total: Int = 1
    for item in source.flat:
        total = int_op("*", total, item)
    return _array([total]).reshape(output.shape)


@_follows("arange")
def _arange(self: _Follower, op: Op) -> np.ndarray | None:
    (output,) = op.outputs.values()
    start, step = (self.get(op.inputs[name]).flat[0] for name in ("start", "step"))
    if is_integer(output.dtype):
        self.series[output] = (start, step)
    end = self.get(op.inputs["end"]).flat[0]
    if step == 1:
        self.lengths[output] = end if start == 0 and is_size(end) else int_op("max", end - start, 0)
    bounds = [start, end, step]
    if any(isinstance(item, Symbol) for item in bounds) or not is_integer(output.dtype):
        return None
    items = range(*(int(item) for item in bounds))
    return _array(items) if len(items) <= 8 else None


@_follows("tile", "expand")
def _repeat(self: _Follower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    (output,) = op.outputs.values()
    if source.size != 1 or any(dim < 0 for dim in output.shape):
        return None
    count = int(np.prod(output.shape, dtype=int))
    return _array([source.flat[0]] * count, output.shape) if count <= LIMIT else None


@_follows("logical_and", "logical_or", "logical_not")
def _logical(self: _Follower, op: Op) -> np.ndarray | None:
    parts = [self.get(operand) for operand in op.inputs.values()]
    if any(isinstance(item, Symbol) for part in parts for item in part.flat):
        return None
    function: Any = getattr(np, op.short_name)
    result = function(*(part.astype(bool) for part in parts))
    return _array((bool(item) for item in np.asarray(result).flat), np.shape(result))
