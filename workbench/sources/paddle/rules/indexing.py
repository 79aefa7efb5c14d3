"""Elements picked and placed by index: gather, scatter, masks, embedding."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Layer, RowZeroed
from workbench.core.dtypes import is_float
from workbench.core.program import Operand
from workbench.core.traits import Role, Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.advanced import nonnegative, pieces, wrapped
from workbench.sources.paddle.rules.manipulation import axis_of

Values = tuple[Value, ...]


def taken(x: Any, axis: int, index: Any) -> Call:
    """`x[:, index]` with the index on one axis."""
    window = (*(slice(None),) * axis, index)
    return call("operator.getitem", x, window[0] if len(window) == 1 else window)


# --- reading ----------------------------------------------------------------------------------


@rule("pd_op.gather", traits=(Trait.LINEAR,), roles={Role.TABLE: "x"})
def gather(op: Context, x: Value, index: Value, axis: Operand = None) -> Call:
    """Slices along an axis, picked by a 1-D index; torch's own gather is `take_along_axis`."""
    (along,) = op.plain_ints(axis, "axis") or (0,)
    flat: Any = method(index, "squeeze", 1) if len(index.shape) == 2 else index
    return taken(x, axis_of(along, len(x.shape)), flat)


@rule("pd_op.index_select", traits=(Trait.LINEAR,), roles={Role.TABLE: "x"})
def index_select(op: Context, x: Value, index: Value, axis: int = 0) -> Call:
    """Slices along an axis. Paddle also takes negative indices, `torch.index_select` does not."""
    return taken(x, axis_of(axis, len(x.shape)), index)


@rule("pd_op.gather_nd", traits=(Trait.LINEAR,))
def gather_nd(op: Context, x: Value, index: Value) -> Call:
    """`x[i, j, …]`; the last axis of the index holds i, j and so on."""
    op.require(index.shape[-1] != 0, "the index has no columns")
    parts = pieces(op, x, index)
    if parts is None:
        return call("operator.getitem", x, method(index, "unbind", -1))
    return call("operator.getitem", x, parts[0] if len(parts) == 1 else tuple(parts))


@rule("pd_op.take_along_axis", traits=())
def take_along_axis(op: Context, arr: Value, indices: Value, axis: int) -> Call:
    """One element for each element of the index: torch's gather, which takes no negative index."""
    return call("torch.gather", arr, axis, wrapped(op, indices, arr, axis))


@rule("pd_op.index_sample", traits=())
def index_sample(op: Context, x: Value, index: Value) -> Call:
    """Elements of each row."""
    return call("torch.gather", x, 1, index)


@rule("pd_op.masked_select", traits=())
def masked_select(op: Context, x: Value, mask: Value) -> Call:
    """Elements where the mask holds, as a 1-D tensor."""
    return method(x, "masked_select", mask)


@rule("pd_op.multiplex", traits=())
def multiplex(op: Context, inputs: Values, index: Value) -> Call:
    """Row i of the result is row i of tensor number `index[i]`."""
    return call("fn.multiplex", list(inputs), index)


@rule(
    "pd_op.embedding",
    "pd_op.embedding_with_scaled_gradient",
    traits=(Trait.EMBEDDING,),
    roles={Role.IDS: "x", Role.TABLE: "weight"},
)
def embedding(
    op: Context, x: Any, weight: Value, padding_idx: int = -1, sparse: bool = False
) -> Any:
    """Rows of a table. For `padding_idx` (-1: none) Paddle gives zeros, torch the row."""
    table = op.weight(weight)
    if table is None:
        rows = call("F.embedding", x, weight)
        if padding_idx < 0:
            return rows
        padded = call("operator.eq", x, padding_idx).method("unsqueeze", -1)
        return rows.method("masked_fill", padded, 0)
    arguments: dict[str, Any] = {
        "num_embeddings": table.shape[0],
        "embedding_dim": table.shape[1],
    }
    if padding_idx >= 0:
        arguments["padding_idx"] = padding_idx
        table = table.then(RowZeroed(padding_idx))
    return Layer("nn.Embedding", (x,), arguments, {"weight": table})


@rule("pd_op.lookup_table", traits=())
def lookup_table(op: Context, w: Value, ids: Value, padding_idx: int = -1) -> Any:
    """The embedding of Paddle 1: the indices have a last axis of size 1."""
    return embedding(op, method(ids, "squeeze", -1), w, padding_idx)


@rule("pd_op.shard_index", traits=())
def shard_index(
    op: Context, input_: Value, index_num: int, nshards: int, shard_id: int,
    ignore_value: int = -1,
) -> Call:  # fmt: skip
    """Position inside a shard, or `ignore_value` for what is in another one."""
    size = (index_num + nshards - 1) // nshards
    mine = call("operator.eq", call("operator.floordiv", input_, size), shard_id)
    return call("torch.where", mine, call("operator.mod", input_, size), ignore_value)


# --- writing ----------------------------------------------------------------------------------


