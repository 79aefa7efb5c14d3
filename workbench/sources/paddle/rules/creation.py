"""Operators that make tensors: constants, ranges, triangles, diagonals, shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Result
from workbench.core.dtypes import is_integer
from workbench.core.integers import Dim, Int, Symbol, int_op, is_size
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.elementwise import as_number

Ints = tuple[int, ...]


def dtype_option(dtype: str, default: str = "float32") -> dict[str, Dtype]:
    """`dtype=…`, unless it is what torch takes anyway."""
    return {} if dtype == default else {"dtype": Dtype(dtype)}


def sizes(items: list[Int]) -> tuple[Int, ...]:
    """A shape as the tuple that torch's creation functions take."""
    return tuple(items)


def filled(shape: tuple[Int, ...], value: Any, dtype: str) -> Call:
    """A constant tensor: `torch.zeros`, `torch.ones` or `torch.full`."""
    if isinstance(value, Symbol):
        return call("torch.full", shape, value, dtype=Dtype(dtype))
    value = bool(value) if dtype == "bool" else value
    if value in (0, 1):
        name = "torch.ones" if value == 1 else "torch.zeros"
        return call(name, shape, **dtype_option(dtype))
    value = as_number(value, dtype)
    return call(
        "torch.full",
        shape,
        value,
        **dtype_option(dtype, "int64" if isinstance(value, int) else "float32"),
    )


def spread(value: Value, shape: tuple[Int, ...], dtype: str) -> Call:
    """A one-element tensor repeated to a shape."""
    return _single(value, dtype).method("expand", shape)


def _single(value: Value, dtype: str) -> Call:
    flat = method(value, "reshape", ())
    return flat.method("to", Dtype(dtype)) if value.dtype != dtype else flat


@rule("pd_op.full", traits=(Trait.ELEMENTWISE, Trait.LINEAR, Trait.CONSTANT, Trait.ANY_INTEGERS))
def full(op: Context, shape: Ints, value: Any) -> Call:
    """A constant tensor."""
    return filled(tuple(shape), value, op.out.dtype)


@rule("pd_op.full_int_array", traits=(Trait.LINEAR, Trait.CONSTANT))
def full_int_array(op: Context, value: Ints) -> Call:
    """A vector of integers."""
    return call("torch.tensor", list(value), **dtype_option(op.out.dtype, "int64"))


@rule("pd_op.full_with_tensor", traits=())
def full_with_tensor(op: Context, value: Value, shape: Operand) -> Call:
    """A constant tensor whose value or shape the model computes."""
    found, wanted = op.scalar(value), sizes(op.ints(shape))
    if isinstance(found, Value):
        return spread(found, wanted, op.out.dtype)
    return filled(wanted, found, op.out.dtype)


@rule("pd_op.full_like", "pd_op.fill", traits=(Trait.LINEAR, Trait.SHAPE_ONLY))
def full_like(op: Context, x: Value, value: Value) -> Call:
    """A constant in the shape of x."""
    found = op.scalar(value)
    dtype = op.out.dtype
    if isinstance(found, Value):
        return _single(found, dtype).method("expand_as", x)
    if not isinstance(found, Symbol) and found in (0, 1):
        name = "torch.ones_like" if found == 1 else "torch.zeros_like"
        return call(name, x, **dtype_option(dtype, x.dtype))
    if not isinstance(found, Symbol):
        found = bool(found) if dtype == "bool" else as_number(found, dtype)
    return call("torch.full_like", x, found, **dtype_option(dtype, x.dtype))


@rule("pd_op.ones_like", "pd_op.zeros_like", traits=(Trait.LINEAR, Trait.SHAPE_ONLY))
def ones_like(op: Context, x: Value) -> Call:
    """Ones or zeros in the shape of x."""
    return call(f"torch.{op.name}", x, **dtype_option(op.out.dtype, x.dtype))


@rule("pd_op.ones", "pd_op.zeros", traits=())
def ones(op: Context, shape: Ints) -> Call:
    """Ones or zeros."""
    return filled(tuple(shape), int(op.name == "ones"), op.out.dtype)


