"""Element-wise operators with two or more operands: arithmetic, comparison, logic, selection."""

from __future__ import annotations

import math
from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype
from workbench.core.dtypes import is_float, is_integer
from workbench.core.errors import UnsupportedOp
from workbench.core.integers import Symbol
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule


def number(op: Context, value: Value, *others: Value) -> Any:
    """`value` as a Python number where that leaves dtype and shape of the result alone.

    Paddle makes a tensor of every number. Half precision keeps the tensor where it has another rank
    or dtype than the other operands.
    """
    known = op.known(value)
    if known is None or len(known.items) != 1 or value.dtype == "bool":
        return value
    (item,) = known.items
    if isinstance(item, Symbol) and not (known.pure and is_integer(value.dtype)):
        return value
    fits = any(
        other.dtype == value.dtype and len(other.shape) >= len(value.shape) for other in others
    )
    return op.scalar(value) if fits else value


def with_number(op: Context, x: Value, y: Value) -> tuple[Any, Any]:
    """Both operands, one of them as a number where it is one."""
    right = number(op, y, x)
    return (x, right) if right is not y else (number(op, x, y), y)


def typed(op: Context, result: Call, *inputs: Value) -> Call:
    """The result, cast to Paddle's dtype when inputs of several dtypes leave it open."""
    if len({value.dtype for value in inputs}) == 1:
        return result
    return result.method("to", Dtype(op.out.dtype))


#: Beyond `ELEMENTWISE`, by operator.
_TRAITS = {
    "add": (Trait.LINEAR, Trait.BINARY, Trait.ANY_INTEGERS),
    "subtract": (Trait.LINEAR, Trait.BINARY, Trait.ANY_INTEGERS),
    "multiply": (Trait.BINARY, Trait.ANY_INTEGERS),
    "floor_divide": (Trait.DECIDES,),
    "remainder": (Trait.DECIDES,),
    "equal": (Trait.NEARLY_EQUAL,),
    "not_equal": (Trait.NEARLY_EQUAL,),
    "maximum": (Trait.BINARY, Trait.ANY_INTEGERS),
    "minimum": (Trait.BINARY, Trait.ANY_INTEGERS),
}
#: Of comparisons. Paddle's `equal` of floats holds numbers equal that differ by up to 4 · 2⁻⁵².
_COMPARED = (Trait.ELEMENTWISE, Trait.DECIDES, Trait.ANY_INTEGERS)


def _traits(operator: str) -> tuple[Trait, ...]:
    return (Trait.ELEMENTWISE, *_TRAITS.get(operator, ()))


def _binary(operator: str, target: str, doc: str, numbers: bool = True) -> None:
    def convert(op: Context, x: Value, y: Value) -> Call:
        left, right = with_number(op, x, y) if numbers else (x, y)
        return typed(op, call(target, left, right), x, y)

    convert.__doc__ = doc
    rule(f"pd_op.{operator}", traits=_traits(operator))(convert)


for _name, _symbol in {
    "add": "add", "subtract": "sub", "multiply": "mul", "floor_divide": "floordiv",
    "remainder": "mod", "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor",
}.items():  # fmt: skip
    _binary(_name, f"operator.{_symbol}", "Same in both frameworks, with numpy's broadcasting.")

for _name in ("fmax", "fmin", "heaviside", "nextafter"):
    _binary(_name, f"torch.{_name}", f"Same in both frameworks: torch.{_name}.", numbers=False)


@rule("pd_op.copysign", traits=())
def copysign(op: Context, x: Value, y: Value) -> Call:
    """Size of x, sign of y: integers stay integers, which torch makes floats."""
    found = call("torch.copysign", x, y)
    same = is_float(x.dtype) and x.dtype == y.dtype
    return found if same else found.method("to", Dtype(op.out.dtype))


for _name in ("logical_and", "logical_or", "logical_xor"):
    _binary(_name, f"torch.{_name}", "Nonzero counts as true, NaN too; gives bool.", numbers=False)

_binary("gammaincc", "torch.special.gammaincc", "Upper incomplete gamma function.", numbers=False)


def _comparison(operator: str, symbol: str) -> None:
    def convert(op: Context, x: Value, y: Value) -> Call:
        return call(f"operator.{symbol}", *with_number(op, x, y))

    convert.__doc__ = "Element by element, gives bool; same in both frameworks."
    rule(f"pd_op.{operator}", traits=(*_COMPARED, *_TRAITS.get(operator, ())))(convert)


for _name, _symbol in {
    "equal": "eq", "not_equal": "ne", "less_than": "lt", "less_equal": "le",
    "greater_than": "gt", "greater_equal": "ge",
}.items():  # fmt: skip
    _comparison(_name, _symbol)


