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

from workbench.conversion.shape_follower import (
    LIMIT,
    ShapeFollower,
    UnknownError,
    follows,
    rounded_number,
    symbolic_array,
)
from workbench.core.dtypes import is_integer
from workbench.core.integers import Count, Dim, Int, Symbol, int_op, is_size
from workbench.core.program import Op, Program
from workbench.core.values import Value


def shape_arithmetic(program: Program) -> Program:
    """The program with `known` filled in."""
    follower = ShapeFollower()
    follower.visit(program.block)
    return replace(program, known=follower.known)


@follows("pd_op.shape64", "pd_op.shape")
def _shape(self: ShapeFollower, op: Op) -> np.ndarray | None:
    (source,) = op.operands
    if source in self.lengths:
        return symbolic_array([self.lengths[source]])
    if source.dtype == "none" or (not source.shape and op.outputs["out"].shape not in ((0,),)):
        return None
    return symbolic_array(
        Dim(source, axis) if dim < 0 else dim for axis, dim in enumerate(source.shape)
    )


@follows("workbench.counter")
def _counter(self: ShapeFollower, op: Op) -> np.ndarray | None:
    (number,), (output,) = op.operands, op.outputs.values()
    if op.attributes["natural"]:
        self.natural.add(Count(number))
    return symbolic_array([Count(number)], output.shape)


@follows("pd_op.increment", "pd_op.increment_")
def _increment(self: ShapeFollower, op: Op) -> np.ndarray | None:
    step = op.attributes.get("value", 1.0)
    source = self.get_or_items(op.inputs["x"])
    return _each(lambda item: item + int(step), source) if step == int(step) else None


@follows("pd_op.numel")
def _numel(_: ShapeFollower, op: Op) -> np.ndarray | None:
    (source,) = op.operands
    total: Int = 1
    for axis, dim in enumerate(source.shape):
        total = int_op("*", total, Dim(source, axis) if dim < 0 else dim)
    return symbolic_array([total], op.outputs["size"].shape if "size" in op.outputs else ())


@follows("pd_op.full")
def _full(_: ShapeFollower, op: Op) -> np.ndarray | None:
    return _filled(op.attributes["shape"], op.attributes["value"], op)


@follows("pd_op.full_with_tensor")
def _full_with_tensor(self: ShapeFollower, op: Op) -> np.ndarray | None:
    (value,) = self.get(op.inputs["value"]).flat
    return _filled(self.ints(op.inputs["shape"]), value, op)


def _filled(shape: Any, value: Any, op: Op) -> np.ndarray | None:
    count = int(np.prod(shape, dtype=int))
    if count > LIMIT or count < 0:
        return None
    (output,) = op.outputs.values()
    if not isinstance(value, Symbol):
        value = rounded_number(value, output.dtype)
    return symbolic_array([value] * count, tuple(shape))


@follows("pd_op.full_int_array")
def _full_intsymbolic_array(_: ShapeFollower, op: Op) -> np.ndarray | None:
    return symbolic_array(int(value) for value in op.attributes["value"])


@follows("pd_op.assign_value", "pd_op.assign_value_")
def _assign_value(_: ShapeFollower, op: Op) -> np.ndarray | None:
    (output,) = op.outputs.values()
    values, shape = op.attributes["values"], tuple(op.attributes["shape"])
    if op.attributes.get("dtype", output.dtype) not in (None, output.dtype):
        return None  # Paddle 2's stand-in for a variable that has no value yet
    if len(values) > LIMIT or len(values) != int(np.prod(shape, dtype=int)):
        return None
    if any(isinstance(value, complex) for value in values):
        return None
    return symbolic_array((rounded_number(value, output.dtype) for value in values), shape)


@follows("pd_op.assign", "pd_op.share_data", "pd_op.share_data_", "pd_op.assign_out_")
def _same(self: ShapeFollower, op: Op) -> np.ndarray | None:
    return self.get(op.inputs["x"])


@follows("pd_op.stack")
def _stack(self: ShapeFollower, op: Op) -> np.ndarray | None:
    parts = [self.get_or_items(part) for part in _parts(op)]
    return np.stack(parts, axis=int(op.attributes.get("axis", 0)))


@follows("pd_op.concat")
def _concat(self: ShapeFollower, op: Op) -> np.ndarray | None:
    (axis,) = self.ints(op.inputs["axis"])
    parts = [self.get_or_items(part) for part in _parts(op)]
    return np.concatenate([np.atleast_1d(part) for part in parts], axis=axis)


