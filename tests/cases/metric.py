"""Cases for metrics."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, i64

CASES: list[Case] = [
    case("accuracy", "paddle.metric.accuracy(x, y, 2)", x=f32("B", 4), y=i64("B", 1, high=4)),
    case("accuracy", "paddle._C_ops.accuracy(x, i, y)", x=f32(3, 2), i=i64(3, 2, high=4),
         y=i64(3, 1, high=4)),
    case("cvm", "paddle._C_ops.cvm(x, c, True)", x=f32("B", 4, low=0), c=f32("B", 2)),
    case("cvm", "paddle._C_ops.cvm(x, c, False)", x=f32("B", 4), c=f32("B", 2)),
]  # fmt: skip