@rule("pd_op.divide", traits=(Trait.ELEMENTWISE, Trait.BINARY))
def divide(op: Context, x: Value, y: Value) -> Call:
    """True division. Where an old program divides integers, Paddle truncates."""
    if is_integer(op.out.dtype):
        return call("torch.div", x, y, rounding_mode="trunc")
    left, right = with_number(op, x, y)
    if left is not x and x.dtype not in ("float32", "float64"):
        left = x  # torch multiplies a number by the reciprocal, too coarse in half precision
    return typed(op, call("operator.truediv", left, right), x, y)


@rule("pd_op.trunc_divide", traits=())
def trunc_divide(op: Context, x: Value, y: Value) -> Call:
    """Division rounded towards zero."""
    return call("torch.div", x, y, rounding_mode="trunc")


@rule("pd_op.elementwise_pow", traits=(Trait.ELEMENTWISE,))
def elementwise_pow(op: Context, x: Value, y: Value) -> Call:
    """Power; integers stay integers, for which torch refuses a negative exponent."""
    base, exponent = with_number(op, x, y)
    return typed(op, call("operator.pow", base, _plain(exponent)), x, y)


def _plain(exponent: Any) -> Any:
    """`2` for 2.0; torch computes the same."""
    whole = isinstance(exponent, float) and exponent.is_integer()
    return int(exponent) if whole else exponent


@rule("pd_op.pow", traits=(Trait.ELEMENTWISE,))
def power(op: Context, x: Value, y: float = 1.0) -> Call:
    """Power with a fixed exponent, which Paddle truncates to an integer for an integer tensor."""
    return call("operator.pow", x, _plain(as_number(y, x.dtype)))


def as_number(value: float, dtype: str) -> float | int:
    """A number as Paddle casts it to a tensor's dtype: truncated for integers.

    Raises `UnsupportedOp` for an infinity that would become an integer.
    """
    if is_integer(dtype) and not math.isfinite(value):
        raise UnsupportedOp(f"{value} has no meaning as {dtype}", "Give a finite number.")
    return int(value) if is_integer(dtype) else float(value)


def _extreme(operator: str, bound: str) -> None:
    def convert(op: Context, x: Value, y: Value) -> Call:
        left, right = with_number(op, x, y)
        if right is not y:
            return method(x, "clamp", **{bound: right})
        if left is not x:
            return method(y, "clamp", **{bound: left})
        return typed(op, call(f"torch.{operator}", x, y), x, y)

    convert.__doc__ = "Element by element; NaN wins in both frameworks."
    rule(f"pd_op.{operator}", traits=_traits(operator))(convert)


_extreme("maximum", "min")
_extreme("minimum", "max")


@rule("pd_op.atan2", traits=(Trait.ELEMENTWISE, Trait.FLOAT32_INSIDE))
def atan2(op: Context, x: Value, y: Value) -> Call:
    """Angle of (y, x). Paddle computes integers in float64."""
    if not is_integer(x.dtype):
        return call("torch.atan2", x, y)
    double = Dtype("float64")
    return call("torch.atan2", method(x, "to", double), method(y, "to", double))


@rule("pd_op.bitwise_left_shift", traits=())
def left_shift(op: Context, x: Value, y: Value) -> Call:
    """Shift to the left; arithmetic and logical are the same."""
    return call("operator.lshift", *with_number(op, x, y))


@rule("pd_op.bitwise_right_shift", traits=())
def right_shift(op: Context, x: Value, y: Value, is_arithmetic: bool = True) -> Call:
    """Shift to the right. torch has only the arithmetic one, which copies the sign."""
    if is_arithmetic or x.dtype == "uint8":
        return call("operator.rshift", *with_number(op, x, y))
    return call("fn.logical_right_shift", x, y)


@rule("pd_op.scale", traits=(Trait.ELEMENTWISE, Trait.LINEAR, Trait.ANY_INTEGERS))
def scale(
    op: Context, x: Value, scale: Value, bias: float = 0.0, bias_after_scale: bool = True
) -> Call:
    """X · scale + bias, or (x + bias) · scale. Both numbers are truncated for integers."""
    known = op.known(scale)
    factor: Any = op.scalar(scale) if known is None or x.dtype != "float64" else known.items[0]
    if isinstance(factor, Value):
        factor = method(factor, "reshape", ())
        factor = factor.method("to", Dtype(x.dtype)) if scale.dtype != x.dtype else factor
    elif not isinstance(factor, Symbol):
        factor = as_number(factor, x.dtype)
    shift = as_number(bias, x.dtype)
    if isinstance(factor, (int, float)) and factor == -1 and shift != 0 and bias_after_scale:
        return call("operator.sub", shift, x)
    if bias_after_scale:
        result = _plus(_times(x, factor), shift)
    else:
        result = _times(_plus(x, shift), factor)
    return result if isinstance(result, Call) else method(x, "clone")


