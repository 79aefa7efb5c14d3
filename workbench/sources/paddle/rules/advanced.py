"""How `x[i, j]`, `x[mask]` and `x[:, i]` are found again in what Paddle saves for them.

Paddle turns them into `gather_nd` of a stacked index, between two transposes where the indexed axes
are not the first ones.
"""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call
from workbench.core.calls import Call
from workbench.core.integers import Dim
from workbench.core.program import Op, Operand
from workbench.core.values import Value

#: Operators whose results are never negative when used as an index.
_POSITIONS = {
    "argmax", "argmin", "argsort", "topk", "nonzero", "bincount", "multinomial", "randperm",
    "kthvalue", "mode", "unique", "searchsorted", "sequence_mask", "one_hot",
}  # fmt: skip
#: Operators that only move elements of their first input.
_MOVES = {
    "reshape", "squeeze", "unsqueeze", "flatten", "transpose", "cast", "expand", "tile", "slice",
    "strided_slice", "flip", "assign", "gather", "index_select", "split", "split_with_num",
    "unbind",
}  # fmt: skip


def nonnegative(op: Context, index: Operand) -> bool:
    """True when an index surely has no negative elements."""
    if not isinstance(index, Value):
        return False
    constant = op.constant(index)
    if constant is not None:
        return bool((constant >= 0).all())
    maker = op.maker(index)
    if maker is None:
        return False
    name = maker.short_name.rstrip("_")
    if name in _POSITIONS:
        return True
    if name in ("concat", "stack", "broadcast_tensors"):
        return all(nonnegative(op, value) for value in maker.operands if value.shape != (1,))
    if name == "arange":
        start, step = op.constant(maker.inputs["start"]), op.constant(maker.inputs["step"])
        return start is not None and step is not None and start.min() >= 0 and step.min() > 0
    return name in _MOVES and nonnegative(op, next(iter(maker.inputs.values())))


def wrapped(op: Context, index: Any, x: Value, axis: int) -> Any:
    """The index without negative elements, which Paddle takes and this torch function does not."""
    if nonnegative(op, index):
        return index
    size = x.shape[axis] if x.shape[axis] >= 0 else Dim(x, axis % len(x.shape))
    return call("operator.mod", index, size)


def pieces(op: Context, x: Value, index: Value) -> list[Value] | None:
    """The index of `gather_nd` as one index for each of the first axes, if it was made of such."""
    maker = op.maker(index)
    if maker is None:
        return None
    if maker.name == "pd_op.nonzero":
        (mask,) = maker.operands
        same = mask.shape == x.shape[: len(mask.shape)]
        return [mask] if mask.dtype == "bool" and same else None
    if maker.name == "pd_op.unsqueeze" and _is_last(op, maker, index):
        return list(maker.operands)[:1]
    last = (-1, len(index.shape) - 1)
    if maker.name != "pd_op.stack" or maker.attributes.get("axis") not in last:
        return None
    parts = list(maker.operands)
    common = op.maker(parts[0])
    if (
        common is not None
        and common.name == "pd_op.broadcast_tensors"
        and list(common.outputs.values()) == parts
    ):
        return list(common.operands)
    return parts


def _is_last(op: Context, unsqueeze: Op, index: Value) -> bool:
    axes = op.ints(unsqueeze.inputs["axis"])
    return axes in ([-1], [len(index.shape) - 1])


def behind_transposes(op: Context, x: Value, perm: list[int]) -> Call | None:
    """`x[:, i]` for transpose(gather_nd(transpose(x), i)), when `x` is that gather_nd."""
    gather = op.maker(x)
    if gather is None or gather.name != "pd_op.gather_nd":
        return None
    moved, index = gather.inputs["x"], gather.inputs["index"]
    first = op.maker(moved)
    if first is None or first.name != "pd_op.transpose":
        return None
    assert isinstance(moved, Value)
    assert isinstance(index, Value)
    parts = pieces(op, moved, index)
    (source,) = first.operands
    if parts is None or any(part.dtype == "bool" for part in parts):
        return None
    count, rank = len(parts), len(source.shape)
    start = first.attributes["perm"][0] % rank
    wide = len(index.shape) - 1  # axes that the index itself has
    taken = [*range(start, start + count)]
    others = [axis for axis in range(rank) if axis not in taken]
    back = [*range(wide, wide + start), *range(wide), *range(wide + start, len(x.shape))]
    if [axis % rank for axis in first.attributes["perm"]] != taken + others or perm != back:
        return None
    return call("operator.getitem", source, (*(slice(None),) * start, *parts))
