"""Values that Paddle overwrites later, kept as they were when they were computed."""

from __future__ import annotations

from typing import Any

import paddle

#: They overwrite running statistics, which nothing reads afterwards.
_HARMLESS = {"pd_op.batch_norm_", "pd_op.sync_batch_norm_"}


def before_overwriting(ops: list[Any], fetch: list[tuple[int, int]]) -> list[Any]:
    """The values at [op position, result number], those before an in-place operator as copies.

    An executor hands out what a tensor holds at the end of a run; after `y = x.add_(1)` that is
    the same for `x` and `y`. Other operators may share memory too, so every
    value that is computed before the last in-place operator is copied where it is computed.
    """
    last = max((place for place, op in enumerate(ops) if _overwrites(op)), default=-1)
    values = []
    for position, number in fetch:
        value = ops[position].results()[number]
        if position < last and value.is_dense_tensor_type():
            paddle.pir.set_insertion_point_after(ops[position])
            value = paddle._C_ops.assign(value)
        values.append(value)
    return values


def _overwrites(op: Any) -> bool:
    """Whether the operator, or one inside its blocks, works in place."""
    if op.name().endswith("_") and op.name() not in _HARMLESS:
        return True
    return any(_overwrites(inner) for block in op.blocks() for inner in block.ops)
