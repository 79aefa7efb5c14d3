"""Shapes and arrangement: reshape, transpose, squeeze, concat, split, expand, tile, flip, roll."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.conversion.names import parts
from workbench.core.calls import Call, Layer, Result
from workbench.core.integers import Dim, Int, IntOp, Item, Symbol
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import LIST, Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.advanced import behind_transposes

Values = tuple[Value, ...]


def traced(number: Int) -> Any:
    """An integer that is read from a tensor, left as that tensor where torch takes one.

    `x.reshape(n, -1)` and `x[:, i:]` work with 0-d tensors and then also trace and export, which
    `n.item()` does not. Anything else stays a (symbolic) integer.
    """
    if isinstance(number, Item):
        return number.value if number.value.shape == () else _element(number)
    if isinstance(number, IntOp) and number.op in "+-*":
        left, right = traced(number.left), traced(number.right)
        if isinstance(left, (Value, Call)) or isinstance(right, (Value, Call)):
            names = {"+": "operator.add", "-": "operator.sub", "*": "operator.mul"}
            return call(names[number.op], left, right)
    return number


def _element(item: Item) -> Any:
    if len(item.value.shape) != 1:
        return item
    return call("operator.getitem", item.value, item.index)


def dim(value: Value, axis: int) -> Int:
    """One dimension of a value: an int where it is fixed, else `value.shape[axis]`."""
    return value.shape[axis] if value.shape[axis] >= 0 else Dim(value, axis)


def only(returned: Call | Layer) -> Result:
    """The first output alone: old programs give some operators a second one, the input's shape."""
    return Result(returned, {"out": ()})


def items(op: Context, returned: Call) -> Result:
    """A call that gives a tuple: the op's outputs are its elements, or one list of them."""
    if len(op.outputs) == 1 and op.out.dtype == LIST:
        return Result(returned, {"out": ()})
    return Result(returned, {name: (number,) for number, name in enumerate(op.outputs)})


def axis_of(axis: int, rank: int) -> int:
    """A non-negative axis."""
    return axis + rank if axis < 0 else axis


