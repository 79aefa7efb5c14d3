"""Sorting, searching, counting, and distinct elements."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Result
from workbench.core.dtypes import is_float
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.creation import dtype_option


@rule("pd_op.argmax", "pd_op.argmin", traits=(Trait.DECIDES,))
def argmax(
    op: Context, x: Value, axis: Value, keepdims: bool = False, flatten: bool = False
) -> Call:
    """Position of the first extreme. Paddle passes over NaN, torch stops at it."""
    name = f"torch.{op.name}"
    if flatten:
        result = call(name, x)
        if keepdims:
            result = result.method("reshape", (1,) * len(x.shape))
    else:
        (dim,) = op.plain_ints(axis, "axis")
        result = call(name, x, dim, **({"keepdim": True} if keepdims else {}))
    return result.method("to", Dtype("int32")) if op.out.dtype == "int32" else result


@rule(
    "pd_op.argsort",
    traits=(
        Trait.DECIDES,
        Trait.PICKS_POSITIONS,
        Trait.DISTINCT_POSITIONS,
        Trait.BREAKS_TIES,
        Trait.ORDERS,
    ),
)
def argsort(
    op: Context, x: Value, axis: int = -1, descending: bool = False, stable: bool = False
) -> Any:
    """Sorted values and their positions; the order of equal values is defined only when stable."""
    options: dict[str, Any] = {"dim": axis}
    if descending:
        options["descending"] = True
    if stable:
        options["stable"] = True
    if not op.used("out"):
        return Result(call("torch.argsort", x, **options), {"indices": ()})
    return call("torch.sort", x, **options)


@rule(
    "pd_op.topk",
    traits=(
        Trait.DECIDES,
        Trait.PICKS_POSITIONS,
        Trait.DISTINCT_POSITIONS,
        Trait.BREAKS_TIES,
        Trait.ORDERS,
    ),
)
def topk(
    op: Context, x: Value, k: Value, axis: int = -1, largest: bool = True, sorted_: bool = True
) -> Call:
    """The k largest or smallest, with positions; the order of equal values is not defined."""
    options: dict[str, Any] = {} if largest else {"largest": False}
    if axis not in (-1, len(x.shape) - 1):
        options["dim"] = axis
    if not sorted_:
        options["sorted"] = False
    return call("torch.topk", x, op.int(k), **options)


@rule("pd_op.kthvalue", traits=(Trait.DECIDES, Trait.PICKS_POSITIONS, Trait.BREAKS_TIES))
def kthvalue(op: Context, x: Value, k: int = 1, axis: int = -1, keepdim: bool = False) -> Call:
    """The k-th smallest value and its position."""
    return call("torch.kthvalue", x, k, axis, keepdim)


@rule("pd_op.mode", traits=(Trait.DECIDES, Trait.PICKS_POSITIONS, Trait.BREAKS_TIES))
def mode(op: Context, x: Value, axis: int = -1, keepdim: bool = False) -> Call:
    """The most frequent value, the smallest of several, and its last position."""
    return call("torch.mode", x, axis, keepdim)


@rule("pd_op.searchsorted", traits=(Trait.DECIDES, Trait.BREAKS_TIES))
def searchsorted(
    op: Context, sorted_sequence: Value, values: Value, out_int32: bool = False,
    right: bool = False,
) -> Call:  # fmt: skip
    """Where values would be inserted into a sorted sequence."""
    options = {"out_int32": True} if out_int32 else {}
    if right:
        options["right"] = True
    return call("torch.searchsorted", sorted_sequence, values, **options)


@rule("pd_op.nonzero", traits=(Trait.DECIDES,))
def nonzero(op: Context, condition: Value) -> Call:
    """Positions of nonzero elements, one row each."""
    return call("torch.nonzero", condition)


@rule("pd_op.bincount", traits=())
def bincount(op: Context, x: Value, weights: Value | None, minlength: Value) -> Call:
    """How often each integer occurs, or the sum of its weights (float64 for integer weights)."""
    counted = call("torch.bincount", x, weights, op.int(minlength))
    if weights is not None and weights.dtype == "float32":
        return counted.method("float")
    return counted


@rule("pd_op.histogram", traits=(Trait.CONSTRAINED,))
def histogram(
    op: Context, input_: Value, weight: Value | None = None, bins: int = 100, min_: float = 0.0,
    max_: float = 0.0, density: bool = False,
) -> Call:  # fmt: skip
    """Counts in equal bins: int64 in Paddle, float in torch. Without limits, those of the data."""
    x = input_ if is_float(input_.dtype) else method(input_, "float")
    if weight is None and not density:
        return call("torch.histc", x, bins, min_, max_).method("long")
    found = call("fn.histogram", x, bins, min_, max_, weight=weight, density=density)
    kind = input_.dtype if weight is None else weight.dtype
    return found if kind == "float32" else found.method("to", Dtype(op.out.dtype))


@rule("pd_op.unique", traits=(Trait.DECIDES, Trait.BREAKS_TIES))
def unique(
    op: Context, x: Value, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: tuple[int, ...] = (), dtype: str | None = "int64",
    is_sorted: bool = True,
) -> Any:  # fmt: skip
    """Distinct elements, sorted; positions are those of the first occurrence."""
    op.require(is_sorted, "distinct elements in order of appearance have no counterpart in torch")
    dim = axis[0] if axis else None
    if not any(op.used(name) for name in ("indices", "inverse", "counts")):
        return Result(call("torch.unique", x, **_dim(dim)), {"out": ()})
    return call("fn.unique", x, dim, **dtype_option(dtype or "int64", "int64"))


def _dim(dim: int | None) -> dict[str, int]:
    return {} if dim is None else {"dim": dim}


@rule("pd_op.unique_consecutive", traits=(Trait.DECIDES,))
def unique_consecutive(
    op: Context, x: Value, axis: tuple[int, ...] = (), dtype: str | None = "int64"
) -> Any:
    """Elements without repetitions that follow each other."""
    dim = axis[0] if axis else None
    if not (op.used("index") or op.used("counts")):
        return Result(call("torch.unique_consecutive", x, **_dim(dim)), {"out": ()})
    return call("fn.unique_consecutive", x, dim, **dtype_option(dtype or "int64", "int64"))


@rule("pd_op.max_with_index", "pd_op.min_with_index", traits=())
def max_with_index(
    op: Context, x: Value, dim: int, keepdim: bool = False, flatten: bool = False
) -> Result:
    """Extreme along an axis and its position; only the GPU build of Paddle has it."""
    name = f"torch.{op.name[:3]}"
    args = (method(x, "flatten"), 0) if flatten else (x, dim, keepdim)
    return Result(call(name, *args), {"values": (0,), "indices": (1,)})
