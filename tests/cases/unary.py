"""Cases for element-wise functions of one tensor."""

from __future__ import annotations

from tests.oracle.case import Case, boolean, c64, case, f16, f32, f64, i32, i64, values

NAN, INF = float("nan"), float("inf")
SPECIAL = [-INF, -2.5, -1.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.5, INF, NAN]


def _everywhere() -> list[Case]:
    """Functions on all reals: random values with gradient, then the special points."""
    names = (
        "abs", "acos", "asin", "asinh", "acosh", "angle", "atan", "atanh", "ceil", "cos", "cosh",
        "digamma", "erf", "erfinv", "exp", "expm1", "floor", "gammaln", "i0", "i0e", "i1", "i1e",
        "isfinite", "isinf", "isnan", "lgamma", "log", "log10", "log1p", "log2", "reciprocal",
        "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "tan", "trunc",
    )  # fmt: skip
    flat = {"isfinite", "isinf", "isnan"}
    special = {"sign": SPECIAL[:-1], "erfinv": SPECIAL[3:-4]}  # outside, torch differs
    cases = []
    for name in names:
        text = f"paddle.{name}(x)"
        low = {"acosh": 1.1}.get(name, 0.05)
        spec = f32("B", 3, low=low, high=low + 0.9)
        cases += [
            case(name, text, x=spec, grad=name not in flat),
            case(name, text, x=f64(2, 0)),
            case(name, text, x=values(special.get(name, SPECIAL))),
            case(name, text, x=f64("B", low=low, high=low + 0.9)),
        ]
    return cases


