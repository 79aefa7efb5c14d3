"""Reductions of rows that share a number."""

from __future__ import annotations

import torch
from torch import Tensor


def segment_count(segment_ids: Tensor) -> int:
    """One more than the largest segment number."""
    return int(segment_ids.max()) + 1


def reduce_rows(x: Tensor, index: Tensor, rows: int, reduce: str) -> Tensor:
    """Row i of the result is the sum, mean, max or min of the rows of x with index i, 0 if none."""
    result = x.new_zeros(rows, *x.shape[1:])
    if reduce == "sum":
        return result.index_add(0, index, x)
    if reduce == "mean" and not x.is_floating_point():
        total = result.index_add(0, index, x)
        count = x.new_zeros(rows).index_add(0, index, x.new_ones(index.shape[0])).clamp(min=1)
        return total.div(count.reshape(-1, *[1] * (x.dim() - 1)), rounding_mode="trunc")
    name = reduce if reduce == "mean" else f"a{reduce}"
    return result.index_reduce(0, index.long(), x, name, include_self=False)


def reindex_graph(x: Tensor, neighbors: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """New numbers of the neighbours, those of their centres, and the nodes by new number."""
    together = torch.cat((x, neighbors))
    nodes, inverse = torch.unique(together, return_inverse=True)
    places = torch.arange(together.numel(), device=x.device)
    first = torch.full_like(nodes, together.numel(), dtype=torch.int64)
    order = first.scatter_reduce(0, inverse, places, "amin").argsort()
    number = torch.empty_like(order).index_copy(0, order, torch.arange(nodes.numel()).to(order))
    centres = torch.arange(x.numel(), device=x.device).repeat(count.numel() // x.numel())
    centres = centres.repeat_interleave(count)
    return number[inverse[x.numel() :]].to(x.dtype), centres.to(x.dtype), nodes[order]
