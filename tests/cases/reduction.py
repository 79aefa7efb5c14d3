"""Cases for reductions and running sums."""

from __future__ import annotations

from tests.oracle.case import Case, boolean, case, f32, f64, i32, i64, values

NAN, INF = float("nan"), float("inf")

PLAIN: list[Case] = [
    made
    for name in ("sum", "mean", "max", "min", "amax", "amin", "prod", "logsumexp")
    for made in (
        case(name, f"paddle.{name}(x)", x=f32("B", 3, "H"), grad=True, rtol=1e-4),
        case(name, f"paddle.{name}(x, axis=1)", x=f32("B", 3, "H"), grad=True),
        case(name, f"paddle.{name}(x, axis=-1, keepdim=True)", x=f32("B", 3, "H"), grad=True),
        case(name, f"paddle.{name}(x, axis=[0, 2])", x=f32("B", 3, "H"), grad=name != "prod",
             rtol=1e-4),
        case(name, f"paddle.{name}(x, axis=[-1, 0], keepdim=True)", x=f64(2, 3, 4)),
        case(name, f"paddle.{name}(x, keepdim=True)", x=f32("B", 3)),
        case(name, f"paddle.{name}(x)", x=f32()),
        case(name, f"paddle.{name}(x)", x=f64(5)),
        case(name, f"paddle.{name}(x, axis=0)", x=f32(1, 3)),
        case(name, f"paddle.{name}(x, axis=1)", x=f32(0, 3)),
    )
    if not (name == "logsumexp" and "0, 3" in str(made.inputs))
] + [
    case(name, f"paddle.{name}(x, axis=0)", x=values([[1.0, NAN], [NAN, 3.0], [2.0, 5.0]]))
    for name in ("sum", "mean", "max", "min", "amax", "amin", "prod")
] + [
    case("sum", "paddle.sum(x, axis=1)", x=f32("B", 0, 3)),
    case("mean", "paddle.mean(x)", x=f32(0)),
    case("prod", "paddle.prod(x, axis=1)", x=f32("B", 0, 3)),
]  # fmt: skip
INTEGER = [
    case(name, f"paddle.{name}(x{axis})", x=spec)
    for name in ("sum", "max", "min", "prod", "mean", "amax")
    for axis in ("", ", axis=0", ", axis=-1, keepdim=True")
    for spec in (i64("B", 4, low=-9, high=9), i32("B", 4, low=-9, high=9))
    if not (name == "mean" and spec.dtype == "int32")
] + [
    case("sum", "paddle.sum(x, axis=1)", x=boolean("B", 4)),
    case("sum", "paddle.sum(x, dtype='float64')", x=f32("B", 4)),
    case("sum", "paddle.sum(x, axis=0, dtype='int32')", x=i64("B", 4)),
    case("sum", "paddle.sum(x, dtype='float32')", x=i64("B", 4)),
    case("sum", "paddle.sum(x, dtype='int64')", x=f32("B", 4, low=0, high=9)),
    case("prod", "paddle.prod(x, axis=[0, 1], dtype='float32')", x=i64("B", 4)),
    case("prod", "paddle.prod(x, axis=[0, 2])", x=i32("B", 2, 3)),
]
FLAGS = [
    made
    for name in ("any", "all")
    for made in (
        case(name, f"paddle.{name}(x)", x=boolean("B", 3)),
        case(name, f"paddle.{name}(x, axis=-1)", x=boolean("B", 3)),
        case(name, f"paddle.{name}(x, axis=[0, 1], keepdim=True)", x=boolean("B", 3, 2)),
        case(name, f"paddle.{name}(x, axis=0)", x=i64("B", 3, high=2)),
        case(name, f"paddle.{name}(x)", x=values([0.0, NAN])),
        case(name, f"paddle.{name}(x, axis=0)", x=boolean(0, 3)),
        case(name, f"paddle.{name}(x)", x=boolean()),
    )
]
SPREAD = [
    case("mean", "paddle.var(x)", x=f32("B", 3), grad=True),
    case("mean", "paddle.std(x, axis=1)", x=f32("B", 3), grad=True),
    case("mean", "paddle.std(x, axis=[0, 2], unbiased=False, keepdim=True)", x=f32("B", 3, 4)),
    case("var", "paddle._C_ops.var(x, [0], True, False, 0.0)", x=f32("B", 3)),
    case("var", "paddle._C_ops.var(x, [0, 1], False, True, 1.0)", x=f64("B", 3)),
    case("std", "paddle._C_ops.std(x, [-1], False, True, 1.0)", x=f32("B", 3)),
    case("variance", "paddle._C_ops.variance(x, [0], False)", x=f32("B", 3)),
    case("where", "paddle.nansum(x)", x=values([1.0, NAN, 4.0])),
    case("where", "paddle.nanmean(x, axis=0)", x=values([[1.0, NAN], [NAN, 4.0]])),
]
NORMS = [
    case("p_norm", "paddle.norm(x)", x=f32("B", 3), grad=True),
    case("p_norm", "paddle.norm(x, p=1, axis=1)", x=f32("B", 3), grad=True),
    case("p_norm", "paddle.norm(x, p=3, axis=-1, keepdim=True)", x=f64("B", 3)),
    case("p_norm", "paddle.norm(x, p=float('inf'), axis=1)", x=f32("B", 3, 2)),
    case("p_norm", "paddle.norm(x, p=float('-inf'), axis=1)", x=f32("B", 3, 2)),
    case("p_norm", "paddle.norm(x, p=0, axis=1)", x=values([[0.0, 1.0], [2.0, 3.0]])),
    case("p_norm", "paddle.norm(x, p=0.5, axis=1)", x=f32("B", 3)),
    case("p_norm", "paddle.norm(x, keepdim=True)", x=f32("B", 3)),
    case("p_norm", "paddle.linalg.vector_norm(x, p=3)", x=f32("B", 3)),
    case("p_norm", "F.normalize(x)", x=f32("B", 3), grad=True),
    case("p_norm", "F.normalize(x, p=1, axis=-1)", x=f32("B", 3, 2)),
    case("frobenius_norm", "paddle.norm(x, p='fro', axis=[0, 1], keepdim=True)", x=f32("B", 3)),
    case("frobenius_norm", "paddle.norm(x, p='fro', axis=[-2, -1])", x=f32("B", 3, 2), grad=True),
    case("frobenius_norm", "paddle.linalg.matrix_norm(x, p='fro')", x=f64(2, 3)),
    case("frobenius_norm", "paddle._C_ops.frobenius_norm(x, [0], True, False)", x=f32("B", 3)),
    case("svd", "paddle.norm(x, p=2, axis=[0, 1])", x=f32(3, 3)),
    case("svd", "paddle.norm(x, p='nuc', axis=[0, 1], keepdim=True)", x=f32(3, 3)),
    case("squared_l2_norm", "paddle._C_ops.squared_l2_norm(x)", x=f32("B", 3)),
    case("l1_norm", "paddle._C_ops.l1_norm(x)", x=f32("B", 3)),
    case("mean_all", "paddle._C_ops.mean_all(x)", x=f32("B", 3)),
    case("dist", "paddle.dist(x, y)", x=f32("B", 3), y=f32("B", 3), grad=True),
    case(
        "dist",
        "paddle.dist(x, y, 0)",
        x=f32("B", 3),
        y=f32(3),
        no_grad="a count has none, and torch's own fails",
    ),
    case("dist", "paddle.dist(x, y, 1)", x=f32("B", 3), y=f32("B", 1)),
    case("dist", "paddle.dist(x, y, 3.5)", x=f64("B", 3), y=f64(3)),
    case("dist", "paddle.dist(x, y, float('inf'))", x=f32("B", 3), y=f32("B", 3)),
    case("dist", "paddle.dist(x, y, float('-inf'))", x=f32("B", 3), y=f32("B", 3)),
    case("reduce_as", "paddle.reduce_as(x, y)", x=f32("B", 3), y=f32(1, 3)),
    case("reduce_as", "paddle.reduce_as(x, y)", x=f32("B", 3, 4), y=f32(4)),
    case("reduce_as", "paddle.reduce_as(x, y)", x=f32(2, "B", 3), y=f32("B", 1)),
]
RUNNING = [
    case("cumsum", "paddle.cumsum(x)", x=f32("B", 3), grad=True),
    case("cumsum", "paddle.cumsum(x, axis=0)", x=f32("B", 3), grad=True),
    case("cumsum", "paddle.cumsum(x, axis=-1)", x=i64("B", 3)),
    case("cumsum", "paddle.cumsum(x, axis=1)", x=i32("B", 3)),
    case("cumsum", "paddle._C_ops.cumsum(x, 1, False, False, False)", x=i32("B", 3)),
    case("cumsum", "paddle.cumsum(x, axis=1, dtype='float64')", x=i64("B", 3)),
    case("cumsum", "paddle.cumsum(x)", x=f32()),
    case("cumsum", "paddle.cumsum(x, axis=1)", x=f32("B", 0)),
    case("cumsum", "paddle.cumsum(x.astype('int64'), axis=1)", x=boolean("B", 4)),
    case("cumsum", "paddle._C_ops.cumsum(x, 1, False, True, True)", x=f32("B", 4)),
    case("cumsum", "paddle._C_ops.cumsum(x, 0, False, True, False)", x=i32("B", 4)),
    case("cumsum", "paddle._C_ops.cumsum(x, 0, True, False, True)", x=f64("B", 4)),
    case("cumprod", "paddle.cumprod(x)", x=f32("B", 3)),
    case("cumprod", "paddle.cumprod(x, dim=1)", x=f32("B", 3), grad=True),
    case("cumprod", "paddle.cumprod(x, dim=-2)", x=i64("B", 3)),
    case("cumprod", "paddle.cumprod(x, dim=0)", x=i32("B", 3)),
    case("cumprod", "paddle._C_ops.cumprod(x, 1, True, True)", x=f32("B", 4)),
    case("cumprod", "paddle._C_ops.cumprod(x, 0, True, False)", x=i32("B", 4)),
    case("logcumsumexp", "paddle.logcumsumexp(x)", x=f32("B", 3)),
    case("logcumsumexp", "paddle.logcumsumexp(x, axis=-1)", x=f32("B", 3), grad=True),
    case("logcumsumexp", "paddle._C_ops.logcumsumexp(x, 0, False, True, True)", x=f32("B", 3)),
    case("logcumsumexp", "paddle._C_ops.logcumsumexp(x, 0, True, False, True)", x=f64("B", 3)),
] + [
    made
    for name in ("cummax", "cummin")
    for made in (
        case(name, f"paddle.{name}(x)", x=f32("B", 3)),
        case(name, f"paddle.{name}(x, axis=1)", x=f32("B", 5), grad=True),
        case(name, f"paddle.{name}(x, axis=-2)", x=i64("B", 3, low=-2, high=2)),
        case(name, f"paddle.{name}(x, axis=0, dtype='int32')", x=f64("B", 3)),
        case(name, f"paddle.{name}(x, axis=0)", x=values([1.0, NAN, 2.0, 0.0])),
    )
]
MEDIANS = [
    made
    for name in ("median", "nanmedian")
    for made in (
        case(name, f"paddle.{name}(x)", x=f32("B", 4)),
        case(name, f"paddle.{name}(x)", x=f32(5)),
        case(name, f"paddle.{name}(x, axis=1)", x=f32("B", 4, 3)),
        case(name, f"paddle.{name}(x, axis=-1, keepdim=True)", x=f64("B", 5)),
        case(name, f"paddle.{name}(x, axis=1, mode='min')", x=f32("B", 4)),
        case(name, f"paddle.{name}(x, axis=0, mode='min', keepdim=True)", x=f32(5, 2)),
        case(name, f"paddle.{name}(x)", x=values([1.0, NAN, 3.0, 4.0, 9.0])),
        case(name, f"paddle.{name}(x, axis=1)",
             x=values([[1.0, 2.0, 3.0, 4.0], [NAN, NAN, NAN, NAN]])),
        case(name, f"paddle.{name}(x)", x=i64("B", 4)),
        case(name, f"paddle.{name}(x, axis=0)", x=i32(3, 4)),
        case(name, f"paddle.{name}(x, keepdim=True)", x=f32("B", 3, 2)),
        case(name, f"paddle.{name}(x)", x=f32()),
        case(name, f"paddle.{name}(x, mode='min')", x=f32(2, 4)),
    )
] + [
    case("nanmedian", "paddle.nanmedian(x, axis=[0, 2], keepdim=True)", x=f32("B", 3, 4)),
    case("nanmedian", "paddle.nanmedian(x, axis=[0, -1])", x=f32("B", 3, 4)),
    case("argsort", "paddle.quantile(x, 0.3)", x=f32(6)),
]  # fmt: skip

CASES = [*PLAIN, *INTEGER, *FLAGS, *SPREAD, *NORMS, *RUNNING, *MEDIANS]
