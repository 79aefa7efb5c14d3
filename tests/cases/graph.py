"""Cases for graph networks."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, f64, i32, i64, values

SOURCE, TARGET = values([0, 1, 2, 0], "int64"), values([1, 2, 1, 0], "int64")

CASES: list[Case] = [
    case("segment_pool", f"paddle.geometric.segment_{name}(x, i)", x=x, i=i)
    for name in ("sum", "mean", "max", "min")
    for x, i in (
        (f32(4, 3), values([0, 0, 1, 3], "int64")),
        (f64(3), values([0, 1, 1], "int32")),
    )
]
CASES += [
    case("send_u_recv", f"paddle.geometric.send_u_recv(x, i, j, '{name}')", x=f32(4, 3), i=SOURCE,
         j=TARGET)
    for name in ("sum", "mean", "max", "min")
]  # fmt: skip
CASES += [
    case("send_ue_recv", f"paddle.geometric.send_ue_recv(x, y, i, j, '{message}', '{name}')",
         x=f32(4, 3, low=0.5), y=f32(4, 3, low=0.5), i=SOURCE, j=TARGET)
    for message in ("add", "sub", "mul", "div")
    for name in ("sum", "max")
]  # fmt: skip
CASES += [
    case("send_u_recv", "paddle.geometric.send_u_recv(x, i, j)", x=f32("N", 3), i=i32(4, high=3),
         j=i32(4, high=3), grad=True),
    case("send_u_recv", "paddle.geometric.send_u_recv(x, i, j, out_size=2)", x=f32(4, 3),
         i=values([0, 1], "int64"), j=values([1, 0], "int64")),
    case("send_u_recv", "paddle.geometric.send_u_recv(x, i, j, out_size=n)", x=f32(4, 3), i=SOURCE,
         j=TARGET, n=values([6], "int64")),
    case("send_ue_recv", "paddle.geometric.send_ue_recv(x, y, i, j, 'mul', 'mean')", x=f32(4, 3),
         y=f32(4, 1), i=SOURCE, j=TARGET),
    case("send_uv", "paddle.geometric.send_uv(x, y, i, j)", x=f32(4, 3), y=f32(4, 3), i=SOURCE,
         j=TARGET),
    case("send_uv", "paddle.geometric.send_uv(x, y, i, j, 'mul')", x=f32(4, 3), y=f32(4, 1),
         i=SOURCE, j=TARGET),
]  # fmt: skip
NODES, COUNT = values([0, 1, 2], "int64"), values([2, 3, 2], "int32")
NEIGHBORS = values([8, 9, 0, 4, 7, 6, 7], "int64")
CASES += [
    case("reindex_graph", "paddle.geometric.reindex_graph(x, y, z)", x=NODES, y=NEIGHBORS, z=COUNT),
    case("reindex_graph", "paddle.geometric.reindex_graph(x, y, z)", x=values([7, 3], "int32"),
         y=values([3, 9, 7, 1], "int32"), z=values([1, 3], "int32")),
    case("reindex_graph", "paddle.geometric.reindex_heter_graph(x, [y, y], [z, z])", x=NODES,
         y=NEIGHBORS, z=COUNT),
]  # fmt: skip
CASES += [
    case("send_u_recv", "paddle.geometric.send_u_recv(x, i, j, 'mean')",
         x=i64(4, 3, low=-9, high=9), i=SOURCE, j=TARGET),
]  # fmt: skip
