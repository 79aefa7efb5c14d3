"""Tensor arrays: Python lists that are changed in place, as Paddle changes its arrays."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call
from workbench.core.calls import Call, Result
from workbench.core.integers import Int, Item
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.manipulation import traced


def position(op: Context, index: Operand) -> Any:
    """An index as Python's lists take it: a number, or a tensor of one integer."""
    number: Int = op.int(index)
    if isinstance(number, Item) and number.value.shape in ((), (1,)):
        return number.value
    return traced(number)


@rule("pd_op.create_array", traits=())
def create_array(op: Context) -> Call:
    """An empty list."""
    return call("fn.new_array")


@rule("pd_op.array_write_", traits=(Trait.CHANGES_ARRAYS,))
def array_write(op: Context, array: Value, x: Value, i: Operand) -> Call:
    """One element set; the array grows as needed."""
    if _appends(op, array, i):
        return call("fn.array_append", array, x)
    return call("fn.array_write", array, x, position(op, i))


def _appends(op: Context, array: Value, index: Operand) -> bool:
    """True when the index is the array's length, asked for right before."""
    length = op.maker(index)
    if length is None or length.name != "pd_op.array_length" or length.inputs["x"] != array:
        return False
    first, last = _place(length.index), _place(op.op.index)
    changing = Trait.CHANGES_ARRAYS
    between = (one for one in op.program.walk() if changing in one.traits or one.blocks)
    return first[:-1] == last[:-1] and not any(first < _place(one.index) < last for one in between)


def _place(index: str) -> list[int]:
    return [int(step) for step in index.split(".")]


@rule("pd_op.array_read", traits=())
def array_read(op: Context, array: Value, i: Operand) -> Call:
    """One element."""
    return call("operator.getitem", array, position(op, i))


@rule("pd_op.array_length", traits=())
def array_length(op: Context, x: Value) -> Call:
    """Number of elements, as an int64 tensor of shape [1]."""
    return call("fn.array_length", x)


@rule("pd_op.array_to_tensor", traits=())
def array_to_tensor(op: Context, x: Value, axis: int, use_stack: bool = False) -> Result:
    """All elements joined; the second output holds their sizes along the axis."""
    if op.used("out_index"):
        joined = call("fn.array_to_tensor", x, axis, use_stack)
        return Result(joined, {"out": (0,), "out_index": (1,)})
    return Result(call("torch.stack" if use_stack else "torch.cat", x, dim=axis), {"out": ()})


@rule("pd_op.slice_array", traits=())
def slice_array(op: Context, input_: Value) -> Call:
    """Part of the array. The bounds are unnamed operands."""
    start, end = position(op, op.inputs["input_1"]), position(op, op.inputs["input_2"])
    first = None if start == 0 else start
    last = None if isinstance(end, int) and end >= 2**31 - 1 else end
    return call("operator.getitem", input_, slice(first, last))


@rule("pd_op.slice_array_dense", traits=())
def slice_array_dense(op: Context, input_: Value) -> Call:
    """One element. The index is an unnamed operand."""
    return call("operator.getitem", input_, position(op, op.inputs["input_1"]))


@rule("pd_op.array_pop", traits=(Trait.CHANGES_ARRAYS,))
def array_pop(op: Context, input_: Value, index: int = -1) -> Call:
    """One element, taken out of the array."""
    return call("fn.array_pop", input_, index)


@rule("pd_op.assign_array", traits=())
def assign_array(op: Context, x: Value) -> Call:
    """A copy of the array."""
    return call("operator.getitem", x, slice(None))


@rule("pd_op.add_n_array", traits=())
def add_n_array(op: Context, inputs: tuple[Value, ...]) -> Call:
    """Arrays added element by element."""
    return call("fn.add_arrays", list(inputs))


@rule("pd_op.select_input", traits=())
def select_input(op: Context, mask: Value) -> Call:
    """The value with number `mask`; most become an `if` before. The values are unnamed operands."""
    values = tuple(operand for name, operand in op.inputs.items() if name != "mask")
    return call("operator.getitem", values, mask)
