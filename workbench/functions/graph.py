"""Reductions of rows that share a number."""

from __future__ import annotations

from torch import Tensor


def segment_count(segment_ids: Tensor) -> int:
    """One more than the largest segment number."""
    return int(segment_ids.max()) + 1


def reduce_rows(x: Tensor, index: Tensor, rows: int, reduce: str) -> Tensor:
    """Row i of the result is the sum, mean, max or min of the rows of x with index i, 0 if none."""
    result = x.new_zeros(rows, *x.shape[1:])
    if reduce == "sum":
        return result.index_add(0, index, x)
    name = reduce if reduce == "mean" else f"a{reduce}"
    return result.index_reduce(0, index, x, name, include_self=False)
