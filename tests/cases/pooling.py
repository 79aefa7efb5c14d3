"""Cases for pooling."""

from __future__ import annotations

from typing import Any

from tests.oracle.case import Case, Spec, case, f16, f32, f64

X = f32("B", 3, "H", "W")
LAST = f32("B", "H", "W", 3)
_C_POOL = "paddle._C_ops.pool2d(x, [2, 2], [2, 2], [1, 1], False, True, 'NCHW', "


def _pool(expression: str, x: Spec = X, grad: bool = False, **more: Any) -> Case:
    """A 1-D or 2-D pooling, which are the same operator."""
    return case("pool2d max_pool2d_with_index lp_pool2d", expression, x=x, grad=grad, **more)


def _raw(
    kernel: list[int], stride: list[int], padding: list[int], ceil: bool, exclusive: bool, kind: str
) -> Case:
    """The operator itself, with paddings that the API would reject."""
    arguments = f"{kernel}, {stride}, {padding}, {ceil}, {exclusive}"
    return _pool(
        f"paddle._C_ops.pool2d(x, {arguments}, 'NCHW', '{kind}', False, False, 'EXPLICIT')"
    )


CASES = [
    _pool("p(x)", p="nn.MaxPool2D(3, 2, 1)", grad=True),
    _pool("p(x)", p="nn.MaxPool2D((3, 2), (1, 2), (1, 0))"),
    _pool("p(x)", p="nn.MaxPool2D(2, 2, ceil_mode=True)"),
    _pool("p(x)", p="nn.MaxPool2D(2, 2, padding=1, ceil_mode=True)"),
    _pool("p(x)", p="nn.MaxPool2D(1, 2, ceil_mode=True)"),
    _pool("p(x)", x=f32(3, 1, 10, 10), p="nn.MaxPool2D(20, padding=2)"),
    _pool("F.max_pool2d(x, 9, 3, 1, ceil_mode=True)", x=f32(3, 2, 6, 10)),
    _pool("F.avg_pool2d(x, 9, 3)", x=f32(3, 2, 7, 8)),
    _pool("F.avg_pool2d(x, 9, 3, 1, exclusive=False)", x=f32(3, 2, 6, 8)),
    _pool("F.max_pool1d(x, 9, 3)", x=f32(3, 2, 7)),
    _pool("p(x)", p="nn.MaxPool2D(2, 3, ceil_mode=True)", grad=True),
    _pool("p(x)", p="nn.MaxPool2D(2, 1, padding='SAME')"),
    _pool("p(x)", p="nn.MaxPool2D(3, 1, padding='SAME')"),
    _pool("p(x)", p="nn.MaxPool2D(3, 2, padding='SAME')", grad=True),
    _pool("p(x)", p="nn.MaxPool2D(3, 2, padding='VALID')"),
    _pool("p(x)", p="nn.MaxPool2D(3, 2, padding=[1, 0, 0, 1])"),
    _pool("p(x)", p="nn.MaxPool2D(3, 2, padding=[[0, 0], [0, 0], [1, 2], [0, 1]], ceil_mode=True)"),
    _pool("p(x)", p="nn.MaxPool2D(3, 2, padding=2)"),
    _pool("p(x)", x=LAST, p="nn.MaxPool2D(3, 2, 1, data_format='NHWC')"),
    _pool("F.max_pool2d(x, 3, 2, 'SAME', data_format='NHWC')", x=LAST, grad=True),
    _pool("F.max_pool2d(x, 3, 2, 1)", x=f64("B", 3, "H", "W")),
    _pool("F.max_pool2d(x, 3)", x=f32(2, 3, 7, 6)),
    _pool("F.max_pool2d(x, 2, 2, 'SAME')", x=f32(2, 3, 7, 6)),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, 1)", grad=True),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, 1, exclusive=False)", grad=True),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, 1, ceil_mode=True)"),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, 1, ceil_mode=True, exclusive=False)"),
    _pool("p(x)", p="nn.AvgPool2D(2, 2)"),
    _pool("p(x)", p="nn.AvgPool2D(2, 2, ceil_mode=True)"),
    _pool("p(x)", p="nn.AvgPool2D(2, 2, padding=1, ceil_mode=True, exclusive=False)"),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, padding='SAME')", grad=True),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, padding='SAME', exclusive=False)"),
    _pool("p(x)", p="nn.AvgPool2D(3, 1, padding='SAME', exclusive=False)"),
    _pool("p(x)", p="nn.AvgPool2D(2, 1, padding='SAME', exclusive=False)"),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, padding=[0, 1, 2, 0])", grad=True),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, padding=[0, 1, 2, 0], exclusive=False, ceil_mode=True)"),
    _pool("p(x)", p="nn.AvgPool2D(3, 2, divisor_override=4)"),
    _pool("F.avg_pool2d(x, 3, 2, 1, data_format='NHWC')", x=LAST),
    _pool("F.avg_pool2d(x, 3, 2, [1, 0, 0, 1], data_format='NHWC')", x=LAST),
    _pool("F.avg_pool2d(x, 3, 2, 1)", x=f64("B", 3, "H", "W")),
    _raw([3, 3], [4, 4], [1, 1], True, True, "max"),
    _raw([3, 1], [2, 2], [2, 2], False, True, "max"),
    _raw([3, 2], [4, 3], [2, 1], True, False, "avg"),
    _raw([2, 2], [3, 3], [0, 1, 1, 0], True, False, "avg"),
    _pool(f"{_C_POOL}'avg', True, False, 'VALID')"),
    _pool(f"{_C_POOL}'max', True, False, 'SAME')"),
    _pool("p(x)", p="nn.AdaptiveAvgPool2D(1)", grad=True),
    _pool("p(x)", p="nn.AdaptiveAvgPool2D((3, 2))", grad=True),
    _pool("p(x)", p="nn.AdaptiveAvgPool2D((None, 1))", x=f32("B", 3, 7, 6)),
    _pool("p(x)", x=LAST, p="nn.AdaptiveAvgPool2D(2, data_format='NHWC')"),
    _pool("F.adaptive_avg_pool2d(x, 5)"),
    _pool(
        "F.adaptive_avg_pool2d(x, y.shape[2:])",
        y=f32("B", 1, "K", "L"),
        sizes=({"B": 2, "H": 7, "W": 6, "K": 3, "L": 4}, {"B": 1, "H": 5, "W": 8, "K": 2, "L": 3}),
    ),
    _pool("p(x)", p="nn.AdaptiveMaxPool2D(3)", grad=True),
    _pool("F.adaptive_max_pool2d(x, (2, 1))"),
    _pool("F.adaptive_max_pool2d(x, 2, return_mask=True)"),
    _pool("F.max_pool2d(x, 3, 2, 1, return_mask=True)", grad=True),
    _pool("F.max_pool2d(x, 2, ceil_mode=True, return_mask=True)"),
    _pool(
        "F.max_pool2d(x, 2, 2, 1, ceil_mode=True, return_mask=True)[0]",
        no_grad="Paddle writes outside: the position of a window in the padding is -1",
    ),
    _pool("F.max_pool2d(x, 2, 2, 1, ceil_mode=True, return_mask=True)", refused="positions"),
    _pool("paddle._C_ops.max_pool2d_with_index(x, [2, 2], [2, 2], [1, 1], True, False, False)"),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.MaxPool1D(3, 2, 1)", grad=True),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.AvgPool1D(3, 2, 1)", grad=True),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.AvgPool1D(3, 2, 1, exclusive=False, ceil_mode=True)"),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.AvgPool1D(3, 2, 'SAME')"),
    _pool("p(x)", x=f32("B", 3, 9), p="nn.MaxPool1D(3, 2, 1)", grad=True),
    _pool("F.max_pool1d(x, 2, 3, ceil_mode=True)", x=f32("B", 3, "T")),
    _pool("F.max_pool1d(x, 3, 2, 1, return_mask=True)", x=f32("B", 3, "T")),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.AdaptiveAvgPool1D(3)", grad=True),
    _pool("p(x)", x=f32("B", 3, "T"), p="nn.AdaptiveMaxPool1D(1)"),
    _pool("p(x)", x=f32("B", 3, "T", low=0), p="nn.LPPool1D(3, 2)"),
    _pool("p(x)", p="nn.LPPool2D(2, 3)", grad=True),
    _pool("F.lp_pool2d(x, 3, 2, 2, ceil_mode=True)", x=f32("B", 3, "H", "W", low=0)),
    _pool("F.lp_pool2d(x, 2, 3, 2, padding=1)"),
    _pool("F.lp_pool2d(x, 2, 3, 2, padding='SAME')"),
    _pool("F.lp_pool2d(x, float('inf'), 3, 2)"),
    _pool("F.lp_pool2d(x, 2, 3, 2, data_format='NHWC')", x=LAST),
    case("pool3d", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.MaxPool3D(3, 2, 1)", grad=True),
    case("pool3d", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.AvgPool3D(2, 2, ceil_mode=True)"),
    case(
        "pool3d",
        "p(x)",
        x=f32("B", 2, "T", "H", "W"),
        p="nn.AvgPool3D((3, 2, 1), (2, 1, 3), (1, 0, 0), exclusive=False)",
        grad=True,
    ),
    case("pool3d", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.AvgPool3D(3, 2, 'SAME')"),
    case(
        "pool3d", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.MaxPool3D(3, 2, [1, 0, 0, 1, 1, 1])"
    ),
    case("pool3d", "p(x)", x=f32("B", "T", "H", "W", 2), p="nn.AvgPool3D(2, data_format='NDHWC')"),
    case("pool3d", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.AdaptiveAvgPool3D((1, 2, 3))"),
    case(
        "max_pool3d_with_index", "p(x)", x=f32("B", 2, "T", "H", "W"), p="nn.AdaptiveMaxPool3D(2)"
    ),
    case(
        "max_pool3d_with_index",
        "F.max_pool3d(x, 2, return_mask=True)",
        x=f32("B", 2, "T", "H", "W"),
    ),
    case(
        "unpool",
        "F.max_unpool2d(*F.max_pool2d(x, 2, return_mask=True), 2)",
        x=f32(2, 3, 6, 8),
        grad=True,
    ),
    case(
        "unpool",
        "F.max_unpool2d(*F.max_pool2d(x, 2, return_mask=True), 2, output_size=[2, 3, 7, 9])",
        x=f32("B", 3, 7, 9),
    ),
    case("unpool", "F.max_unpool1d(*F.max_pool1d(x, 2, return_mask=True), 2)", x=f32(2, 3, 8)),
    case(
        "unpool3d",
        "F.max_unpool3d(*F.max_pool3d(x, 2, return_mask=True), 2)",
        x=f32("B", 2, 4, 6, 4),
    ),
    *(
        case(
            "fractional_max_pool2d",
            f"F.fractional_max_pool2d(x, {size}, {kernel}, {u}, True)",
            x=f32("B", 3, 10, 9),
        )
        for size, kernel, u in (
            ("3", "None", 0.3),
            ("[4, 5]", "None", 0.95),
            ("4", "2", 0.7),
            ("[3, 4]", "[2, 3]", 0.4),
            ("[1, 4]", "2", 0.4),
        )
    ),
    case("fractional_max_pool2d", "F.fractional_max_pool2d(x, 4, 2, 0.3)", x=f64("B", 3, "H", "W")),
    case("fractional_max_pool2d", "F.fractional_max_pool2d(x, 4, 2)", x=X, refused="random"),
    case(
        "fractional_max_pool3d",
        "F.fractional_max_pool3d(x, 3, None, 0.6, True)",
        x=f32("B", 2, 7, 6, 5),
    ),
    case(
        "fractional_max_pool3d",
        "F.fractional_max_pool3d(x, 3, 2, 0.6, True)",
        x=f32("B", 2, 7, 6, 5),
    ),
]

CASES += [
    _pool("F.max_pool2d(x, 3, 2, 1)", x=f16("B", 3, "H", "W")),
    _pool("F.max_pool2d(x, 2, 2, 1, ceil_mode=True)", x=f16("B", 3, "H", "W")),
    _pool("F.avg_pool2d(x, 3, 2, 'SAME')", x=f16("B", 3, "H", "W")),
    _pool("F.adaptive_avg_pool2d(x, 2)", x=f16("B", 3, "H", "W")),
    _pool("F.max_pool2d(x, 2, 2, 1, ceil_mode=True)", x=f64("B", 3, "H", "W")),
]