def _rows(op: Context, index: Value, updates: Value) -> tuple[Any, Any]:
    """A 1-D int64 index and as many updates; Paddle ignores updates that are too many."""
    flat: Any = index
    new: Any = updates
    if len(index.shape) != 1:
        flat = method(index, "reshape", -1)
    if not index.shape:
        new = method(updates, "unsqueeze", 0)
    elif updates.shape[0] != index.shape[0] >= 0:
        new = call("operator.getitem", updates, slice(index.shape[0]))
    return (method(flat, "long") if index.dtype != "int64" else flat), new


def _positive(op: Context, index: Value, flat: Any, x: Value, axis: int) -> Any:
    return flat if nonnegative(op, index) else wrapped(op, flat, x, axis)


@rule("pd_op.scatter", traits=())
def scatter(op: Context, x: Value, index: Value, updates: Value, overwrite: bool = True) -> Call:
    """Rows replaced. Without `overwrite` the rows are first set to zero, then updates are added."""
    flat, new = _rows(op, index, updates)
    if overwrite:
        return method(x, "index_copy", 0, _positive(op, index, flat, x, 0), new)
    op.note("rows are set to zero before the updates are added")
    emptied = method(x, "index_fill", 0, flat, 0)
    return emptied.method("index_add", 0, _positive(op, index, flat, x, 0), new)


@rule("pd_op.scatter_nd_add", traits=())
def scatter_nd_add(op: Context, x: Value, index: Value, updates: Value) -> Call:
    """`x[i, j, …] += updates`; the last axis of the index holds i, j and so on."""
    op.require(index.shape[-1] != 0, "the index has no columns")
    parts = pieces(op, x, index)
    where: Any = method(index, "unbind", -1) if parts is None else tuple(parts)
    return method(x, "index_put", where, updates, accumulate=True)


@rule("pd_op.index_add", traits=())
def index_add(op: Context, x: Value, index: Value, add_value: Value, axis: int = 0) -> Call:
    """Slices added. Paddle also takes negative indices."""
    return method(x, "index_add", axis, wrapped(op, index, x, axis), add_value)


@rule("pd_op.index_put", traits=())
def index_put(
    op: Context, x: Value, indices: Values, value: Value, accumulate: bool = False
) -> Call:
    """`x[indices] = value` or `+=`; indices may be masks."""
    mask = indices[0]
    single = all(size == 1 for size in value.shape)
    if len(indices) == 1 and mask.dtype == "bool" and single and not accumulate:
        behind = len(x.shape) - len(mask.shape)
        window = (*(slice(None),) * len(mask.shape), *(None,) * behind)
        shaped = call("operator.getitem", mask, window) if behind else mask
        return method(x, "masked_fill", shaped, _single(op, value))
    options = {"accumulate": True} if accumulate else {}
    return method(x, "index_put", tuple(indices), value, **options)


def _single(op: Context, value: Value) -> Any:
    found = op.scalar(value)
    return method(value, "reshape", ()) if found is value and value.shape else found


@rule("pd_op.put_along_axis", traits=())
def put_along_axis(
    op: Context, arr: Value, indices: Value, values: Value, axis: int, reduce: str = "assign",
    include_self: bool = True,
) -> Call:  # fmt: skip
    """One element placed for each element of the index: torch's scatter."""
    index = wrapped(op, indices, arr, axis)
    if reduce == "assign":
        return method(arr, "scatter", axis, index, _stretched(op, values))
    names = {"add": "sum", "mul": "prod", "multiply": "prod"}
    kind = names.get(reduce, reduce)
    if kind == "sum" and include_self:
        return method(arr, "scatter_add", axis, index, values)
    options = {} if include_self else {"include_self": False}
    return method(arr, "scatter_reduce", axis, index, values, kind, **options)


def _stretched(op: Context, values: Value) -> Any:
    """The number when the values are one number stretched to the shape of the index."""
    maker = op.maker(values)
    if maker is not None and maker.name == "pd_op.expand":
        number = op.scalar(maker.inputs["x"])
        return values if isinstance(number, Value) else number
    return values


@rule("pd_op.masked_fill", traits=())
def masked_fill(op: Context, x: Value, mask: Value, value: Value) -> Call:
    """Value where the mask holds. In Paddle x is stretched to the shape of the mask, too."""
    new = op.scalar(value)
    single = new is not value or not value.shape
    behind = x.shape[len(x.shape) - len(mask.shape) :]
    fits = len(mask.shape) <= len(x.shape) and all(
        size in (1, own) for size, own in zip(mask.shape, behind, strict=True)
    )
    if fits and single:
        return method(x, "masked_fill", mask, new)
    return call("torch.where", mask, new, x)


@rule("pd_op.fill_diagonal", traits=())
def fill_diagonal(
    op: Context, x: Value, value: float = 0.0, offset: int = 0, wrap: bool = False
) -> Call:
    """A diagonal set to a number; Paddle looks at the first width · width elements only."""
    number = value if is_float(x.dtype) else int(value)
    return call("fn.fill_diagonal", x, number, offset, wrap)


@rule("pd_op.fill_diagonal_tensor", traits=())
def fill_diagonal_tensor(
    op: Context, x: Value, y: Value, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Call:
    """A diagonal of two axes set to the elements of y."""
    new: Any = method(y, "reshape", -1) if len(x.shape) == 2 and len(y.shape) == 2 else y
    return method(x, "diagonal_scatter", new, offset, dim1, dim2)