def _parts(op: Op) -> tuple[Any, ...]:
    parts = op.inputs["x"]
    if not isinstance(parts, tuple):
        raise UnknownError
    (output,) = op.outputs.values()
    if not is_integer(output.dtype):
        raise UnknownError
    return parts


@follows("pd_op.slice")
def _slice(self: ShapeFollower, op: Op) -> np.ndarray | None:
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
        raise UnknownError
    return part.reshape(output.shape)


@follows("pd_op.strided_slice")
def _strided_slice(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    window: list[Any] = [slice(None)] * source.ndim
    bounds = [self.ints(op.inputs[name]) for name in ("starts", "ends", "strides")]
    for axis, start, end, step in zip(op.attributes["axes"], *bounds, strict=True):
        if step < 0 and end < -source.shape[axis]:
            window[axis] = slice(start, None, step)
        else:
            window[axis] = slice(start, end, step)
    return _reshaped(source[tuple(window)], op)


@follows("pd_op.split", "pd_op.split_with_num")
def _split(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    if source.ndim != 1 or source.size != len(op.outputs):
        return None
    return source.reshape(-1, 1)


@follows("pd_op.unbind")
def _unbind(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["input"])
    return source if source.ndim == 1 and source.size == len(op.outputs) else None


@follows("pd_op.reshape", "pd_op.squeeze", "pd_op.unsqueeze", "pd_op.flatten")
def _reshape(self: ShapeFollower, op: Op) -> np.ndarray | None:
    return _reshaped(self.get_or_items(op.inputs["x"]), op)


@follows("pd_op.cast")
def _cast(self: ShapeFollower, op: Op) -> np.ndarray | None:
    operand = op.inputs["x"]
    source = self.get_or_items(operand)
    (output,) = op.outputs.values()
    symbolic = any(isinstance(item, Symbol) for item in source.flat)
    before = operand.dtype  # type: ignore[union-attr]
    if symbolic:
        return source if is_integer(before) and is_integer(output.dtype) else None
    return symbolic_array(
        (rounded_number(item, output.dtype) for item in source.flat), source.shape
    )


@follows("pd_op.scale")
def _scale(self: ShapeFollower, op: Op) -> np.ndarray | None:
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
    return symbolic_array((function(item) for item in source.flat), source.shape)


_BINARY = {
    "add": "+", "subtract": "-", "multiply": "*", "floor_divide": "//", "remainder": "%",
    "minimum": "min", "maximum": "max", "less_than": "<", "less_equal": "<=",
    "greater_than": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@follows(*(f"pd_op.{name}" for name in _BINARY))
def _binary(self: ShapeFollower, op: Op) -> np.ndarray | None:
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
    return symbolic_array((int_op(symbol, a, b) for a, b in pairs), left.shape)


@follows("pd_op.gather", "pd_op.index_select")
def _gather(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    if source.ndim != 1:
        return None
    picked = [source[index] for index in self.ints(op.inputs["index"])]
    return _reshaped(symbolic_array(picked), op)


@follows("pd_op.prod")
def _prod(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    (output,) = op.outputs.values()
    if source.ndim != 1 or not is_integer(output.dtype):
        return None
    total: Int = 1
    for item in source.flat:
        total = int_op("*", total, item)
    return symbolic_array([total]).reshape(output.shape)


@follows("pd_op.arange")
def _arange(self: ShapeFollower, op: Op) -> np.ndarray | None:
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
    return symbolic_array(items) if len(items) <= 8 else None


@follows("pd_op.tile", "pd_op.expand")
def _repeat(self: ShapeFollower, op: Op) -> np.ndarray | None:
    source = self.get(op.inputs["x"])
    (output,) = op.outputs.values()
    if source.size != 1 or any(dim < 0 for dim in output.shape):
        return None
    count = int(np.prod(output.shape, dtype=int))
    return symbolic_array([source.flat[0]] * count, output.shape) if count <= LIMIT else None


@follows("pd_op.logical_and", "pd_op.logical_or", "pd_op.logical_not")
def _logical(self: ShapeFollower, op: Op) -> np.ndarray | None:
    parts = [self.get(operand) for operand in op.inputs.values()]
    if any(isinstance(item, Symbol) for part in parts for item in part.flat):
        return None
    function: Any = getattr(np, op.short_name)
    result = function(*(part.astype(bool) for part in parts))
    return symbolic_array((bool(item) for item in np.asarray(result).flat), np.shape(result))