def batch_shape(
    op: Context, input_: Value, shape: Ints, input_dim_idx: int, output_dim_idx: int
) -> tuple[Int, ...]:
    """The shape with the input's batch size in its place."""
    found: list[Int] = list(shape)
    size = input_.shape[input_dim_idx]
    found[output_dim_idx] = Dim(input_, input_dim_idx) if size < 0 else size
    return tuple(found)


@rule("pd_op.full_batch_size_like", traits=(Trait.SHAPE_ONLY,))
def full_batch_size_like(
    op: Context, input_: Value, shape: Ints, value: float, input_dim_idx: int = 0,
    output_dim_idx: int = 0,
) -> Call:  # fmt: skip
    """A constant tensor with the batch size of another."""
    wanted = batch_shape(op, input_, shape, input_dim_idx, output_dim_idx)
    return filled(wanted, value, op.out.dtype)


@rule("pd_op.empty", traits=())
def empty(op: Context, shape: Operand) -> Call:
    """A tensor to be written to; its content is arbitrary in both frameworks."""
    op.random("the content is arbitrary, not comparable")
    return call("torch.empty", sizes(op.ints(shape)), **dtype_option(op.out.dtype))


@rule("pd_op.empty_like", traits=(Trait.SHAPE_ONLY,))
def empty_like(op: Context, x: Value) -> Call:
    """A tensor to be written to, in the shape of x; its content is arbitrary."""
    op.random("the content is arbitrary, not comparable")
    return call("torch.empty_like", x, **dtype_option(op.out.dtype, x.dtype))


@rule(
    "pd_op.assign", "pd_op.assign_out_", "pd_op.nop", "pd_op.memcpy", "pd_op.memcpy_d2h",
    "pd_op.memcpy_h2d", "pd_op.npu_identity", "pd_op.copy_to", "pd_op.shadow_feed",
    traits=(Trait.ELEMENTWISE, Trait.LINEAR, Trait.KEEPS_ELEMENTS),
)  # fmt: skip
def assign(op: Context, x: Value) -> Call:
    """A copy; most are removed before the rules run."""
    return method(x, "clone")


@rule("pd_op.share_data", traits=(Trait.KEEPS_ELEMENTS, Trait.NOT_A_DERIVATIVE))
def share_data(op: Context, x: Value) -> Call:
    """`Tensor.detach`: the value, through which no gradient passes."""
    return method(x, "detach")


@rule("pd_op.assign_value", "pd_op.assign_value_", traits=(Trait.CONSTANT,))
def assign_value(
    op: Context, shape: Ints, values: tuple[Any, ...], dtype: str | None = None
) -> Call:
    """A constant given element by element."""
    dtype = dtype or op.out.dtype
    kind = bool if dtype == "bool" else complex if dtype.startswith("complex") else None
    elements = [kind(v) if kind else as_number(v, dtype) for v in values]
    if not shape:
        return call("torch.tensor", elements[0], dtype=Dtype(dtype))
    array = np.empty(len(elements), object)
    array[:] = elements
    return call("torch.tensor", array.reshape(shape).tolist(), dtype=Dtype(dtype))


@rule("pd_op.shape64", "pd_op.shape", traits=(Trait.LINEAR, Trait.SHAPE_ONLY))
def shape_(op: Context, input_: Value) -> Call:
    """The shape as a tensor; rarely needed, since shapes become Python integers."""
    dims = [Dim(input_, axis) if dim < 0 else dim for axis, dim in enumerate(input_.shape)]
    if not dims:
        return call("torch.empty", 0, dtype=Dtype(op.out.dtype))
    return call("fn.int_tensor", dims, **dtype_option(op.out.dtype, "int64"))


@rule("pd_op.numel", traits=(Trait.SHAPE_ONLY,))
def numel(op: Context, x: Value) -> Call:
    """Number of elements, as a tensor."""
    total: Int = 1
    for axis, dim in enumerate(x.shape):
        total = int_op("*", total, Dim(x, axis) if dim < 0 else dim)
    return call("fn.int_tensor", total)


