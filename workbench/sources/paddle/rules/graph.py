"""Graph networks: messages along edges, and rows reduced by segment."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call
from workbench.core.calls import Call, Result
from workbench.core.integers import Dim, Int
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

_MESSAGES = {"ADD": "operator.add", "MUL": "operator.mul"}


def _reduced(op: Context, messages: Any, index: Value, rows: Any, reduce: str) -> Result:
    return Result(call("fn.reduce_rows", messages, index, rows, reduce.lower()), {"out": ()})


def _rows(op: Context, x: Value, out_size: Value | None) -> Int:
    """Number of rows of the result: given, or as many as x has."""
    found = op.ints(out_size) if out_size is not None else []
    if found and not (isinstance(found[0], int) and found[0] <= 0):
        return found[0]
    return Dim(x, 0) if x.shape[0] < 0 else x.shape[0]


def _combined(op: Context, message_op: str, x: Any, y: Any) -> Call:
    op.require(message_op in _MESSAGES, f"message_op {message_op} is unknown")
    return call(_MESSAGES[message_op], x, y)


@rule("pd_op.segment_pool", traits=())
def segment_pool(op: Context, x: Value, segment_ids: Value, pooltype: str = "SUM") -> Result:
    """Rows with the same segment number reduced to one; their number depends on the data."""
    rows = call("fn.segment_count", segment_ids)
    return _reduced(op, x, segment_ids, rows, pooltype)


@rule("pd_op.send_u_recv", traits=())
def send_u_recv(
    op: Context, x: Value, src_index: Value, dst_index: Value, out_size: Value | None = None,
    reduce_op: str = "SUM",
) -> Result:  # fmt: skip
    """Every node reduces the features of the nodes whose edges reach it; none gives 0."""
    messages = call("operator.getitem", x, src_index)
    return _reduced(op, messages, dst_index, _rows(op, x, out_size), reduce_op)


@rule("pd_op.send_ue_recv", traits=())
def send_ue_recv(
    op: Context, x: Value, y: Value, src_index: Value, dst_index: Value,
    out_size: Value | None = None, message_op: str = "ADD", reduce_op: str = "SUM",
) -> Result:  # fmt: skip
    """As `send_u_recv`, with the edge's own feature added or multiplied."""
    messages = _combined(op, message_op, call("operator.getitem", x, src_index), y)
    return _reduced(op, messages, dst_index, _rows(op, x, out_size), reduce_op)


@rule("pd_op.send_uv", traits=())
def send_uv(
    op: Context, x: Value, y: Value, src_index: Value, dst_index: Value, message_op: str = "ADD"
) -> Call:
    """A feature for every edge, from those of its two nodes."""
    source = call("operator.getitem", x, src_index)
    return _combined(op, message_op, source, call("operator.getitem", y, dst_index))


@rule("pd_op.reindex_graph", traits=())
def reindex_graph(op: Context, x: Value, neighbors: Value, count: Value) -> Call:
    """Nodes numbered anew in the order in which they first occur; the edges in these numbers."""
    return call("fn.reindex_graph", x, neighbors, count)