@rule("pd_op.reshape", "pd_op.legacy_reshape", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def reshape(op: Context, x: Value, shape: Operand) -> Result:
    """Same elements in another shape. A 0 in Paddle's shape keeps the dimension at that place.

    A 0 that only shows when the model runs is not replaced: torch then raises an error.
    """
    sizes = op.ints(shape)
    open_ = 0 in x.shape and -1 in x.shape and -1 in sizes
    op.require(not open_, "-1 for an empty tensor of unknown size")
    if 0 in x.shape and all(size >= 0 for size in op.out.shape):
        return only(method(x, "reshape", *op.out.shape))  # an empty tensor: 0 means 0, -1 is open
    dims: list[Any] = []
    for axis, size in enumerate(sizes):
        if size == 0:
            op.require(axis < len(x.shape), f"shape {sizes} copies a dimension that x lacks")
            size = dim(x, axis)
        elif isinstance(size, Symbol) and axis < len(op.out.shape) and op.out.shape[axis] >= 0:
            size = op.out.shape[axis]
        dims.append(traced(size))
    return only(method(x, "reshape", *dims or [()]))


@rule("pd_op.transpose", "pd_op.trans_layout", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def transpose(op: Context, x: Value, perm: tuple[int, ...]) -> Call:
    """All axes reordered: Paddle's transpose is torch's permute."""
    axes: list[Any] = [axis_of(axis, len(x.shape)) for axis in perm]
    found = behind_transposes(op, x, axes)
    if found is not None:
        return found
    moved = [axis for axis, source in enumerate(axes) if axis != source]
    if len(moved) == 2:
        return method(x, "transpose", *moved)
    return method(x, "permute", *axes or [()])


@rule("pd_op.flatten", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def flatten(op: Context, x: Value, start_axis: int = 1, stop_axis: int = 1) -> Result:
    """Axes start … stop become one."""
    rank = len(x.shape)
    stop = -1 if axis_of(stop_axis, rank) == rank - 1 else stop_axis
    scope = parts(op.op.scope)
    if scope and scope[-1].split("_")[0] == "Flatten":
        arguments = {"start_dim": start_axis, "end_dim": stop}
        return only(Layer("nn.Flatten", (x,), arguments))
    sides = (start_axis, stop) if stop != -1 else (start_axis,) if start_axis else ()
    return only(method(x, "flatten", *sides))


@rule("pd_op.squeeze", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def squeeze(op: Context, x: Value, axis: Operand = None) -> Result:
    """Axes of size 1 dropped; no axes given means all of them, others are left alone."""
    given = [axis_of(one, len(x.shape)) for one in op.plain_ints(axis, "axis")]
    if not given and any(size < 0 for size in x.shape):
        return only(method(x, "squeeze"))
    axes = sorted(set(given)) or range(len(x.shape))
    dropped = [axis for axis in axes if axis < len(x.shape) and x.shape[axis] in (1, -1)]
    return only(method(x, "squeeze", dropped[0] if len(dropped) == 1 else tuple(dropped)))


@rule("pd_op.unsqueeze", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def unsqueeze(op: Context, x: Value, axis: Operand) -> Result:
    """New axes of size 1, put in one after the other."""
    axes = op.plain_ints(axis, "axis")
    if len(axes) == 1:
        return only(method(x, "unsqueeze", axes[0]))
    window: list[Any] = [slice(None)] * len(x.shape)
    for one in axes:
        window.insert(axis_of(one, len(window) + 1), None)
    while window and window[-1] is not None:
        window.pop()
    return only(call("operator.getitem", x, tuple(window)))


@rule("pd_op.concat", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def concat(op: Context, x: Values, axis: Operand) -> Call:
    """Tensors joined along an axis."""
    (along,) = op.plain_ints(axis, "axis")
    return call("torch.cat", list(x) if isinstance(x, tuple) else x, dim=along)


@rule("pd_op.stack", traits=(Trait.LINEAR,))
def stack(op: Context, x: Values, axis: int = 0) -> Call:
    """Tensors joined along a new axis."""
    return call("torch.stack", list(x) if isinstance(x, tuple) else x, dim=axis)


@rule("pd_op.split", traits=(Trait.LINEAR,))
def split(op: Context, x: Value, sections: Operand, axis: Operand) -> Result:
    """Parts of given sizes, one of which may be -1: what is left."""
    (along,) = op.plain_ints(axis, "axis")
    sizes: list[Int] = op.ints(sections)
    if -1 in sizes:
        rest: Int = dim(x, axis_of(along, len(x.shape)))
        for size in sizes:
            rest = rest - size if size != -1 else rest
        sizes[sizes.index(-1)] = rest
    return items(op, method(x, "split", sizes, dim=along))


@rule("pd_op.split_with_num", traits=(Trait.LINEAR,))
def split_with_num(op: Context, x: Value, axis: Operand, num: int) -> Result:
    """`num` equal parts; Paddle demands that the size divides evenly."""
    (along,) = op.plain_ints(axis, "axis")
    return items(op, method(x, "chunk", num, dim=along))


@rule("pd_op.unbind", traits=(Trait.LINEAR,))
def unbind(op: Context, input_: Value, axis: int = 0) -> Result:
    """One tensor for each index of an axis."""
    return items(op, method(input_, "unbind", *((axis,) if axis else ())))


@rule("pd_op.unstack", traits=(Trait.LINEAR,))
def unstack(op: Context, x: Value, axis: int = 0, num: int = 0) -> Result:
    """One tensor for each index of an axis: torch's unbind."""
    return items(op, method(x, "unbind", *((axis,) if axis else ())))


@rule("pd_op.tile", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def tile(op: Context, x: Value, repeat_times: Operand) -> Call:
    """Repeated along each axis. Fewer counts than axes mean the last axes, as in numpy."""
    times = op.ints(repeat_times)
    return method(x, "repeat", *[1] * (len(x.shape) - len(times)), *map(traced, times))


@rule("pd_op.expand", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def expand(op: Context, x: Value, shape: Operand) -> Call:
    """Axes of size 1 stretched; -1 keeps an axis."""
    sizes: list[Any] = op.ints(shape)
    new = len(sizes) - len(x.shape)
    for axis, size in enumerate(x.shape):
        if sizes[new + axis] in (size, Dim(x, axis)):
            sizes[new + axis] = -1
    return method(x, "expand", *map(traced, sizes))


@rule("pd_op.expand_as", traits=(Trait.LINEAR,))
def expand_as(
    op: Context, x: Value, y: Value | None = None, target_shape: tuple[int, ...] = ()
) -> Call:
    """Stretched to the shape of another tensor."""
    if y is None:
        return method(x, "expand", *target_shape)
    return method(x, "expand_as", y)


@rule("pd_op.broadcast_tensors", traits=())
def broadcast_tensors(op: Context, input_: Values) -> Result:
    """All tensors stretched to their common shape."""
    return items(op, call("torch.broadcast_tensors", *input_))


@rule("pd_op.partial_concat", traits=())
def partial_concat(op: Context, x: Values, start_index: int = 0, length: int = -1) -> Call:
    """The same columns of several matrices, side by side."""
    return call("torch.cat", [_columns(one, start_index, length) for one in x], dim=1)


@rule("pd_op.partial_sum", traits=())
def partial_sum(op: Context, x: Values, start_index: int = 0, length: int = -1) -> Call:
    """The same columns of several matrices, added."""
    return sum(
        (_columns(one, start_index, length) for one in x[1:]), _columns(x[0], start_index, length)
    )


def _columns(x: Value, start: int, length: int) -> Call:
    start = axis_of(start, x.shape[1]) if x.shape[1] >= 0 else start
    end = None if length < 0 or start < 0 <= start + length else start + length
    window = slice(start or None, end)
    return call("operator.getitem", x, (slice(None), window))


@rule("pd_op.flip", traits=(Trait.LINEAR,))
def flip(op: Context, x: Value, axis: tuple[int, ...]) -> Call:
    """Order reversed along some axes."""
    return method(x, "flip", *axis) if axis else method(x, "flip", ())


@rule("pd_op.reverse", traits=())
def reverse(op: Context, x: Value, axis: Operand) -> Call:
    """Order reversed along some axes (name used by old programs)."""
    return method(x, "flip", *op.plain_ints(axis, "axis"))


@rule("pd_op.roll", traits=(Trait.LINEAR,))
def roll(op: Context, x: Value, shifts: Operand, axis: tuple[int, ...] = ()) -> Call:
    """Shifted around; without an axis the flattened tensor is shifted."""
    steps = op.ints(shifts)
    if not axis:
        return method(x, "roll", steps[0])
    return method(x, "roll", tuple(steps), tuple(axis))


@rule("pd_op.repeat_interleave", traits=())
def repeat_interleave(
    op: Context, x: Value, repeats: int, axis: int, output_size: int = -1
) -> Call:
    """Each element repeated in place, the same number of times."""
    return method(x, "repeat_interleave", repeats, dim=axis)


@rule("pd_op.repeat_interleave_with_tensor_index", traits=())
def repeat_interleave_with_tensor_index(
    op: Context, x: Value, repeats: Value, axis: int, output_size: int = -1
) -> Call:
    """Each element repeated in place, each its own number of times."""
    return method(x, "repeat_interleave", repeats, dim=axis)


@rule("pd_op.depend", traits=())
def depend(op: Context, x: Value, dep: Operand = None) -> Call:
    """The value itself; Paddle only orders the two computations."""
    return method(x, "clone")


@rule("pd_op.print", traits=())
def print_(op: Context, in_: Value) -> Call:
    """The value itself; nothing is printed."""
    return method(in_, "clone")


@rule("builtin.slice", traits=(Trait.LINEAR, Trait.KEEPS_ELEMENTS))
def element(op: Context, x: Any, index: int) -> Call:
    """One element of a list."""
    return call("operator.getitem", x, index)