@rule("pd_op.is_empty", traits=())
def is_empty(op: Context, x: Value) -> Call:
    """True, as a tensor, when x has no elements."""
    return call("fn.is_empty", x)


# --- ranges -------------------------------------------------------------------------------------


def end_point(op: Context, value: Value) -> Any:
    """A bound of a range: a number or integer where known, else read when the model runs."""
    found = op.scalar(value)
    if not isinstance(found, Value):
        return found
    if is_integer(found.dtype):
        return op.int(found)
    cast = op.maker(found)
    source = op.scalar(cast.inputs["x"]) if cast is not None and cast.name == "pd_op.cast" else None
    return source if isinstance(source, Symbol) else method(found, "item")


@rule("pd_op.arange", "pd_op.range_v2", traits=(Trait.LINEAR,))
def arange(op: Context, start: Value, end: Value, step: Value) -> Call:
    """From start to end, without end."""
    bounds = [end_point(op, value) for value in (start, end, step)]
    if all(isinstance(bound, (int, float)) for bound in bounds):
        bounds = _plain_bounds(op, bounds)
    first, last, stride = bounds = _ordered(*bounds)
    if op.out.dtype == "float32" and _rounds(bounds):
        op.note("the number of steps follows from bounds rounded to float32")
        return call("fn.float_range", first, last, stride)
    args = bounds if stride != 1 else [first, last]
    if (first, stride) == (0, 1):
        args = [last]
    return call("torch.arange", *args, **dtype_option(op.out.dtype, _dtype_of(args)))


def _rounds(bounds: list[Any]) -> bool:
    """True when a bound is read at run time and the step is not exact in float32."""
    stride = bounds[2]
    read = any(isinstance(bound, Call) for bound in bounds)
    return read and isinstance(stride, float) and float(np.float32(stride)) != stride


def _ordered(first: Any, last: Any, stride: Any) -> list[Any]:
    """Bounds of an empty range brought together: torch refuses them the wrong way round."""
    numbers = [isinstance(bound, (int, float, Symbol)) for bound in (first, last)]
    if not isinstance(stride, (int, float)) or not all(numbers):
        return [first, last, stride]
    if not isinstance(first, Symbol) and not isinstance(last, Symbol):
        return [first, first if (last - first) * stride < 0 else last, stride]
    if first == 0 and stride > 0 and is_size(last):
        return [first, last, stride]
    return [first, int_op("max" if stride > 0 else "min", last, first), stride]


def _dtype_of(args: list[Any]) -> str:
    """The dtype that torch.arange takes for these bounds; "" when only the run shows it."""
    if any(isinstance(arg, Call) for arg in args):
        return ""
    return "float32" if any(isinstance(arg, float) for arg in args) else "int64"


def _plain_bounds(op: Context, bounds: list[Any]) -> list[Any]:
    """Numbers as the output's dtype holds them; integers for an integer range."""
    dtype = op.out.dtype
    if is_integer(dtype) and all(bound == int(bound) for bound in bounds):
        return [int(bound) for bound in bounds]
    count = max(math.ceil((bounds[1] - bounds[0]) / bounds[2]), 0)
    if dtype == "float32" and op.out.shape not in ((-1,), (count,)):
        return [float(np.float32(bound)) for bound in bounds]
    return [float(bound) for bound in bounds]


def _end(op: Context, value: Value, dtype: str) -> Any:
    """A bound of linspace or logspace: a number, or a 0-d tensor, which torch takes too."""
    found = op.scalar(value)
    if isinstance(found, Value):
        return _single(found, dtype)
    return found if isinstance(found, Symbol) else as_number(found, dtype)


@rule("pd_op.linspace", traits=())
def linspace(op: Context, start: Value, stop: Value, number: Value) -> Call:
    """Evenly spaced numbers, both ends included; truncated for integers."""
    dtype, steps = op.out.dtype, op.int(number)
    ends = _end(op, start, dtype), _end(op, stop, dtype)
    if isinstance(steps, Symbol) and not is_integer(dtype):  # torch.export fixes linspace's steps
        return call("fn.linspace", *ends, steps, **dtype_option(dtype))
    return call("torch.linspace", *ends, steps, **dtype_option(dtype))