HALF = [
    case(name, f"paddle.{name}(x)", x=f16("B", 3, low=0.1, high=0.9))
    for name in ("exp", "log", "floor", "ceil")
]
INTEGERS = [
    case("abs", "paddle.abs(x)", x=i64("B", low=-5)),
    case("abs", "paddle.abs(x)", x=i32("B", low=-5)),
    case("exp", "paddle.exp(x)", x=i64("B")),
    case("exp", "paddle.exp(x)", x=i32("B")),
    case("expm1", "paddle.expm1(x)", x=i32("B")),
    case("log", "paddle.log(x)", x=i64("B", low=1)),
    case("log2", "paddle.log2(x)", x=i32("B", low=1)),
    case("log10", "paddle.log10(x)", x=i64("B", low=1)),
    case("log1p", "paddle.log1p(x)", x=i64("B", low=1)),
    case("cast", "paddle.sqrt(x)", x=i64("B")),
    case("floor", "paddle.floor(x)", x=i64("B")),
    case("ceil", "paddle.ceil(x)", x=i32("B")),
    case("trunc", "paddle.trunc(x)", x=i64("B")),
    case("round", "paddle.round(x)", x=i64("B")),
    case("sign", "paddle.sign(x)", x=i64("B", low=-3, high=3)),
    case("square", "paddle.square(x)", x=i64("B")),
    case("reciprocal", "paddle._C_ops.reciprocal(x)", x=f32("B", low=1)),
    case("isnan", "paddle.isnan(x)", x=i64("B")),
    case("isfinite", "paddle.isfinite(x)", x=i32("B")),
    case("isinf", "paddle.isinf(x)", x=i64("B")),
    case("bitwise_not", "~x", x=i64("B")),
    case("bitwise_not", "~x", x=boolean("B")),
    case("logical_not", "paddle.logical_not(x)", x=boolean("B", 3)),
    case("logical_not", "paddle.logical_not(x)", x=values([0.0, NAN, 2.0])),
    case("logical_not", "paddle.logical_not(x)", x=i64("B", high=2)),
]
PARAMETERS = [
    case("round", "paddle.round(x, decimals=1)", x=f32("B", 3)),
    case("round", "paddle.round(x, decimals=-1)", x=f32("B", 3, low=-90, high=90)),
    case("round", "paddle.round(x, decimals=-1)", x=i64("B", 3, high=90)),
    case("rint", "paddle._C_ops.rint(x)", x=values(SPECIAL)),
    case("logit", "paddle.logit(x)", x=values([-1.0, 0.0, 0.3, 1.0, 2.0, NAN])),
    case("logit", "paddle.logit(x, 0.1)", x=values([-1.0, 0.0, 0.3, 1.0, 2.0, NAN])),
    case("logit", "paddle.logit(x, 1e-6)", x=f32("B", low=0.1, high=0.9), grad=True),
    case("polygamma", "paddle.polygamma(x, 1)", x=f32("B", low=0.1), grad=True),
    case("polygamma", "paddle.polygamma(x, 3)", x=f64("B", low=0.1)),
    case("stanh", "paddle.stanh(x)", x=f32("B", 3), grad=True),
    case("stanh", "paddle.stanh(x, 0.5, 2.0)", x=f64("B", 3)),
    case("clip_by_norm", "paddle._C_ops.clip_by_norm(x, 1.0)", x=f32("B", 3)),
    case("clip_by_norm", "paddle._C_ops.clip_by_norm(x, 50.0)", x=f32("B", 3)),
    case("renorm", "paddle.renorm(x, 2.0, 0, 1.0)", x=f32(2, 3)),
    case("renorm", "paddle.renorm(x, 1.0, -1, 2.0)", x=f32(2, 3, 4)),
]
CASTS = [
    case("cast", f"paddle.cast(x, '{dtype}')", x=spec)
    for dtype in ("float16", "float64", "int32", "int64", "uint8", "bool", "bfloat16")
    for spec in (f32("B", 3, low=0, high=9), f64(), i32("B", high=3), boolean("B"))
] + [
    case("cast", "paddle.cast(x, 'float32')", x=values([0.0, NAN, INF], "float16")),
    case("cast", "paddle.cast(x, 'bool')", x=values([0.0, NAN, 0.2])),
    case("cast", "paddle.cast(x, 'uint8')", x=values([1.7, 300.0, -1.0])),
    case("cast", "paddle.cast(x, 'int32')", x=f32("B", low=-9, high=9)),
    case("cast", "paddle.cast(x, 'complex64')", x=f32("B")),
    case("cast", "paddle.cast(x, 'int32') * 2", x=i64("B", 0)),
]
COMPLEX = [
    case("real", "paddle.real(x)", x=c64("B", 3)),
    case("imag", "paddle.imag(x)", x=c64("B", 3)),
    case("abs", "paddle.abs(x)", x=c64("B", 3)),
    case("angle", "paddle.angle(x)", x=c64("B", 3)),
    case("conj", "paddle.conj(x)", x=c64("B", 3)),
    case("conj", "paddle.conj(x)", x=f32("B", 3)),
    case("exp", "paddle.exp(x)", x=c64("B", 3)),
    case("sin", "paddle.sin(x)", x=c64("B", 3)),
    case("log", "paddle.log(x)", x=c64("B", 3)),
    case("square", "paddle.square(x)", x=c64("B", 3)),
    case("as_real", "paddle.as_real(x)", x=c64("B", 3)),
    case("as_real", "paddle.as_real(paddle.conj(x))", x=c64("B", 3)),
    case("as_complex", "paddle.as_complex(x)", x=f32("B", 3, 2)),
    case("as_complex", "paddle.as_complex(paddle.transpose(x, [1, 0]))", x=f32(2, "B")),
    case("as_complex", "paddle.sgn(x)", x=c64("B")),
    case("isnan", "paddle.isnan(x)", x=c64("B")),
]
COMPOSED = [
    case("trunc", "paddle.frac(x)", x=f32("B")),
    case("isnan", "paddle.sinc(x)", x=f32("B")),
    case("scale", "paddle.deg2rad(x)", x=f32("B")),
    case("copysign", "paddle.isposinf(x)", x=values(SPECIAL)),
    case("lgamma", "paddle.multigammaln(x, 2)", x=f32("B", low=1)),
    case("subtract", "paddle.diff(x)", x=f32("B", 5)),
]

CASES = [*_everywhere(), *HALF, *INTEGERS, *PARAMETERS, *CASTS, *COMPLEX, *COMPOSED]
