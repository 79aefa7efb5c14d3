"""Cases for fully connected layers and matrix products."""

from __future__ import annotations

from tests.oracle.case import Case, c64, case, f32, f64, i64

LAYERS: list[Case] = [
    case("matmul", "fc(x)", x=f32("B", 3), fc="nn.Linear(3, 4)", grad=True),
    case("matmul", "fc(x)", x=f32("B", 3), fc="nn.Linear(3, 3)"),
    case("matmul", "fc(x)", x=f32("B", "T", 3), fc="nn.Linear(3, 4)"),
    case("matmul", "fc(x)", x=f32("B", "T", 3), fc="nn.Linear(3, 4, bias_attr=False)"),
    case("matmul", "fc(x)", x=f32(0, 3), fc="nn.Linear(3, 4)"),
    case("matmul", "fc(x) + x @ fc.weight", x=f32("B", 3), fc="nn.Linear(3, 4)"),
    case("matmul", "paddle.matmul(x, fc.weight, transpose_y=True)", x=f32("B", 4),
         fc="nn.Linear(3, 4)"),
    case("matmul", "paddle.matmul(fc.weight, x)", x=f32(4, "B"), fc="nn.Linear(3, 4)"),
    case("matmul", "fc(fc(x))", x=f32("B", 3), fc="nn.Linear(3, 3)"),
    case("linear_v2", "paddle._C_ops.linear_v2(x, fc.weight, fc.bias, False)", x=f32("B", 3),
         fc="nn.Linear(3, 4)"),
    case("linear_v2", "paddle._C_ops.linear_v2(x, w, b, False)", x=f32("B", 3), w=f32(3, 4),
         b=f32(4)),
    case("fc", "paddle._C_ops.fc(x, w, b, 1, '', False)", x=f32("B", 3), w=f32(3, 4), b=f32(4)),
    case("fc", "paddle._C_ops.fc(x, w, b, 2, 'relu', False)", x=f32("B", 2, 3), w=f32(3, 4),
         b=f32(4)),
    case("fc", "paddle._C_ops.fc(x, w, None, 1, '', False)", x=f32("B", 2, 3), w=f32(6, 4)),
    case("bilinear", "both(x, y)", x=f32("B", 3), y=f32("B", 4), both="nn.Bilinear(3, 4, 5)"),
    case("bilinear", "both(x, y)", x=f32("B", 3), y=f32("B", 4),
         both="nn.Bilinear(3, 4, 5, bias_attr=False)"),
    case("bilinear", "F.bilinear(x, y, w, b)", x=f32("B", 3), y=f32("B", 4), w=f32(5, 3, 4),
         b=f32(1, 5),
         grad=True),
]  # fmt: skip
PRODUCTS = [
    case("matmul", "paddle.matmul(x, y)", x=f32("B", 3), y=f32(3, "H"), grad=True),
    case("matmul", "paddle.matmul(x, y)", x=f32(3), y=f32(3), grad=True),
    case("matmul", "paddle.matmul(x, y)", x=f32("B", 4, 3), y=f32(3)),
    case("matmul", "paddle.matmul(x, y)", x=f32(3), y=f32("B", 3, 4)),
    case("matmul", "paddle.matmul(x, y)", x=f32("B", 1, 4, 3), y=f32(2, 3, 5)),
    case("matmul", "paddle.matmul(x, y, transpose_x=True)", x=f32("B", 3, 4), y=f32("B", 3, 5),
         grad=True),
    case("matmul", "paddle.matmul(x, y, transpose_y=True)", x=f32("B", 4, 3), y=f32("B", 5, 3)),
    case("matmul", "paddle.matmul(x, y, True, True)", x=f32(3, 4), y=f32(5, 3)),
    case("matmul", "paddle.matmul(x, y, True, True)", x=f32(3), y=f32(5, 3)),
    case("matmul", "paddle.matmul(x, y, transpose_y=True)", x=f32(2, 3), y=f32(3)),
    case("matmul", "paddle.matmul(x, y)", x=i64("B", 3), y=i64(3, 4)),
    case("matmul", "paddle.matmul(x, y)", x=f64("B", 3), y=f64(3, 4)),
    case("matmul", "paddle.matmul(x, y)", x=c64("B", 3), y=c64(3, 4)),
    case("matmul", "paddle.matmul(x, y, transpose_y=True)", x=c64("B", 3), y=c64(4, 3)),
    case("matmul", "paddle.matmul(x, y)", x=f32("B", 0), y=f32(0, 4)),
    case("matmul", "paddle.matmul(x, y)", x=f32(0, 3), y=f32(3, 4)),
    case("matmul", "paddle.inner(x, y)", x=f32(2, 3), y=f32(4, 3)),
    case("multiply", "paddle.outer(x, y)", x=f32("B"), y=f32("H")),
    case("matmul", "paddle.tensordot(x, y, 1)", x=f32(2, 3), y=f32(3, 4)),
    case("matmul_with_flatten", "paddle._C_ops.matmul_with_flatten(x, y, 1, 1)", x=f32("B", 3, 2),
         y=f32(6, 4)),
    case("matmul_with_flatten", "paddle._C_ops.matmul_with_flatten(x, y, 2, 1)", x=f32("B", 3, 2),
         y=f32(2, 4)),
    case("matmul_with_flatten", "paddle._C_ops.matmul_with_flatten(x, y, 1, 2)", x=f32("B", 6),
         y=f32(2, 3, 4)),
    case("matmul_with_flatten", "paddle._C_ops.matmul_with_flatten(x, y, 1, 1)", x=f32("B", 6),
         y=f32(6, 3, 4)),
]  # fmt: skip

CASES = [*LAYERS, *PRODUCTS]
