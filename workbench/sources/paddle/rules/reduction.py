"""Reductions and running sums."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Result
from workbench.core.dtypes import is_float, is_integer
from workbench.core.integers import Dim
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.creation import dtype_option

Ints = tuple[int, ...]


def reduced_axes(op: Context, x: Value, axis: Any, keepdim: bool, every: bool = False) -> Ints:
    """The axes to reduce; () means all of them with nothing kept.

    Paddle gives the axes as an operand or an attribute, and an empty list for all.
    """
    axes = _as_ints(op, axis)
    rank = len(x.shape)
    if every or not axes or len({a % max(rank, 1) for a in axes}) == rank:
        return tuple(range(rank)) if keepdim else ()
    return axes


def _as_ints(op: Context, given: Any) -> Ints:
    if given is None:
        return ()
    if isinstance(given, int):
        return (given,)
    if isinstance(given, Value) or any(isinstance(item, Value) for item in given):
        return tuple(op.plain_ints(given, "axis"))
    return tuple(int(item) for item in given)


def options(axes: Ints, keepdim: bool, **more: Any) -> dict[str, Any]:
    """`dim=…, keepdim=…` as torch's reductions take them; left out where nothing is to be said."""
    named: dict[str, Any] = {}
    if axes:
        named["dim"] = axes[0] if len(axes) == 1 else axes
    if keepdim and axes:
        named["keepdim"] = True
    return named | more


@rule("pd_op.sum", "pd_op.nansum", traits={"pd_op.sum": (Trait.LINEAR,)})
def sum_(op: Context, x: Value, axis: Operand = None, keepdim: bool = False) -> Call:
    """Sum; bool and integers add up in int64 unless the op says otherwise."""
    axes = reduced_axes(op, x, axis, keepdim)
    default = "int64" if is_integer(x.dtype) or x.dtype == "bool" else x.dtype
    name = op.name.removesuffix("_")
    return method(x, name, **options(axes, keepdim, **dtype_option(op.out.dtype, default)))


@rule("pd_op.mean", traits=(Trait.LINEAR,))
def mean(op: Context, x: Value, axis: Operand = None, keepdim: bool = False) -> Call:
    """Mean. Paddle truncates that of integers, torch refuses it."""
    chosen = options(reduced_axes(op, x, axis, keepdim), keepdim)
    if not is_integer(x.dtype):
        return method(x, "mean", **chosen)
    return method(x, "double").method("mean", **chosen).method("to", Dtype(x.dtype))


@rule("pd_op.mean_all", traits=())
def mean_all(op: Context, x: Value) -> Call:
    """Mean of all elements."""
    return method(x, "mean")


@rule("pd_op.max", "pd_op.min", "pd_op.amax", "pd_op.amin", traits=())
def max_(op: Context, x: Value, axis: Any = None, keepdim: bool = False) -> Call:
    """Largest or smallest element: values only, over any number of axes; NaN wins."""
    chosen = options(reduced_axes(op, x, axis, keepdim), keepdim)
    return method(x, "amax" if op.name.endswith("max") else "amin", **chosen)


@rule("pd_op.any", "pd_op.all", traits=())
def any_(op: Context, x: Value, axis: Any = None, keepdim: bool = False) -> Call:
    """True where any element, or every element, is nonzero."""
    flags = method(x, "bool") if x.dtype == "uint8" else x
    return method(flags, op.name, **options(reduced_axes(op, x, axis, keepdim), keepdim))


@rule("pd_op.prod", traits=())
def prod(
    op: Context, x: Value, axis: Operand = None, keepdim: bool = False, reduce_all: bool = False
) -> Call:
    """Product. torch takes one axis, Paddle several."""
    axes = reduced_axes(op, x, axis, keepdim, reduce_all)
    default = "int64" if is_integer(x.dtype) or x.dtype == "bool" else x.dtype
    option = dtype_option(op.out.dtype, default)
    if len(axes) < 2:
        return method(x, "prod", **options(axes, keepdim, **option))
    return call("fn.prod", x, axes, keepdim, **option)


@rule("pd_op.logsumexp", traits=())
def logsumexp(
    op: Context, x: Value, axis: Any = None, keepdim: bool = False, reduce_all: bool = False
) -> Call:
    """Logarithm of the sum of exponentials, without overflow."""
    axes = reduced_axes(op, x, axis, keepdim, reduce_all) or tuple(range(len(x.shape)))
    return call("torch.logsumexp", x, axes[0] if len(axes) == 1 else axes, keepdim)


@rule("pd_op.var", "pd_op.std", traits=())
def var(
    op: Context, x: Value, axis: Any = None, keepdim: bool = False, unbiased: bool = True,
    correction: float = 1.0,
) -> Call:  # fmt: skip
    """Variance or standard deviation, divided by n - correction."""
    axes = reduced_axes(op, x, axis, keepdim)
    amount = correction if unbiased or correction != 1 else 0
    return method(x, op.name, **options(axes, keepdim, correction=amount))


@rule("pd_op.variance", traits=())
def variance(op: Context, x: Value, axis: Any = None, keepdim: bool = False) -> Call:
    """Variance, divided by n."""
    axes = reduced_axes(op, x, axis, keepdim)
    return method(x, "var", **options(axes, keepdim, correction=0))


# --- norms --------------------------------------------------------------------------------------