def _times(x: Value | Call, factor: Any) -> Value | Call:
    if isinstance(factor, (int, float)) and factor == 1:
        return x
    if isinstance(factor, (int, float)) and factor == -1:
        return call("operator.neg", x)
    return call("operator.mul", x, factor)


def _plus(x: Value | Call, shift: float | int) -> Value | Call:
    if shift == 0:
        return x
    return call("operator.add", x, shift) if shift > 0 else call("operator.sub", x, -shift)


@rule("pd_op.increment", traits=())
def increment(op: Context, x: Value, value: float = 1.0) -> Call:
    """X plus a number, which is truncated for integers."""
    return call("operator.add", x, as_number(value, x.dtype))


@rule("pd_op.add_n", traits=())
def add_n(op: Context, inputs: tuple[Value, ...]) -> Any:
    """Sum of several tensors of one shape."""
    if len(inputs) == 1:
        return method(inputs[0], "clone")
    total: Any = inputs[0]
    for term in inputs[1:]:
        total = call("operator.add", total, term)
    return total


@rule("pd_op.clip", traits=(Trait.ELEMENTWISE, Trait.BOUNDED, Trait.ANY_INTEGERS))
def clip(op: Context, x: Value, min_: Value, max_: Value) -> Call:
    """Cut to [min, max]. An open side is Paddle's largest number, so that infinity becomes it."""
    low, high = _bound(op, min_, x), _bound(op, max_, x)
    if isinstance(low, Call) or isinstance(high, Call):
        return method(x, "clamp", min=low).method("clamp", max=high)
    return method(x, "clamp", low, high)


def _bound(op: Context, bound: Value, x: Value) -> Any:
    """A bound as a number, as a 0-d tensor, or None where Paddle filled in an integer's limit."""
    known = op.scalar(bound)
    if isinstance(known, (int, float)):
        known = as_number(known, x.dtype)
        return None if isinstance(known, int) and abs(known) > 2**62 else known
    if isinstance(known, Symbol):
        return known
    flat = method(bound, "reshape", ())
    return flat.method("to", Dtype(x.dtype)) if bound.dtype != x.dtype else flat


@rule("pd_op.where", traits=(Trait.ELEMENTWISE, Trait.DECIDES, Trait.ANY_INTEGERS))
def where(op: Context, condition: Value, x: Value, y: Value) -> Call:
    """X where the condition holds, else y."""
    return typed(op, call("torch.where", condition, *with_number(op, x, y)), x, y)


@rule("pd_op.lerp", traits=())
def lerp(op: Context, x: Value, y: Value, weight: Value) -> Call:
    """X + weight · (y - x)."""
    return call("torch.lerp", x, y, number(op, weight, x, y))


@rule("pd_op.equal_all", traits=())
def equal_all(op: Context, x: Value, y: Value) -> Call:
    """One bool: same shape and same elements. `torch.equal` gives a Python bool, not a tensor."""
    if x.shape == y.shape and -1 not in x.shape:
        return call("operator.eq", x, y).method("all")
    return call("fn.equal_all", x, y)


def _tolerance(op: Context, value: Value | None, name: str, default: float) -> float:
    """`rtol` and `atol` are operands; older programs have them as attributes (strings)."""
    if value is None:
        return float(op.attributes.get(name, default))
    found = op.scalar(value)
    op.require(isinstance(found, (int, float)), f"{name} depends on the model's inputs")
    return float(found)


def _close(op: Context, x: Value, y: Value, equal_nan: bool) -> Call:
    rtol = _tolerance(op, op.inputs.get("rtol"), "rtol", 1e-5)  # type: ignore[arg-type]
    atol = _tolerance(op, op.inputs.get("atol"), "atol", 1e-8)  # type: ignore[arg-type]
    return call("fn.is_close", x, y, rtol, atol, equal_nan)


@rule("pd_op.isclose", traits=(Trait.DECIDES,))
def isclose(op: Context, x: Value, y: Value, equal_nan: bool = False) -> Call:
    """Bool by element: |x - y| ≤ atol + rtol · |y|, so that everything is close to infinity."""
    return _close(op, x, y, equal_nan)


@rule("pd_op.allclose", traits=())
def allclose(op: Context, x: Value, y: Value, equal_nan: bool = False) -> Call:
    """One bool, as a tensor; `torch.allclose` gives a Python bool."""
    return _close(op, x, y, equal_nan).method("all")


@rule("pd_op.complex", traits=())
def complex_(op: Context, real: Value, imag: Value) -> Call:
    """A complex tensor from real and imaginary parts."""
    return call("torch.complex", real, imag)
