"""Cases for activation functions."""

from __future__ import annotations

from tests.oracle.case import Case, Spec, c64, case, f32, f64, i64, values

INF = float("inf")
SPECIAL = values([-90.0, -30.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 30.0, 90.0])

PLAIN: list[Case] = [
    made
    for op, text in (
        ("relu", "F.relu(x)"),
        ("relu6", "F.relu6(x)"),
        ("gelu", "F.gelu(x)"),
        ("gelu", "F.gelu(x, approximate=True)"),
        ("sigmoid", "F.sigmoid(x)"),
        ("tanh", "paddle.tanh(x)"),
        ("silu", "F.silu(x)"),
        ("swish", "F.swish(x)"),
        ("mish", "F.mish(x)"),
        ("softsign", "F.softsign(x)"),
        ("tanh_shrink", "F.tanhshrink(x)"),
        ("logsigmoid", "F.log_sigmoid(x)"),
        ("leaky_relu", "F.leaky_relu(x)"),
        ("leaky_relu", "F.leaky_relu(x, 0.2)"),
        ("leaky_relu", "F.leaky_relu(x, 1.5)"),
        ("hardswish", "F.hardswish(x)"),
        ("hardsigmoid", "F.hardsigmoid(x)"),
        ("hardsigmoid", "F.hardsigmoid(x, slope=0.2)"),
        ("hardsigmoid", "F.hardsigmoid(x, slope=0.166667)"),
        ("hardsigmoid", "F.hardsigmoid(x, slope=0.25, offset=0.4)"),
        ("elu", "F.elu(x)"),
        ("elu", "F.elu(x, 0.5)"),
        ("celu", "F.celu(x)"),
        ("celu", "F.celu(x, 0.5)"),
        ("selu", "F.selu(x)"),
        ("selu", "F.selu(x, 1.5, 2.0)"),
        ("softplus", "F.softplus(x)"),
        ("softplus", "F.softplus(x, 2, 3)"),
        ("softshrink", "F.softshrink(x)"),
        ("softshrink", "F.softshrink(x, 1.5)"),
        ("hardshrink", "F.hardshrink(x)"),
        ("hardshrink", "F.hardshrink(x, 1.0)"),
        ("hardtanh", "F.hardtanh(x)"),
        ("hardtanh", "F.hardtanh(x, -2, 0.5)"),
        ("hardtanh", "F.hardtanh(x, 1.0, 1.0)"),
        ("thresholded_relu", "F.thresholded_relu(x)"),
        ("thresholded_relu", "F.thresholded_relu(x, 0.5, 0.2)"),
        ("rrelu", "F.rrelu(x)"),
        ("rrelu", "F.rrelu(x, 0.1, 0.5)"),
    )
    for made in (
        case(op, text, x=f32("B", 3, low=-8, high=8), grad=op != "rrelu"),
        case(op, text, x=f64(2, 3, low=-8, high=8)),
        case(op, text, x=f32(2, 0)),
        case(op, text, x=f32()),
        case(op, text, x=SPECIAL, no_grad="the points are kinks, or Paddle's derivative is NaN"),
    )
]
LAYERS = [
    case(op, "act(x)", x=f32("B", 4, "H", low=-8, high=8), act=text, grad=op != "rrelu")
    for op, text in (
        ("relu", "nn.ReLU()"),
        ("relu6", "nn.ReLU6()"),
        ("gelu", "nn.GELU()"),
        ("gelu", "nn.GELU(True)"),
        ("sigmoid", "nn.Sigmoid()"),
        ("tanh", "nn.Tanh()"),
        ("silu", "nn.Silu()"),
        ("swish", "nn.Swish()"),
        ("mish", "nn.Mish()"),
        ("leaky_relu", "nn.LeakyReLU(0.1)"),
        ("hardswish", "nn.Hardswish()"),
        ("hardsigmoid", "nn.Hardsigmoid()"),
        ("elu", "nn.ELU(0.5)"),
        ("selu", "nn.SELU()"),
        ("celu", "nn.CELU(0.5)"),
        ("softplus", "nn.Softplus(2, 3)"),
        ("softshrink", "nn.Softshrink(0.7)"),
        ("hardshrink", "nn.Hardshrink()"),
        ("hardtanh", "nn.Hardtanh(-2, 1)"),
        ("thresholded_relu", "nn.ThresholdedReLU()"),
        ("softsign", "nn.Softsign()"),
        ("tanh_shrink", "nn.Tanhshrink()"),
        ("logsigmoid", "nn.LogSigmoid()"),
        ("softmax", "nn.Softmax()"),
        ("softmax", "nn.Softmax(1)"),
        ("log_softmax", "nn.LogSoftmax(1)"),
        ("rrelu", "nn.RReLU()"),
        ("prelu", "nn.PReLU()"),
        ("prelu", "nn.PReLU(4)"),
    )
]
PRELU = [
    case("prelu", "act(x)", x=f32("B", "H", 4), act="nn.PReLU(4, data_format='NLC')", grad=True),
    case("prelu", "act(x)", x=f32("B", "H", "W", 4), act="nn.PReLU(4, data_format='NHWC')"),
    case("prelu", "act(x)", x=f32("B", 4, "H", "W"), act="nn.PReLU(4)"),
    case("prelu", "act(x)", x=f32("B", 4), act="nn.PReLU(4)"),
    case("prelu", "F.prelu(x, w)", x=f32("B", 4, 3), w=f32(4), grad=True),
    case("prelu", "F.prelu(x, w)", x=f32("B", 4, 3), w=f32(1)),
    case("prelu", "paddle._C_ops.prelu(x, w, 'NCHW', 'element')", x=f32("B", 3, 2), w=f32(1, 3, 2)),
    case("prelu", "paddle._C_ops.prelu(x, w, 'NHWC', 'element')", x=f32("B", 3, 2), w=f32(1, 3, 2)),
]
SOFTMAX = [
    case(op, f"F.{op}(x{axis})", x=spec, grad=True)
    for op in ("softmax", "log_softmax")
    for axis, spec in (
        ("", f32("B", 5)),
        (", 0", f32("B", 5)),
        (", -2", f32("B", 5, "H")),
        (", 1", f64("B", 3, 4, 5)),
        ("", f32(3)),
        ("", f32(3, 1)),
    )
] + [
    case("softmax", "F.softmax(x)", x=f32()),
    case("log_softmax", "F.log_softmax(x)", x=f32()),
    case("softmax", "F.softmax(x, 1)", x=f32(2, 0, 3)),
    case("log_softmax", "F.log_softmax(x)", x=values([[100.0, 0.0, -3.0], [-INF, 0.0, 1.0]])),
    case("log_softmax", "F.log_softmax(x, 0)", x=values([[100.0, 0.0], [0.0, 90.0]], "float64")),
    case("log_softmax", "F.log_softmax(x, 1)", x=f32(2, 0, 3)),
    case("softmax", "F.softmax(x, dtype='float64')", x=f32("B", 3)),
    case("softmax", "F.softmax(x)", x=values([[-INF, 0.0, 1.0], [500.0, -500.0, 500.0]])),
]
#: Rows of which a mask leaves nothing, of lengths for which Paddle gives equal shares and NaN.
LENGTHS = ({"B": 2, "T": 8}, {"B": 3, "T": 7}, {"B": 2, "T": 40}, {"B": 2, "T": 12})
GONE = values([[True], [False]], "bool")


