"""Cases for padding."""

from __future__ import annotations

from tests.oracle.case import case, f32, f64, i32, i64, values

X3, X4, X5 = f32("B", 3, "H"), f32("B", 3, "H", "W"), f32("B", 2, 3, "H", "W")

CASES = [
    # pad: every axis
    case("pad", "F.pad(x, [0, 0, 1, 2, 0, 0, 1, 1])", x=X4, grad=True),
    case("pad", "F.pad(x, [0, 0, 1, 2, 0, 0, 1, 1], pad_from_left_axis=False)", x=X4),
    case("pad", "F.pad(x, [1, 2])", x=X4),
    case("pad", "F.pad(x, [1, 0, 0, 2], value=-1.5)", x=f64("B", 3), grad=True),
    case("pad", "F.pad(x, [2, 1], value=3)", x=i64("B")),
    case("pad", "F.pad(x, [0, 0, 0, 0])", x=f32("B", 3)),
    case("pad", "F.pad(x, [1, 1, 0, 0])", x=f32(0, 3)),
    case("pad", "F.pad(x, [1, 0, 0, 2], value=float('inf'))", x=f32("B", 3)),
    case("pad", "paddle._C_ops.pad(x, [1, 0, 0, 2], 2.7)", x=i32("B", 3)),
    case("pad", "paddle._C_ops.pad(x, [1, 0, 0, 2], v)", x=f32("B", 3), v=values([1.5])),
    # pad3d
    case("pad3d", "F.pad(x, [1, 2], data_format='NCL')", x=X3, grad=True),
    case("pad3d", "F.pad(x, [1, 2], data_format='NLC')", x=f32("B", "H", 3), grad=True),
    case("pad3d", "F.pad(x, [1, 2], mode='reflect', data_format='NCL')", x=X3, grad=True),
    case("pad3d", "F.pad(x, [1, 2], mode='replicate', data_format='NLC')", x=f32("B", "H", 3)),
    case("pad3d", "F.pad(x, [1, 2], mode='circular', data_format='NCL')", x=X3, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1])", x=X4, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 0], value=2.5)", x=X4),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], data_format='NHWC')", x=f32("B", "H", "W", 3)),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], mode='reflect')", x=X4, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], mode='replicate')", x=X4, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], mode='circular')", x=X4, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], mode='reflect', data_format='NHWC')",
         x=f32("B", "H", "W", 3), grad=True),
    case("pad3d", "F.pad(x, [-1, 2, 0, -2])", x=X4),
    case("pad3d", "F.pad(x, [-1, 2, 0, -2], mode='reflect')", x=X4),
    case("pad3d", "F.pad(x, [2, 2, 2, 2], mode='reflect')", x=f32("B", 1, 3, 3)),
    case("pad3d", "F.pad(x, [3, 3, 0, 1], mode='circular')", x=f32("B", 1, 3, 3)),
    case("pad3d", "F.pad(x, [7, 4, 0, 1], mode='circular')", x=f32("B", 1, 3, 3), grad=True),
    case("pad3d", "F.pad(x, [1, 0, 0, 7], mode='circular', data_format='NHWC')",
         x=f32("B", 3, 3, 1)),
    case("pad3d", "F.pad(x, [5, 4, 0, 1], mode='replicate')", x=f32("B", 1, 3, 3)),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0])", x=X5, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0], mode='reflect')", x=X5, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0], mode='replicate')", x=X5, grad=True),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0], mode='circular')", x=X5),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0], mode='replicate', data_format='NDHWC')",
         x=f32("B", 3, "H", "W", 2)),
    case("pad3d", "F.pad(x, [1, 2, 0, 1, 2, 0], data_format='NDHWC')", x=f32("B", 3, "H", "W", 2)),
    case("pad3d", "F.pad(x, [1, 2, 0, 1], value=2.7)", x=i64("B", 1, 2, 2)),
    case("pad3d", "F.pad(x, [1, 1, 0, 1], mode='reflect')", x=i32("B", 1, 2, 2)),
    case("pad3d", "F.pad(x, [1, 1, 0, 1], mode='circular')", x=i64("B", 1, 2, 2)),
    case("pad3d", "F.pad(x, [1, 1, 0, 1], mode='replicate')", x=f64("B", 1, 2, 2)),
    case("pad3d", "F.pad(x, [1, 0, 0, 1])", x=f32(0, 1, 2, 2)),
    case("pad3d", "F.pad(x, [0, x.shape[3] % 5, 0, x.shape[2] % 4])", x=X4, grad=True),
    case("pad3d", "F.pad(x, [0, (8 - x.shape[3] % 8) % 8, 0, (8 - x.shape[2] % 8) % 8])", x=X4),
    case("pad3d", "F.pad(x, n)", x=X4, n=values([1, 0, 2, 1], "int32")),
    case("pad3d", "F.pad(x, n, mode='reflect')", x=X4, n=values([1, 0, 2, 1], "int32")),
    case("pad3d", "F.pad(x, n)", x=X5, n=values([1, 0, 2, 1, 0, 1], "int32")),
    case("pad3d", "p(x)", x=X4, p="nn.Pad2D([1, 2, 0, 1], mode='reflect')"),
    case("pad3d", "p(x)", x=X4, p="nn.ZeroPad2D([1, 2, 0, 1])"),
    case("pad3d", "p(x)", x=X3, p="nn.Pad1D(2, mode='replicate')"),
    case("pad3d", "p(x)", x=X5, p="nn.Pad3D(1, value=1.5)"),
]  # fmt: skip
