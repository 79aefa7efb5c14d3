"""Element-wise functions of one tensor: roots, logarithms, angles, rounding, complex parts."""

from __future__ import annotations

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype
from workbench.core.dtypes import is_float, is_integer
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

_SAME = (
    "abs", "acos", "acosh", "angle", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh",
    "digamma", "erf", "exp", "expm1", "floor", "i0", "isfinite", "isinf", "isnan", "lgamma", "log",
    "log10", "log1p", "log2", "logical_not", "reciprocal", "rsqrt", "sin", "sinh", "sqrt",
    "square", "tan",
)  # fmt: skip
_RENAMED = {
    "i0e": "special.i0e", "i1": "special.i1", "i1e": "special.i1e", "gammaln": "lgamma",
    "rint": "round", "bitwise_not": "bitwise_not", "conj": "conj_physical",
}  # fmt: skip
#: Beyond `ELEMENTWISE`, by operator.
_TRAITS = {
    "abs": (Trait.ANY_INTEGERS,),
    "ceil": (Trait.DECIDES, Trait.NARROWING),
    "erf": (Trait.BOUNDED,),
    "exp": (Trait.FLOAT32_COMPLEX,),
    "floor": (Trait.DECIDES, Trait.NARROWING),
}


def _unary(operator: str, target: str) -> None:
    def convert(op: Context, x: Value) -> Call:
        return call(target, x)

    convert.__doc__ = f"Same function in both frameworks: {target}."
    rule(f"pd_op.{operator}", traits=(Trait.ELEMENTWISE, *_TRAITS.get(operator, ())))(convert)


for _name in _SAME:
    _unary(_name, f"torch.{_name}")
for _name, _target in _RENAMED.items():
    _unary(_name, f"torch.{_target}")


@rule("pd_op.sign", traits=(Trait.ELEMENTWISE, Trait.DECIDES, Trait.ANY_INTEGERS))
def sign(op: Context, x: Value) -> Call:
    """-1, 0 or 1. The sign of NaN is NaN in Paddle, 0 in torch."""
    return call("torch.sign", x)


@rule("pd_op.erfinv", traits=(Trait.ELEMENTWISE,))
def erfinv(op: Context, x: Value) -> Call:
    """Inverse error function. Outside [-1, 1] Paddle gives ±infinity, torch NaN."""
    return call("torch.erfinv", x)


@rule("pd_op.trunc", traits=(Trait.ELEMENTWISE, Trait.DECIDES, Trait.NARROWING))
def trunc(op: Context, input_: Value) -> Call:
    """Rounded towards zero."""
    return call("torch.trunc", input_)


@rule("pd_op.round", traits=(Trait.ELEMENTWISE, Trait.DECIDES, Trait.NARROWING))
def round_(op: Context, x: Value, decimals: int = 0) -> Call:
    """Rounded half to even. Paddle leaves integers alone even for negative decimals."""
    if decimals == 0 or is_integer(x.dtype):
        return call("torch.round", x)
    return call("torch.round", x, decimals=decimals)


@rule("pd_op.logit", traits=(Trait.ELEMENTWISE,))
def logit(op: Context, x: Value, eps: float = 1e-6) -> Call:
    """log(x / (1 - x)) of x cut to [eps, 1 - eps]; not cut when eps is 0."""
    return call("torch.logit", x, eps=eps) if eps else call("torch.logit", x)


@rule("pd_op.polygamma", traits=(Trait.FLOAT32_INSIDE,))
def polygamma(op: Context, x: Value, n: int) -> Call:
    """Derivative n of the digamma function."""
    return call("torch.polygamma", n, x)


@rule("pd_op.stanh", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def stanh(op: Context, x: Value, scale_a: float = 0.67, scale_b: float = 1.7159) -> Call:
    """scale_b · tanh(scale_a · x)."""
    return call("torch.tanh", call("operator.mul", x, scale_a)) * scale_b


@rule(
    "pd_op.cast",
    traits=(
        Trait.ELEMENTWISE,
        Trait.KEEPS_ELEMENTS,
        Trait.DECIDES,
        Trait.NARROWING,
        Trait.ANY_INTEGERS,
    ),
)
def cast(op: Context, x: Value, dtype: str) -> Call:
    """Another dtype; a float becomes an integer by truncation."""
    return method(x, "to", Dtype(op.out.dtype))


@rule("pd_op.real", traits=())
def real(op: Context, x: Value) -> Call:
    """Real part."""
    return call("torch.real", x) if not is_float(x.dtype) else method(x, "clone")


@rule("pd_op.imag", traits=())
def imag(op: Context, x: Value) -> Call:
    """Imaginary part."""
    return call("torch.imag", x)


@rule("pd_op.as_complex", traits=())
def as_complex(op: Context, x: Value) -> Call:
    """Pairs on the last axis as complex numbers; torch wants them beside each other in memory."""
    return call("torch.view_as_complex", method(x, "contiguous"))


@rule("pd_op.as_real", traits=())
def as_real(op: Context, x: Value) -> Call:
    """Complex numbers as pairs on a new last axis."""
    return call("torch.view_as_real", x)


@rule("pd_op.clip_by_norm", traits=())
def clip_by_norm(op: Context, x: Value, max_norm: float) -> Call:
    """Scaled down so that the Euclidean norm of the whole tensor is at most `max_norm`."""
    return call("fn.clip_by_norm", x, max_norm)


@rule("pd_op.renorm", traits=(Trait.FLOAT32_INSIDE,))
def renorm(op: Context, x: Value, p: float, axis: int, max_norm: float) -> Call:
    """Each slice along the axis scaled down so that its p-norm is at most `max_norm`."""
    return call("torch.renorm", x, p, axis, max_norm)