MASKED = [
    case("softmax", f"F.softmax({text})", x=spec, m=GONE, sizes=sizes, no_grad="they are NaN")
    for text in (
        "paddle.where(m, paddle.full([1], -float('inf')).astype(x.dtype), x)",
        "x.masked_fill(m, -float('inf'))",
        "(x + m.astype(x.dtype) * -3e38) + paddle.full_like(x, -3e38) * m.astype(x.dtype)",
        "x + paddle.where(m, paddle.full([1], -float('inf')), paddle.zeros([1])).astype(x.dtype)",
        "x.masked_fill(m, -float('inf')).reshape([2, -1, 1]), 1",
    )
    for spec, sizes in (
        (f32(2, "T"), LENGTHS[:2]), (f32(2, "T"), LENGTHS[2:]), (f32(2, 16), LENGTHS),
        (f32(2, 12), LENGTHS), (f64(2, 8), LENGTHS),
    )
] + [
    case(
        "softmax", "F.softmax(x + m)", x=f32("B", "T", low=1, high=4), sizes=LENGTHS[:2],
        m=Spec(("B", 1), values="gone"),
        no_grad="they are NaN",
    ),
    case(
        "fused_softmax_mask", "paddle.incubate.softmax_mask_fuse(x, m)", x=f32("B", 3, 4, "T"),
        m=Spec(("B", 1, 4, "T"), values="gone"),
        sizes=LENGTHS[:2], no_grad="they are NaN",
    ),
    case(
        "softmax", "F.softmax(x.masked_fill(m, -float('inf')), 0)", x=f32(8, "T"), sizes=LENGTHS,
        m=values([[True]], "bool"), no_grad="they are NaN",
    ),
]  # fmt: skip
OTHER = [
    case("swiglu", "paddle.incubate.nn.functional.swiglu(x)", x=f32("B", 6), grad=True),
    case("swiglu", "paddle.incubate.nn.functional.swiglu(x, y)", x=f32("B", 3), y=f32("B", 3)),
    case("multiply", "F.glu(x)", x=f32("B", 6), grad=True),
    case("multiply", "F.glu(x, 1)", x=f32("B", 6, 2)),
    case("maxout", "act(x)", x=f32("B", 4, "H", "W"), act="nn.Maxout(2)", grad=True),
    case("maxout", "F.maxout(x, 2, 1)", x=f32("B", 4, "H", "W"), grad=True),
    case("maxout", "F.maxout(x, 3, -1)", x=f32("B", 2, "H", 6)),
    case("maxout", "F.maxout(x, 2, 3)", x=f32(2, 2, 3, 6)),
    case("rrelu", "F.rrelu(x, training=True)", x=f32("B", 3)),
    case("gumbel_softmax", "F.gumbel_softmax(x)", x=f32("B", 3), compare="shapes"),
    case("gumbel_softmax", "F.gumbel_softmax(x, 0.5, True, 0)", x=f32("B", 3), compare="shapes"),
    case("sigmoid", "F.sigmoid(x)", x=i64("B", 3)),
    case("tanh", "F.tanh(x)", x=c64("B", 3)),
    case("sigmoid", "F.sigmoid(x)", x=c64("B", 3)),
    case("silu", "F.silu(x)", x=c64("B", 3)),
]

CASES = [*PLAIN, *LAYERS, *PRELU, *SOFTMAX, *MASKED, *OTHER]