@rule("pd_op.logspace", traits=())
def logspace(op: Context, start: Value, stop: Value, num: Value, base: Value) -> Call:
    """Powers of the base with evenly spaced exponents."""
    dtype = op.out.dtype
    ends = _end(op, start, dtype), _end(op, stop, dtype)
    return call(
        "torch.logspace", *ends, op.int(num), base=end_point(op, base), **dtype_option(dtype)
    )


@rule("pd_op.eye", traits=())
def eye(op: Context, num_rows: Value, num_columns: Value) -> Call:
    """Ones on the diagonal."""
    rows, columns = op.int(num_rows), op.int(num_columns)
    square = rows == columns or columns == -1 or num_rows == num_columns
    args = (rows,) if square else (rows, columns)
    return call("torch.eye", *args, **dtype_option(op.out.dtype))


# --- triangles and diagonals --------------------------------------------------------------------


@rule("pd_op.tril", "pd_op.triu", traits=(Trait.LINEAR,))
def tril(op: Context, x: Value, diagonal: int = 0) -> Call:
    """One triangle of the last two axes, the rest zero."""
    name = f"torch.{op.name.removesuffix('_')}"
    return call(name, x, diagonal) if diagonal else call(name, x)


@rule("pd_op.tril_indices", traits=())
def tril_indices(op: Context, rows: int, cols: int, offset: int = 0) -> Call:
    """Row and column numbers of the lower triangle."""
    option = dtype_option(op.out.dtype, "int64")
    return call("torch.tril_indices", rows, cols, offset=offset, **option)


@rule("pd_op.triu_indices", traits=())
def triu_indices(op: Context, row: int, col: int, offset: int = 0) -> Call:
    """Row and column numbers of the upper triangle."""
    option = dtype_option(op.out.dtype, "int64")
    return call("torch.triu_indices", row, col, offset=offset, **option)


@rule("pd_op.diag", traits=(Trait.LINEAR,))
def diag(op: Context, x: Value, offset: int = 0, padding_value: float = 0.0) -> Call:
    """A diagonal matrix from a vector, or the diagonal of a matrix."""
    if padding_value and len(x.shape) == 1:
        return call("fn.padded_diag", x, offset, as_number(padding_value, x.dtype))
    return call("torch.diag", x, offset) if offset else call("torch.diag", x)


@rule("pd_op.diagonal", traits=(Trait.LINEAR,))
def diagonal(op: Context, x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Call:
    """A diagonal of two axes, put last."""
    return call("torch.diagonal", x, offset=offset, dim1=axis1, dim2=axis2)


@rule("pd_op.diag_embed", traits=(Trait.LINEAR,))
def diag_embed(op: Context, input_: Value, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Call:
    """Vectors as diagonals of new matrices."""
    return call("torch.diag_embed", input_, offset=offset, dim1=dim1, dim2=dim2)


@rule("pd_op.meshgrid", traits=(Trait.LINEAR,))
def meshgrid(op: Context, inputs: tuple[Value, ...]) -> Result:
    """Grids of coordinates, first axis first ("ij")."""
    grids = call("torch.meshgrid", *inputs, indexing="ij")
    if list(op.outputs) == ["out"]:
        return Result(grids, {"out": ()})
    return Result(grids, {name: (int(name.rpartition(".")[2]),) for name in op.outputs})


@rule("pd_op.one_hot", traits=(Trait.ONE_HOT, Trait.NARROWING))
def one_hot(op: Context, x: Value, num_classes: Value) -> Call:
    """Paddle gives float32, torch int64."""
    index = x if x.dtype == "int64" else method(x, "long")
    classes = op.int(num_classes)
    if isinstance(classes, Symbol):  # torch.export fixes one_hot's number of classes
        return call("fn.one_hot", index, classes).method("float")
    return call("F.one_hot", index, classes).method("float")