@rule("pd_op.p_norm", traits=(Trait.FLOAT32_INSIDE,))
def p_norm(
    op: Context, x: Value, porder: float = 2.0, axis: int = -1, keepdim: bool = False,
    asvector: bool = False,
) -> Call:  # fmt: skip
    """Vector norm along one axis, or of all elements."""
    axes = reduced_axes(op, x, () if asvector else (axis,), keepdim)
    order = {} if porder == 2 else {"ord": porder}
    return call("torch.linalg.vector_norm", x, **order, **options(axes, keepdim))


@rule("pd_op.frobenius_norm", traits=())
def frobenius_norm(
    op: Context, x: Value, axis: Operand = None, keep_dim: bool = False, reduce_all: bool = False
) -> Call:
    """Root of the sum of squares."""
    axes = reduced_axes(op, x, axis, keep_dim, reduce_all)
    return call("torch.linalg.vector_norm", x, **options(axes, keep_dim))


@rule("pd_op.squared_l2_norm", traits=())
def squared_l2_norm(op: Context, x: Value) -> Call:
    """Sum of squares, of shape (1,)."""
    return method(x, "square").method("sum").method("reshape", 1)


@rule("pd_op.l1_norm", traits=())
def l1_norm(op: Context, x: Value) -> Call:
    """Sum of absolute values."""
    return method(x, "abs").method("sum")


@rule("pd_op.dist", traits=(Trait.FLOAT32_INSIDE,))
def dist(op: Context, x: Value, y: Value, p: float = 2.0) -> Call:
    """p-norm of the difference, with broadcasting."""
    return call("torch.dist", x, y, **({} if p == 2 else {"p": p}))


@rule("pd_op.reduce_as", traits=())
def reduce_as(op: Context, x: Value, target: Value) -> Call:
    """Summed down to the shape of another tensor."""
    sizes = [Dim(target, axis) if dim < 0 else dim for axis, dim in enumerate(target.shape)]
    return method(x, "sum_to_size", tuple(sizes))


# --- running sums -------------------------------------------------------------------------------


@rule("pd_op.cumsum", traits=(Trait.RUNNING_SUM,))
def cumsum(
    op: Context, x: Value, axis: Any = -1, flatten: bool = False, exclusive: bool = False,
    reverse: bool = False,
) -> Call:  # fmt: skip
    """Running sum; `exclusive` leaves out the element itself, `reverse` starts at the end."""
    dim = axis if isinstance(axis, int) else op.plain_ints(axis, "axis")[0]
    source = method(x, "flatten") if flatten else x
    default = "int64" if is_integer(x.dtype) else x.dtype
    option = dtype_option(op.out.dtype, default)
    if flatten:
        dim = 0
    if not (exclusive or reverse):
        return call("torch.cumsum", source, dim, **option)
    result = call("fn.cumsum", source, dim, exclusive, reverse)
    return result.method("to", Dtype(op.out.dtype)) if option else result


@rule("pd_op.cumprod", traits=(Trait.RUNNING_PRODUCT,))
def cumprod(
    op: Context, x: Value, dim: int, exclusive: bool = False, reverse: bool = False
) -> Call:
    """Running product."""
    option = dtype_option(op.out.dtype, "int64" if is_integer(x.dtype) else x.dtype)
    if not (exclusive or reverse):
        return call("torch.cumprod", x, dim, **option)
    result = call("fn.cumprod", x, dim, exclusive, reverse)
    return result.method("to", Dtype(op.out.dtype)) if option else result


@rule("pd_op.logcumsumexp", traits=())
def logcumsumexp(
    op: Context, x: Value, axis: int = -1, flatten: bool = False, exclusive: bool = False,
    reverse: bool = False,
) -> Call:  # fmt: skip
    """Running logarithm of the sum of exponentials."""
    source, dim = (method(x, "flatten"), 0) if flatten else (x, axis)
    if not (exclusive or reverse):
        return call("torch.logcumsumexp", source, dim)
    return call("fn.logcumsumexp", source, dim, exclusive, reverse)


@rule("pd_op.cummax", "pd_op.cummin", traits=(Trait.BREAKS_TIES,))
def cummax(op: Context, x: Value, axis: int = -1) -> Result:
    """Running extreme and its position, the last one among equals."""
    found = call(f"torch.{op.name}", x, axis)
    if op.outputs["indices"].dtype == "int32":
        found = call("fn.with_int32_index", found)
    return Result(found, {"out": (0,), "indices": (1,)})


# --- order statistics ---------------------------------------------------------------------------


@rule(
    "pd_op.median",
    "pd_op.nanmedian",
    traits=(Trait.DECIDES, Trait.PICKS_POSITIONS, Trait.BREAKS_TIES),
)
def median(
    op: Context, x: Value, axis: Any = None, keepdim: bool = True, mode: str = "avg"
) -> Result:
    """Median. Paddle averages the middle two of an even count, torch takes the lower ("min")."""
    axes = reduced_axes(op, x, axis, keepdim) or tuple(range(len(x.shape)))
    if mode == "min" and len(axes) == 1:
        return Result(call(f"torch.{op.name}", x, axes[0], keepdim), {"out": (0,), "medians": (1,)})
    op.note("even count: the mean of the middle two, not torch's lower one")
    lower = {"lower": True} if mode == "min" else {}
    if is_float(x.dtype):
        return Result(call(f"fn.{op.name}", x, axes, keepdim, **lower), {"out": ()})
    found = call(f"fn.{op.name}", method(x, "double"), axes, keepdim, **lower)
    return Result(found.method("to", Dtype(op.out.dtype)), {"out": ()})
