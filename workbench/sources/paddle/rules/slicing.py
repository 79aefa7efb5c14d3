"""Parts of tensors: slice, strided_slice, crop, and assignment to parts (set_value)."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype
from workbench.core.integers import Dim, Int, IntOp, Symbol
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.manipulation import axis_of, traced

Ints = tuple[int, ...]

#: Bounds from here on mean "to the end"; Paddle writes 2³¹ - 1 or 2⁶³ - 1.
_FAR = 2**31 - 2


def span(x: Value, axis: int, start: Int, end: Int, step: int = 1) -> slice:
    """Bounds of one axis as Python writes them, those that change nothing left out."""
    size = x.shape[axis]
    first: Any = start
    last: Any = end
    if isinstance(start, int) and (start == 0 or start < -_FAR or 0 <= size <= -start):
        first = None
    if end == Dim(x, axis) or (isinstance(end, int) and (end > _FAR or 0 <= size <= end)):
        last = None
    return slice(_bound(first), _bound(last), None if step == 1 else step)


def _bound(bound: Any) -> Any:
    return bound if bound is None else traced(bound)


def reversed_span(x: Value, axis: int, start: Int, end: Int, step: int) -> slice:
    """The part `start:end:step` with a negative step, on the axis turned around.

    Index i becomes -1 - i there, which also keeps the meaning of negative and distant bounds.
    """
    return span(x, axis, -1 - start, -1 - end, -step)


def indexed(x: Any, window: list[Any]) -> Call:
    """`x[window]`, whole axes at the end left out."""
    window = list(window)
    while len(window) > 1 and window[-1] == slice(None):
        window.pop()
    return call("operator.getitem", x, window[0] if len(window) == 1 else tuple(window))


@rule("pd_op.slice", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def slice_(
    op: Context, input_: Value, starts: Operand, ends: Operand, axes: Ints,
    decrease_axis: Ints = (),
) -> Call:  # fmt: skip
    """Part of some axes, as in Python. An axis in `decrease_axis` is indexed, so it goes away."""
    rank = len(input_.shape)
    window: list[Any] = [slice(None)] * rank
    dropped = {axis_of(axis, rank) for axis in decrease_axis}
    for number, (start, end) in enumerate(zip(op.ints(starts), op.ints(ends), strict=True)):
        axis = axis_of(axes[number], rank)
        if axis in dropped:
            window[axis] = traced(start)
        else:
            window[axis] = span(input_, axis, start, end)
    for axis in dropped:
        window[axis] = 0 if isinstance(window[axis], slice) else window[axis]
    return indexed(input_, window)


@rule("pd_op.strided_slice", traits=(Trait.LINEAR,))
def strided_slice(
    op: Context, x: Value, starts: Operand, ends: Operand, strides: Operand, axes: Ints
) -> Call:
    """Every n-th element of some axes. torch takes no negative step: the axis is turned around."""
    flipped, window = _window(op, x, axes, op.ints(starts), op.ints(ends), strides)
    if flipped and all(one == slice(None) for one in window):
        return method(x, "flip", *flipped)
    return indexed(method(x, "flip", *flipped) if flipped else x, window)


def _window(
    op: Context, x: Value, axes: Ints, starts: list[Int], ends: list[Int], steps: Operand
) -> tuple[list[int], list[Any]]:
    """The axes to turn around and the window to take from what results."""
    window: list[Any] = [slice(None)] * len(x.shape)
    flipped: list[int] = []
    bounds = zip(axes, starts, ends, op.plain_ints(steps, "step"), strict=True)
    for axis, start, end, step in bounds:
        axis = axis_of(axis, len(x.shape))
        if step < 0:
            flipped.append(axis)
        window[axis] = (reversed_span if step < 0 else span)(x, axis, start, end, step)
    return flipped, window


@rule("pd_op.crop", traits=(Trait.LINEAR,))
def crop(op: Context, x: Value, shape: Operand = None, offsets: Operand = None) -> Call:
    """A block of given size at given offsets; size -1 reaches to the end."""
    begins = op.ints(offsets) or [0] * len(x.shape)
    sizes = op.ints(shape) or list(x.shape)
    op.require(
        all(not isinstance(size, Symbol) or isinstance(size, (Dim, IntOp)) for size in sizes),
        "the size to crop comes from a tensor and may be -1",
    )
    window = [
        span(x, axis, begin, 2**31 if size == -1 else begin + size)
        for axis, (begin, size) in enumerate(zip(begins, sizes, strict=True))
    ]
    return indexed(x, window)


@rule("pd_op.view_slice", traits=())
def view_slice(op: Context, input_: Value, begin_idx: int, end_idx: int) -> Call:
    """Rows begin … end."""
    return indexed(input_, [span(input_, 0, begin_idx, end_idx)])


# --- assignment -------------------------------------------------------------------------------


@rule("pd_op.set_value", traits=(Trait.LINEAR,))
def set_value(
    op: Context, x: Value, starts: Operand, ends: Operand, steps: Operand, axes: Ints,
    decrease_axes: Ints = (), none_axes: Ints = (), shape: Ints = (1,),
    values: tuple[Any, ...] = (),
) -> Call:  # fmt: skip
    """`x[…] = numbers`. Paddle writes into x; here a changed copy is made."""
    convert: Any = {"b": bool, "i": int, "u": int}.get(np.dtype(_numpy(x.dtype)).kind, _as_is)
    numbers = [convert(value) for value in values]
    new: Any = numbers[0]
    if len(numbers) > 1:
        nested = np.array(numbers, object).reshape(shape).tolist()
        new = call("torch.tensor", nested, dtype=Dtype(x.dtype))
    return _assigned(op, x, new, starts, ends, steps, axes, decrease_axes, none_axes)


@rule("pd_op.set_value_with_tensor", traits=(Trait.LINEAR,))
def set_value_with_tensor(
    op: Context, x: Value, values: Value, starts: Operand, ends: Operand, steps: Operand,
    axes: Ints, decrease_axes: Ints = (), none_axes: Ints = (),
) -> Call:  # fmt: skip
    """`x[…] = values`. Paddle writes into x; here a changed copy is made."""
    if not axes and not none_axes:
        extra = len(values.shape) - len(x.shape)  # of size 1
        new = call("operator.getitem", values, (0,) * extra) if extra > 0 else values
        return method(new, "expand_as", x)
    return _assigned(op, x, values, starts, ends, steps, axes, decrease_axes, none_axes)


def _assigned(
    op: Context, x: Value, new: Any, starts: Operand, ends: Operand, steps: Operand, axes: Ints,
    dropped: Ints, none_axes: Ints,
) -> Call:  # fmt: skip
    begins, stops = op.ints(starts), op.ints(ends)
    flipped, window = _window(op, x, axes, begins, stops, steps)
    for number, axis in enumerate(axes):
        if axis in dropped:
            begin, stop = begins[number], stops[number]
            one = stop > _FAR if begin == -1 and isinstance(stop, int) else stop == begin + 1
            op.require(one, "the part to assign is not one index", "Replace the row by hand.")
            window[axis] = traced(begin)
    for axis in reversed(none_axes):
        window.insert(axis, None)
    while len(window) > 1 and window[-1] == slice(None):
        window.pop()
    if not flipped:
        return call("fn.set_item", x, window[0] if len(window) == 1 else tuple(window), new)
    changed = call("fn.set_item", method(x, "flip", *flipped), tuple(window), new)
    return changed.method("flip", *flipped)


def _numpy(dtype: str) -> str:
    return "float32" if dtype == "bfloat16" else dtype


def _as_is(value: Any) -> Any:
    return value
