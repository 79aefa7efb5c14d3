"""Cases for element-wise operators with two or more operands."""

from __future__ import annotations

from tests.oracle.case import Case, boolean, c64, case, f16, f32, f64, i32, i64, values

NAN, INF = float("nan"), float("inf")

ARITHMETIC: list[Case] = [
    made
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "fmin")
    for made in (
        case(name, f"paddle.{name}(x, y)", x=f32("B", 3, "H"), y=f32("B", 3, "H"), grad=True),
        case(name, f"paddle.{name}(x, y)", x=f32("B", 1, 4), y=f32(3, 1), grad=True),
        case(name, f"paddle.{name}(x, y)", x=f64(3), y=f64()),
        case(name, f"paddle.{name}(x, y)", x=f32(), y=f32()),
        case(name, f"paddle.{name}(x, y)", x=f32(0, 3), y=f32(3)),
        case(
            name,
            f"paddle.{name}(x, y)",
            x=values([NAN, 1.0, INF, -INF, 0.0]),
            y=values([1.0, NAN, INF, INF, 0.0]),
            no_grad="equal values share the gradient in another way",
        ),
    )
]
INTEGER = [
    case(name, f"paddle.{name}(x, y)", x=spec("B", 4, low=-9, high=9), y=spec(4, low=1, high=5))
    for name in (
        "add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "minimum", "fmax",
        "fmin", "bitwise_and", "bitwise_or", "bitwise_xor",
    )
    for spec in (i32, i64)
]  # fmt: skip
HALF = [
    case(
        name,
        f"paddle.{name}(x.astype('bfloat16'), y.astype('bfloat16'))",
        x=f32("B", 4),
        y=f32("B", 4, low=1),
    )
    for name in ("subtract", "multiply", "divide")  # add crashes Paddle
]
NUMBERS = [
    case("scale", "x * 0.1", x=f32("B", 3), grad=True),
    case("scale", "x * 0.1", x=f64("B", 3)),
    case("scale", "x * 0.1", x=f16("B", 3)),
    case("scale", "(x + 2.5) * 2", x=f32("B", 3)),
    case("scale", "(x - 3) * 2", x=i64("B", 3)),
    case("scale", "-x", x=f32("B", 3)),
    case("scale", "-x", x=i64("B", 3)),
    case("scale", "1 - x", x=f32("B", 3), grad=True),
    case("scale", "paddle.scale(x, 2.5, 1.5)", x=i64("B", 3)),
    case("scale", "paddle.scale(x, 2.0, -1.7)", x=i32("B", 3)),
    case("scale", "paddle.scale(x, 2.5, 1.5)", x=f32("B", 3)),
    case("scale", "paddle.scale(x, 2.5, 1.5, bias_after_scale=False)", x=f32("B", 3)),
    case("scale", "paddle.scale(x, 2.0, 3.0, bias_after_scale=False)", x=i64("B", 3)),
    case("scale", "paddle.scale(x, 1.0, 3.0, bias_after_scale=False) * 2", x=f32()),
    case("scale", "paddle.scale(x, s, 1.0)", x=f32("B", 3), s=f32(1)),
    case("scale", "paddle.scale(x, s, 1.0)", x=f32(), s=f32()),
    case("scale", "paddle.scale(x, s, 1.0)", x=f64("B"), s=f32(1)),
    case("scale", "paddle.scale(x, 1.0, 0.0) + y", x=f32("B"), y=f32(1)),
    case("divide", "3 / x", x=f32("B", 3, low=1, high=2)),
    case("divide", "3 / x", x=f32(2, 3, low=1, high=2)),
    case("divide", "x / paddle.full([1], 3.0)", x=f32("B")),
    case("divide", "x / paddle.full([1], 3.0)", x=f32()),
    case("divide", "x / y", x=i64("B", low=1, high=9), y=i64("B", low=1, high=9)),
    case("add", "x + paddle.full([3, 1], 2.0)", x=f32("B")),
    case("add", "x + paddle.full([1], 2, 'int32')", x=i32("B")),
    case("add", "x + paddle.full([1], 2, 'int64')", x=i64()),
    case("add", "x + x.shape[0]", x=i64("B")),
    case("add", "x + paddle.shape(x)[0]", x=i64("B")),
    case("multiply", "x * paddle.shape(x)[1].astype('float32')", x=f32(2, "H")),
    case("maximum", "paddle.maximum(x, paddle.full([1], 0.5))", x=f32("B", 3), grad=True),
    case("minimum", "paddle.minimum(paddle.full([], 0.5), x)", x=f32("B", 3)),
    case("maximum", "paddle.maximum(x, paddle.full([1], 2, 'int64'))", x=i64("B")),
    case("floor_divide", "x // 2", x=i64("B", low=-9, high=9)),
    case("floor_divide", "x // 2.0", x=f32("B", low=-9, high=9)),
    case("floor_divide", "x // y", x=values([7.0, -7.0, 1.0, 0.0]), y=values([2.0, 2.0, 0.0, 0.0])),
    case("remainder", "x % 3", x=i32("B", low=-9, high=9)),
    case("remainder", "x % 3.0", x=f32("B", low=-9, high=9), grad=True),
    case(
        "remainder",
        "x % y",
        x=values([7.0, -7.0, 7.0, -7.0, 1.0, 3.0]),
        y=values([2.0, 2.0, -2.0, -2.0, 0.0, INF]),
    ),
    case("trunc_divide", "paddle._C_ops.trunc_divide(x, y)", x=i64("B", low=-9, high=9),
         y=i64("B", low=1)),
    case("trunc_divide", "paddle._C_ops.trunc_divide(x, y)", x=f32(4, low=-9, high=9), y=f32(4)),
    case("elementwise_pow", "x ** 2", x=f32("B", 3), grad=True),
    case("elementwise_pow", "x ** 2", x=i64("B", 3)),
    case("elementwise_pow", "x ** 0.5", x=f32("B", 3, low=0)),
    case("elementwise_pow", "2 ** x", x=f32(2, 3), grad=True),
    case("elementwise_pow", "x ** y", x=f32("B", 3, low=0.1), y=f32(3), grad=True),
    case("elementwise_pow", "x ** y", x=i32("B", 3, low=-3), y=i32(3)),
    case("pow", "paddle.pow(x, 3)", x=f32("B", 3), grad=True),
    case("pow", "paddle.pow(x, 2.5)", x=i64("B", 3)),
    case("pow", "paddle.pow(x, 0.5)", x=f64("B", 3, low=0)),
    case("pow", "paddle.pow(x, -1.5)", x=f32("B", 3, low=0.1)),
]  # fmt: skip
COMPARISON = [
    made
    for name in ("equal", "not_equal", "less_than", "less_equal", "greater_than", "greater_equal")
    for made in (
        case(name, f"paddle.{name}(x, y)", x=i64("B", 3), y=i64(3)),
        case(name, f"paddle.{name}(x, y)", x=boolean("B", 3), y=boolean(3)),
        case(name, f"paddle.{name}(x, y)", x=values([1.0, NAN, INF]), y=values([1.0, NAN, INF])),
        case(name, f"paddle.{name}(x, paddle.full([1], 1.0))", x=f32(0, 3)),
    )
] + [
    case("greater_than", "x > 0.5", x=f32("B", 3)),
    case("less_than", "0.5 > x", x=f64("B", 3)),
    case("equal", "x == 1", x=i32()),
    case("equal", "x == paddle.full([1], 1, 'int32')", x=i32()),
    case("equal_all", "paddle.equal_all(x, y)", x=i64("B", 3), y=i64("B", 3, high=1)),
    case("equal_all", "paddle.equal_all(x, x)", x=i64(3)),
    case("equal_all", "paddle.equal_all(x, y)", x=f32("B"), y=f32("N")),
    case("equal_all", "paddle.equal_all(x, y)", x=values([1.0, NAN]), y=values([1.0, NAN])),
    case("isclose", "paddle.isclose(x, y)", x=values([1.0, INF, 3.0, NAN, 1.0]),
         y=values([1.000001, INF, -INF, NAN, 1.1])),
    case("isclose", "paddle.isclose(x, y, 0.1, 0.05, equal_nan=True)", x=values([1.0, 0.04, NAN]),
         y=values([1.15, 0.0, NAN])),
    case("isclose", "paddle.isclose(x, y, 0.1)", x=f64("B"), y=f64("B")),
    case("allclose", "paddle.allclose(x, y)", x=f32("B", 3), y=f32("B", 3)),
    case("allclose", "paddle.allclose(x, y, equal_nan=True)", x=values([1.0, NAN]),
         y=values([1.0, NAN])),
    case("allclose", "paddle.allclose(x, y, rtol=0.2)", x=values([1.0, 2.0]),
         y=values([1.1, 2.0], "float32")),
]  # fmt: skip
LOGIC = [
    made
    for name in ("logical_and", "logical_or", "logical_xor")
    for made in (
        case(name, f"paddle.{name}(x, y)", x=boolean("B", 3), y=boolean(3)),
        case(name, f"paddle.{name}(x, y)", x=values([0.0, NAN, 2.0]), y=values([1.0, 1.0, 0.0])),
        case(name, f"paddle.{name}(x, y)", x=i64("B", high=2), y=i64("B", high=2)),
    )
] + [
    case("bitwise_and", "x & y", x=boolean("B", 3), y=boolean(3)),
    case("bitwise_or", "x | y", x=boolean("B", 3), y=boolean(3)),
    case("bitwise_xor", "x ^ y", x=boolean("B", 3), y=boolean(3)),
    case("bitwise_left_shift", "x << y", x=i64("B", 3), y=i64(3)),
    case("bitwise_left_shift", "paddle.bitwise_left_shift(x, y, False)", x=i32(3), y=i32(3)),
    case("bitwise_right_shift", "x >> y", x=i64("B", 3, low=-99, high=99), y=i64(3)),
    case("bitwise_right_shift", "paddle.bitwise_right_shift(x, y, False)",
         x=i64("B", 3, low=-99, high=99), y=i64(3)),
    case("bitwise_right_shift", "paddle.bitwise_right_shift(x, y, False)",
         x=i32("B", 3, low=-99, high=99), y=i32(3)),
    case("bitwise_right_shift", "paddle.bitwise_right_shift(x, y, False)",
         x=values([3, 200], "uint8"), y=values([1, 2], "uint8")),
]  # fmt: skip
OTHER = [
    case("atan2", "paddle.atan2(x, y)", x=f32("B", 3), y=f32("B", 3), grad=True),
    case("atan2", "paddle.atan2(x, y)", x=i64("B", 3), y=i64("B", 3)),
    case("atan2", "paddle.atan2(x, y)", x=i32(3), y=i32(3)),
    case("heaviside", "paddle.heaviside(x, y)", x=values([-1.0, 0.0, 2.0, NAN]), y=f32(4),
         no_grad="torch has no derivative of heaviside"),
    case("heaviside", "paddle.heaviside(x, y)", x=i64("B", 3, high=2), y=i64(3)),
    case("nextafter", "paddle.nextafter(x, y)", x=f64("B", 3), y=f64("B", 3)),
    case("copysign", "paddle.copysign(x, y)", x=f32("B", 3), y=f32(3), grad=True),
    case("copysign", "paddle.copysign(x, y)", x=i64("B", 3, low=-5), y=i64(3, low=-5)),
    case("copysign", "paddle.copysign(x, y)", x=values([1.0, 2.0]), y=values([-0.0, 0.0])),
    case("gammaincc", "paddle.gammaincc(x, y)", x=f32("B", low=0.1), y=f32("B", low=0.0),
         no_grad="torch has no derivative by x"),
    case("gammaincc", "paddle.gammainc(x, y)", x=f64("B", low=0.1), y=f64("B", low=0.0),
         no_grad="torch has no derivative by x"),
    case("subtract", "paddle.logaddexp(x, y)", x=f32("B"), y=f32("B")),
    case("pow", "paddle.hypot(x, y)", x=f32("B"), y=f32("B")),
    case("elementwise_pow", "paddle.ldexp(x, y)", x=f32("B"), y=i32("B")),
    case("increment", "paddle._C_ops.increment(x, 2.5)", x=f32(1)),
    case("increment", "paddle._C_ops.increment(x, 2.5)", x=i64(1)),
    case("add_n", "paddle.add_n([x, y, x])", x=f32("B", 3), y=f32("B", 3), grad=True),
    case("add_n", "paddle.add_n([x])", x=f32("B", 3)),
    case("add_n", "paddle.add_n([x, y])", x=i64("B", 3), y=i64("B", 3)),
    case("clip", "paddle.clip(x, 0, 1)", x=f32("B", 3), grad=True),
    case("clip", "paddle.clip(x, 0)", x=values([-1.0, NAN, INF])),
    case("clip", "paddle.clip(x, max=0.1)", x=f64("B", 3)),
    case("clip", "paddle.clip(x, 1, 3)", x=i64("B", 3)),
    case("clip", "paddle.clip(x, 1)", x=i64("B", 3)),
    case("clip", "paddle.clip(x, max=2)", x=i32("B", 3)),
    case("clip", "paddle.clip(x, 1.5, 2.7)", x=i64("B", 3)),
    case("clip", "paddle.clip(x, 1, m)", x=f32("B", 3), m=values([1.5])),
    case("clip", "paddle.clip(x, n, m)", x=f32("B", 3), m=values([1.5]), n=values(0.1)),
    case("clip", "paddle.clip(x, n, m)", x=f32(), m=values([1.5]), n=values([0.1])),
    case("clip", "paddle.clip(x.astype('bfloat16'), 0, 1)", x=f32("B", 3)),
    case("clip", "paddle.clip(x, 0, x.shape[1] - 1)", x=i64(3, "B", high=9)),
    case("where", "paddle.where(c, x, y)", c=boolean("B", 3), x=f32("B", 3), y=f32("B", 3),
         grad=True),
    case("where", "paddle.where(c, x, y)", c=boolean("B", 3), x=f32(3), y=f32("B", 1), grad=True),
    case("where", "paddle.where(c, x, y)", c=boolean(), x=i64("B", 3), y=i64()),
    case("where", "paddle.where(c, x, 2.0)", c=boolean("B", 3), x=f32("B", 3)),
    case("where", "paddle.where(c, 1.0, x)", c=boolean(3), x=f32(3)),
    case("where", "paddle._C_ops.where(c, x, paddle.full([3], 2.0))", c=boolean(3), x=f32(3)),
    case("where", "paddle._C_ops.where(c, paddle.full([1], 1.0), paddle.full([1], 2.0))",
         c=boolean(1)),
    case("where", "paddle.nan_to_num(x)", x=values([NAN, INF, -INF, 1.0])),
    case("lerp", "paddle.lerp(x, y, 0.3)", x=f32("B", 3), y=f32("B", 3), grad=True),
    case("lerp", "paddle.lerp(x, y, w)", x=f32("B", 3), y=f32("B", 3), w=f32(3)),
    case("lerp", "paddle.lerp(x, y, w)", x=f64("B", 1), y=f64(3), w=f64(1)),
    case("complex", "paddle.complex(x, y)", x=f32("B", 3), y=f32(3)),
    case("complex", "paddle.complex(x, y)", x=f64("B", 3), y=f64("B", 3)),
    case("complex", "paddle.polar(x, y)", x=f32("B", low=0), y=f32("B")),
    case("add", "x + y", x=c64("B", 3), y=c64(3)),
    case("multiply", "x * y", x=c64("B", 3), y=c64(3)),
    case("divide", "x / y", x=c64("B", 3), y=c64(3)),
    case("subtract", "x - y", x=c64("B", 3), y=c64(3)),
    case("add", "paddle.add(x, y)", x=boolean(3), y=boolean(3)),
    case("multiply", "paddle.multiply(x, y)", x=boolean(3), y=boolean(3)),
    case("scale", "paddle.cast(x, 'int64') * 2", x=i64(2, 0, 3)),
    case("while", "paddle.gcd(x, y)", x=i64(4, low=1, high=60), y=i64(4, low=1, high=60)),
]  # fmt: skip

CASES = [*ARITHMETIC, *INTEGER, *HALF, *NUMBERS, *COMPARISON, *LOGIC, *OTHER]
