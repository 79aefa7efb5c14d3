"""Element-wise functions of one and of several tensors."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Sketch, family

_UNARY = (
    "abs", "acos", "asin", "asinh", "acosh", "angle", "atan", "atanh", "ceil", "cos", "cosh",
    "digamma", "erf", "erfinv", "exp", "expm1", "floor", "i0", "i0e", "i1", "i1e", "isfinite",
    "isinf", "isnan", "lgamma", "log", "log10", "log1p", "log2", "reciprocal", "round", "rsqrt",
    "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "neg", "frac", "sinc",
    "deg2rad", "rad2deg", "isposinf", "isneginf", "isreal", "signbit", "nan_to_num",
    "logical_not", "bitwise_not", "sgn", "positive",
)  # fmt: skip
_ACTIVATIONS = (
    "relu", "relu6", "sigmoid", "silu", "swish", "mish", "softsign", "tanhshrink", "log_sigmoid",
    "hardswish", "gelu", "selu", "tanh", "leaky_relu", "elu", "celu", "softplus", "softshrink",
    "hardshrink", "hardtanh", "thresholded_relu", "hardsigmoid",
)  # fmt: skip
_BINARY = (
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "mod", "floor_mod", "pow",
    "maximum", "minimum", "fmax", "fmin", "atan2", "heaviside", "nextafter", "copysign",
    "logaddexp", "hypot", "ldexp", "equal", "not_equal", "less_than", "less_equal", "greater_than",
    "greater_equal", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or",
    "bitwise_xor", "isclose", "allclose", "equal_all", "gcd", "lcm", "dist", "gammainc",
    "gammaincc", "bitwise_left_shift", "bitwise_right_shift", "logical_and", "kron", "inner",
    "outer", "true_divide", "reduce_as",
)  # fmt: skip
_OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^")


@family()
def unary(s: Sketch) -> Case:
    name = s.pick(*_UNARY)
    if name == "erfinv":  # outside its domain, integers differ
        return s.case(f"paddle.erfinv({s.add('x', s.shape(), s.floats(), -0.95, 0.95)})")
    s.tensor("x", s.shape(), s.pick("float32", "float64", "int64", "int32", "float16", "bool"))
    return s.case(f"paddle.{name}(x)")


@family()
def activation(s: Sketch) -> Case:
    name = s.pick(*_ACTIVATIONS)
    s.add("x", s.shape(), s.floats(), values=s.pick(None, None, None, "ties"))
    arguments = {
        "gelu": lambda: str(s.often()),
        "leaky_relu": lambda: str(s.number(-0.5, 1.5)),
        "elu": lambda: str(s.number(0.05, 2)),
        "celu": lambda: str(s.number(0.05, 2)),
        "selu": lambda: f"{s.number(1.05, 2)}, {s.number(0.05, 2)}",
        "softplus": lambda: f"{s.number(0.5, 3)}, {s.number(0.5, 3)}",
        "softshrink": lambda: str(s.number(0, 1)),
        "hardshrink": lambda: str(s.number(0, 1)),
        "hardtanh": lambda: f"{s.number(-2, -0.05)}, {s.number(0.05, 2)}",
        "thresholded_relu": lambda: f"{s.number(-1, 1)}, {s.number()}",
        "hardsigmoid": lambda: f"{s.number(0.05, 0.5)}, {s.number(-1, 1)}",
    }
    more = f", {arguments[name]()}" if name in arguments and s.often(70) else ""
    return s.case(f"F.{name}(x{more})")


@family()
def axis_activation(s: Sketch) -> Case:
    """Activations along an axis or with weights."""
    dims = s.shape((1, 4))
    axis = s.axis(len(dims))
    kind = s.pick("softmax", "log_softmax", "glu", "maxout", "prelu", "swiglu")
    if kind == "glu":
        dims[axis] = 2 * s.int(1, 3)
    if kind == "maxout":
        dims = [s.dim(), s.dim(), s.dim(), s.dim()]
        axis = s.pick(1, -1, 3)
        dims[axis] = 4
    s.add("x", dims, s.floats())
    if kind == "prelu":
        if len(dims) < 2 or not isinstance(dims[1], int):
            return s.case(f"F.prelu(x, {s.add('w', [1])})")
        s.add("w", [s.pick(1, dims[1])], s.inputs["x"].dtype)
        return s.case("F.prelu(x, w)")
    if kind == "swiglu":
        s.add("y", dims, s.inputs["x"].dtype)
        return s.case("paddle.incubate.nn.functional.swiglu(x, y)")
    if kind == "maxout":
        return s.case(f"F.maxout(x, {s.pick(2, 4)}, {axis})")
    if kind in ("softmax", "log_softmax") and s.often(20):
        return s.case(f"F.{kind}(x, {axis}, dtype='{s.pick('float64', 'float32')}')")
    return s.case(f"F.{kind}(x, {axis})")


def _pair(s: Sketch, dtype: str) -> None:
    """Inputs x and y that broadcast, either way round."""
    dims = s.shape()
    first, second = (dims, s.like(dims)) if s.often() else (s.like(dims), dims)
    s.tensor("x", first, dtype)
    s.tensor("y", second, dtype)


@family()
def binary(s: Sketch) -> Case:
    name = s.pick(*_BINARY)
    dtype = s.pick("float32", "float64", "int64", "int32", "float16", "bool", "uint8")
    if name == "ldexp":
        dtype = "float32"
    _pair(s, dtype)
    if name.startswith("gammainc"):  # elsewhere it is not defined
        for one in ("x", "y"):
            s.add(one, s.inputs[one].dims, dtype, 0.1, 4)
    if name in ("pow", "bitwise_left_shift", "bitwise_right_shift") and "int" in dtype:
        s.add("y", s.inputs["y"].dims, dtype, 0, 4)
    if name.endswith("shift") and s.often():
        return s.case(f"paddle.{name}(x, y, False)")
    if name in ("floor_divide", "remainder", "mod", "floor_mod") and "int" in dtype:
        s.add("y", s.inputs["y"].dims, dtype, 1, 6)
    if name == "ldexp":
        s.add("y", s.inputs["y"].dims, s.pick("int32", "int64"))
    return s.case(f"paddle.{name}(x, y)")


@family()
def mixed_binary(s: Sketch) -> Case:
    """Operators between tensors of several dtypes, and 0-d tensors."""
    dims = s.shape()
    dtypes = ("float32", "float64", "int64", "int32", "float16", "bool", "complex64")
    s.add("x", dims, s.pick(*dtypes))
    s.add("y", s.pick(dims, []), s.pick(*dtypes))
    if "int" in s.inputs["y"].dtype:
        s.add("y", s.inputs["y"].dims, s.inputs["y"].dtype, 1, 5)
    orders = not any("complex" in spec.dtype for spec in s.inputs.values())  # torch has none
    operators = _OPERATORS if orders else [*_OPERATORS[:4], "**", "==", "!="]
    return s.case(f"x {s.pick(*operators)} y")


@family()
def scalar_operator(s: Sketch) -> Case:
    """Operators between a tensor and a Python number, either way round."""
    dtype = s.pick("float32", "float32", "float64", "int64", "int32", "float16", "bool")
    operator = s.pick(*_OPERATORS[:13])
    number = s.pick(s.int(-3, 4), s.number(), True)
    if "int" in dtype and operator in ("**", "//", "%"):
        number = s.int(1, 4)
    if s.often(35) and operator not in ("//", "%"):
        s.add("x", s.shape(), dtype, 1, 4)
        return s.case(f"{abs(number) or 1} {operator} x")
    s.tensor("x", s.shape(), dtype)
    return s.case(f"x {operator} {number}")


@family()
def scaled(s: Sketch) -> Case:
    """Functions with numbers as attributes."""
    dtype = s.pick("float32", "float32", "float64", "int64", "int32", "float16")
    x = s.tensor("x", s.shape(), dtype)
    kind = s.int(0, 7)
    if kind == 0:
        bias, after = s.number(), s.often()
        return s.case(f"paddle.scale({x}, {s.pick(2, s.number(), 0.5)}, {bias}, {after})")
    if kind == 1:
        low = s.pick("None", s.number(-2, 0), s.int(-2, 0))
        return s.case(f"paddle.clip({x}, {low}, {s.pick('None', s.number(0, 2), s.int(0, 2))})")
    if kind == 2:
        return s.case(f"paddle.stanh({x}, {s.number(0.1, 2)}, {s.number(0.1, 2)})")
    if kind == 3:
        return s.case(f"paddle.round({x}, decimals={s.int(-1, 2)})")
    if kind == 4:
        return s.case(f"paddle.logit({x}, {s.pick('None', 0.1, 1e-6)})")
    if kind == 5:
        return s.case(f"paddle.nan_to_num({x}, {s.number()}, {s.pick('None', 9.5)}, -7.0)")
    if kind == 6:
        s.add("x", s.inputs["x"].dims, dtype)  # Paddle's cube of -inf is inf
        return s.case(f"paddle.pow({x}, {s.pick(2, 3, 0.5, 2.0, 0, 1, 1.5)})")
    s.add("x", s.inputs["x"].dims, s.floats(), 0.1, 3)  # left of zero are poles
    return s.case(f"paddle.polygamma(x, {s.int(0, 3)})")


@family()
def cast(s: Sketch) -> Case:
    every = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8",
             "uint8", "bool", "complex64", "complex128")  # fmt: skip
    source = s.pick(*(name for name in every if name != "bfloat16"))
    low = 0 if source.startswith("u") else -6
    s.add("x", s.shape(), source, low, 6)
    target = s.pick(*every)
    if "uint" in target and "float" in source:
        s.add("x", s.inputs["x"].dims, source, 0, 6)
    then = s.pick("", " * 2") if target not in ("bool", "bfloat16") else ""
    return s.case(f"paddle.cast(x, '{target}'){then}")


@family()
def where(s: Sketch) -> Case:
    dims = s.shape()
    s.add("c", s.like(dims), "bool")
    dtype = s.numbers()
    kind = s.int(0, 4)
    if kind == 0:
        return s.case(f"paddle.where(c, {s.number()}, {s.tensor('y', dims, dtype)})")
    if kind == 1:
        return s.case(f"paddle.where(c, {s.tensor('y', dims, dtype)}, {s.int(-3, 3)})")
    if kind == 2:
        return s.case(f"paddle.masked_fill({s.tensor('x', dims, dtype)}, c, {s.int(0, 3)})")
    s.tensor("x", s.like(dims), dtype)
    s.tensor("y", dims, dtype)
    return s.case("paddle.where(c, x, y)")


@family()
def three(s: Sketch) -> Case:
    """lerp, add_n, addcmul and others of three tensors."""
    dims, dtype = s.shape(), s.floats()
    like = dims if s.often() else s.like(dims)
    s.add("x", like, dtype)
    s.add("y", dims, dtype)
    s.add("z", like, dtype)
    expressions = (
        "paddle.lerp(x, y, z)", f"paddle.lerp(x, y, {s.number()})", "x * y + z", "(x + y) / 2 - z",
        "paddle.clip(y, x.min(), z.max())", "paddle.add_n([y, y, y])", "paddle.clip(y, x.min())",
        "paddle.multiplex([y, y * 2], paddle.zeros([y.shape[0], 1], 'int32'))",
    )  # fmt: skip
    return s.case(s.pick(*expressions))


@family()
def complex_numbers(s: Sketch) -> Case:
    dims = s.shape()
    dtype = s.pick("complex64", "complex128")
    s.add("x", dims, dtype)
    s.add("y", s.like(dims), dtype)
    unary = ("abs", "angle", "conj", "real", "imag", "exp", "sin", "cos", "tan", "sinh", "cosh",
             "tanh", "log", "log2", "log10", "log1p", "square", "sqrt", "reciprocal", "as_real",
             "sgn", "isnan", "isfinite", "isinf", "expm1", "asin", "acos", "atan", "neg",
             "sum", "mean", "prod", "cumsum", "rsqrt", "is_complex")  # fmt: skip
    if s.often():
        return s.case(f"paddle.{s.pick(*unary)}(x)")
    name = s.pick("add", "subtract", "multiply", "divide", "equal", "not_equal", "pow", "matmul")
    return s.case(f"paddle.{name}(x, y)")
