"""Cases for sorting, searching, counting and distinct elements."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, f64, i32, i64, values

NAN, INF = float("nan"), float("inf")

ARG: list[Case] = [
    made
    for name in ("argmax", "argmin")
    for made in (
        case(name, f"paddle.{name}(x)", x=f32("B", 5)),
        case(name, f"paddle.{name}(x, axis=1)", x=f32("B", 5)),
        case(name, f"paddle.{name}(x, axis=-2, keepdim=True)", x=f64("B", 5, 3)),
        case(name, f"paddle.{name}(x, keepdim=True)", x=f32("B", 5)),
        case(name, f"paddle.{name}(x, axis=0, dtype='int32')", x=i64("B", 5)),
        case(name, f"paddle.{name}(x, axis=1)", x=i32("B", 5, high=2)),
        case(name, f"paddle.{name}(x)", x=f32()),
        case(name, f"paddle.{name}(x)", x=values([1.0, 4.0, 4.0, 1.0])),
    )
]
SORTED = [
    case("argsort", "paddle.argsort(x)", x=f32("B", 5)),
    case("argsort", "paddle.argsort(x, axis=0, descending=True)", x=f32("B", 5)),
    case("argsort", "paddle.argsort(x, stable=True)", x=i64("B", 9)),
    case("argsort", "paddle.argsort(x, descending=True, stable=True)", x=i64("B", 9)),
    case("argsort", "paddle.sort(x)", x=f32("B", 5), grad=True),
    case("argsort", "paddle.sort(x, axis=1, descending=True)", x=f64("B", 5, 2)),
    case("argsort", "paddle.sort(x, stable=True)", x=i32("B", 5)),
    case("argsort", "paddle.sort(x, stable=True, descending=True), paddle.argsort(x)", x=f32(4)),
    case("argsort", "paddle.sort(x)", x=values([3.0, NAN, 2.0, INF, -INF])),
    case("argsort", "paddle.sort(x, descending=True)", x=values([3.0, NAN, 2.0])),
    case("argsort", "paddle.sort(x)", x=f32()),
    case("argsort", "paddle._C_ops.argsort(x, -1, False, False)", x=f32("B", 5)),
    case("topk", "paddle.topk(x, 2)", x=f32("B", 5), grad=True),
    case("topk", "paddle.topk(x, 3, axis=1, largest=False)", x=f32("B", 5, 2)),
    case("topk", "paddle.topk(x, 1, axis=0)", x=f64("B", 5)),
    case("topk", "paddle.topk(x, 5)", x=f32("B", 5)),
    case("topk", "paddle.topk(x, k)", x=f32("B", 5), k=values([2], "int32")),
    case("topk", "paddle.topk(x, 2)[1]", x=values([[5, 1, 4], [2, 3, 9]], "int64")),
    case("topk", "paddle.topk(x, 2)", x=values([3.0, NAN, 2.0])),
    case("topk", "paddle.sort(paddle.topk(x, 3, sorted=False)[0])", x=f32("B", 5)),
    case("topk", "paddle.topk(x, paddle.shape(x)[1] - 1)", x=f32(2, "H")),
    case("kthvalue", "paddle.kthvalue(x, 2)", x=f32("B", 5), grad=True),
    case("kthvalue", "paddle.kthvalue(x, 1, axis=0, keepdim=True)", x=f64("B", 5)),
    case("kthvalue", "paddle.kthvalue(x, 3, axis=1)", x=values([[5, 1, 4], [2, 3, 9]], "int64")),
    case("mode", "paddle.mode(x)", x=values([[1.0, 2.0, 2.0, 3.0], [1.0, 1.0, 3.0, 3.0]])),
    case("mode", "paddle.mode(x, axis=0, keepdim=True)",
         x=values([[1, 2, 2, 3], [1, 1, 3, 3]], "int64")),
    case("mode", "paddle.mode(x, axis=-2)[0]", x=i64("B", 9, 2)),
    case("searchsorted", "paddle.searchsorted(s, v)", s=values([1.0, 2.0, 3.0]),
         v=f32("B", low=0, high=4)),
    case("searchsorted", "paddle.searchsorted(s, v, out_int32=True, right=True)",
         s=values([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), v=f32(2, 4, low=0, high=4)),
    case("searchsorted", "paddle.bucketize(v, s)", s=values([1, 2, 3], "int64"), v=i64("B", 2)),
    case("searchsorted", "paddle.bucketize(v, s, right=True)", s=values([1, 2, 3], "int64"),
         v=i64("B", 2)),
]  # fmt: skip
COUNTED = [
    case("nonzero", "paddle.nonzero(x)", x=i64("B", 3, high=2)),
    case("nonzero", "paddle.nonzero(x)", x=f32(0, 2)),
    case("nonzero", "paddle.nonzero(x > 0)", x=f32("B", 3)),
    case("nonzero", "paddle.nonzero(x, as_tuple=True)", x=i64("B", 3, high=2)),
    case("bincount", "paddle.bincount(x)", x=i64("B")),
    case("bincount", "paddle.bincount(x)", x=i32("B")),
    case("bincount", "paddle.bincount(x, minlength=9)", x=i64("B")),
    case("bincount", "paddle.bincount(x, w)", x=i64("B"), w=f32("B")),
    case("bincount", "paddle.bincount(x, w, minlength=7)", x=i64("B"), w=i64("B")),
    case("bincount", "paddle.bincount(x, w)", x=i32("B"), w=f64("B")),
    case("histogram", "paddle.histogram(x, bins=3)", x=f32("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4, min=0, max=2)", x=f32("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4, min=0, max=2)", x=i64("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4)", x=values([3.0, 3.0])),
    case("histogram", "paddle.histogram(x, bins=4, density=True)", x=f32("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4, min=-1, max=2, weight=w)", x=f32(7), w=f32(7)),
    case("histogram", "paddle.histogram(x, bins=4, weight=w, density=True)", x=f32(7),
         w=f32(7, low=0)),
    case("histogram", "paddle.histogram(x, bins=3)", x=f64("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4, density=True)", x=f64("B", 7)),
    case("histogram", "paddle.histogram(x, bins=4, weight=w)", x=f64(7), w=f64(7)),
    case("histogram", "paddle.histogram(x, bins=4, min=-1, max=2, weight=w)", x=i64(7), w=i64(7)),
    case("unique", "paddle.unique(x)", x=i64("B", 9)),
    case("unique", "paddle.unique(x)", x=f32(4)),
    case("unique", "paddle.unique(x, True, True, True)", x=i64("B", 9)),
    case("unique", "paddle.unique(x, return_index=True, dtype='int32')", x=i32("B", 9)),
    case("unique", "paddle.unique(x, return_inverse=True, return_counts=True, dtype='int32')",
         x=i64(2, 9)),
    case("unique", "paddle.unique(x, axis=0)", x=i64(9, 2, high=2)),
    case("unique", "paddle.unique(x, True, True, True, axis=0)", x=i64(9, 2, high=2)),
    case("unique", "paddle.unique(x, return_counts=True, axis=1)", x=i64(2, 9, high=2)),
    case("unique_consecutive", "paddle.unique_consecutive(x)", x=i64("B", 9, high=2)),
    case("unique_consecutive", "paddle.unique_consecutive(x, True, True)", x=i64("B", 9, high=2)),
    case("unique_consecutive", "paddle.unique_consecutive(x, True, dtype='int32')",
         x=i64(9, high=2)),
    case("unique_consecutive", "paddle.unique_consecutive(x, True, True, axis=0)",
         x=i64(9, 2, high=2)),
]  # fmt: skip

CASES = [*ARG, *SORTED, *COUNTED]
