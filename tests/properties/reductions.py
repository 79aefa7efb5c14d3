"""Reductions, running sums, sorting and searching."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Sketch, family


def _over(s: Sketch, rank: int, several: bool = True, keep: str = "keepdim") -> str:
    """Arguments axis and keepdim."""
    options = ["", f", axis={s.axis(rank)}" if rank else ""]
    if several and rank:
        options.append(f", axis={s.axes(rank)}")
    return s.pick(*options) + s.pick("", f", {keep}=True")


@family()
def reduction(s: Sketch) -> Case:
    name = s.pick("sum", "mean", "max", "min", "amax", "amin", "prod", "logsumexp", "any", "all",
                  "nansum", "nanmean", "count_nonzero")  # fmt: skip
    dims = s.shape(low=1 if name[-3:] in ("max", "min", "exp") else 0)  # torch: no empty maximum
    s.tensor("x", dims, s.pick("float32", "float32", "float64", "int64", "int32", "bool", "uint8"))
    more = _over(s, len(dims))
    if name in ("sum", "prod") and s.often(20):
        more += f", dtype='{s.pick('float64', 'int64', 'float32', 'int32')}'"
    return s.case(f"paddle.{name}(x{more})", rtol=1e-4)


@family()
def spread(s: Sketch) -> Case:
    name = s.pick("var", "std", "norm", "median", "nanmedian", "quantile", "nanquantile")
    dims = s.shape((1, 4), low=1)
    ties = "ties" if "median" in name and s.often(30) else None
    s.add("x", dims, s.pick("float32", "float64"), values=ties)
    more = _over(s, len(dims), name != "median")
    if name in ("var", "std"):
        more += s.pick("", ", unbiased=False")
    if name == "norm":
        more = s.pick("", ", p=1", ", p=2", ", p=3", ", p=0.5", ", p=float('inf')", ", p=0") + more
    if "quantile" in name:
        more = f", {s.pick(0.3, 0.5, 1.0, [0.0, 0.25, 0.9])}" + more
    if "median" in name and s.often(30):
        more += ", mode='min'"
    return s.case(f"paddle.{name}(x{more})", rtol=1e-4, atol=1e-4)


@family()
def norms(s: Sketch) -> Case:
    dims = s.shape((1, 4), low=1)
    s.add("x", dims, s.pick("float32", "float64"))
    rank = len(dims)
    p = s.pick("1", "2", "3", "float('inf')", "float('-inf')", "0", "0.5")
    kind = s.int(0, 3)
    if kind == 0 and rank > 1:
        norm = s.pick("'fro'", "1", "-1", "float('inf')", "2", "'nuc'")
        axes = s.axes(rank, 2, 2)
        return s.case(f"paddle.linalg.matrix_norm(x, {norm}, {axes}, {s.often()})", atol=1e-4)
    if kind == 1:
        return s.case(f"F.normalize(x, {s.pick('2', '1', '3')}, {s.axis(rank)})")
    if kind == 2 and rank > 1:
        return s.case(f"paddle.renorm(x, {s.pick(1.0, 2.0, 3.0)}, {s.axis(rank)}, {s.int(1, 3)}.0)")
    return s.case(f"paddle.linalg.vector_norm(x, {p}{_over(s, rank)})")


@family()
def running(s: Sketch) -> Case:
    dims = s.shape((1, 4), low=2)  # Paddle's empty results have shapes of their own
    s.tensor("x", dims, s.pick("float32", "float64", "int64", "int32"))
    name = s.pick("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "diff", "trapezoid",
                  "cumulative_trapezoid")  # fmt: skip
    axis = s.axis(len(dims))
    if name == "diff":
        return s.case(f"paddle.diff(x, {s.int(1, 2)}, {axis})")
    if name == "cumprod":
        return s.case(f"paddle.cumprod(x, dim={axis})")
    return s.case(f"paddle.{name}(x{s.pick('', f', axis={axis}')})")


@family()
def extremes(s: Sketch) -> Case:
    """argmax, argmin: the first of equal values."""
    dims = s.shape((0, 4), low=1)
    dtype = s.pick("float32", "float64", "int64", "int32", "uint8")
    s.add(
        "x", dims, dtype, values=None if "int" in dtype else "ties"
    )  # Paddle passes over NaN, torch stops
    more = s.pick("", f", axis={s.axis(len(dims))}" if dims else "") + s.pick("", ", keepdim=True")
    more += s.pick("", ", dtype='int32'")
    return s.case(f"paddle.{s.pick('argmax', 'argmin')}(x{more})")


@family()
def sorting(s: Sketch) -> Case:
    """Positions are compared only where the sort is stable or no values are equal."""
    dims = s.shape((1, 4), low=1)
    axis = s.axis(len(dims))
    dtype = s.pick("float32", "float64", "int64", "int32")
    name = s.pick("sort", "argsort", "topk", "kthvalue", "mode", "msort")
    s.tensor("x", dims, dtype) if name == "sort" else s.add("x", dims, dtype)
    down = f", {axis}, {s.often()}"
    k = s.int(1, s.least(dims[axis]))
    if name == "sort":
        return s.case(f"paddle.sort(x{down}{s.pick('', ', stable=True')})")
    if name == "argsort":
        stable = ", stable=True" if "int" in dtype else s.pick("", ", stable=True")
        return s.case(f"paddle.argsort(x{down}{stable})")
    if name == "topk":
        part = "[0]" if "int" in dtype else ""
        k_text = s.attribute("k", k)
        return s.case(f"paddle.topk(x, {k_text}, {axis}, {s.often()}, True){part}")
    if name == "kthvalue":
        part = "[0]" if "int" in dtype else ""
        return s.case(f"paddle.kthvalue(x, {k}, {axis}, {s.often()}){part}")
    if name == "mode":
        return s.case(f"paddle.mode(x, {axis}, {s.often()})[0]")
    return s.case("paddle.sort(x, 0)")


@family()
def searching(s: Sketch) -> Case:
    dtype = s.pick("float32", "float64", "int64", "int32")
    kind = s.int(0, 7)
    if kind == 0:
        s.add("a", [s.dim()], dtype)
        s.add("v", s.shape(), dtype)
        more = f"out_int32={s.often()}, right={s.often()}"
        return s.case(f"paddle.searchsorted(paddle.sort(a), v, {more})")
    if kind == 1:
        dims = s.shape((1, 3), low=1)
        s.add("a", dims, dtype)
        s.add("v", [*dims[:-1], s.dim()], dtype)
        return s.case(f"paddle.searchsorted(paddle.sort(a), v, right={s.often()})")
    if kind == 2:
        s.add("x", s.shape((0, 3)), s.pick("int64", "bool", "float32"), 0, 2)
        return s.case(f"paddle.nonzero(x, as_tuple={s.often(30)})")
    if kind == 3:
        s.add("x", [s.dim()], s.pick("int64", "int32"), 0, 7)
        return s.case(f"paddle.bincount(x, minlength={s.int(0, 9)})")
    if kind == 4:
        s.add("x", s.shape((1, 3), low=1), dtype)
        low, high = s.pick((0, 0), (-2, 2), (0, 3))
        return s.case(f"paddle.histogram(x, {s.int(1, 6)}, {low}, {high})")
    if kind == 5:
        s.add("x", s.shape((1, 3), low=1), dtype, 0, 3, "ties")
        axis = s.pick("", f", axis={s.axis(len(s.inputs['x'].dims))}")
        flags = f"{s.often()}, {s.often()}, {s.often()}"
        return s.case(f"paddle.unique(x, {flags}{axis})")
    if kind == 6:
        s.add("x", s.shape((1, 3), low=1), dtype, 0, 3, "ties")
        axis = s.pick("", f", axis={s.axis(len(s.inputs['x'].dims))}")
        return s.case(f"paddle.unique_consecutive(x, {s.often()}, {s.often()}{axis})")
    dims = s.shape((1, 3))
    s.add("x", dims, dtype)
    s.add("t", [s.dim()], dtype)
    return s.case(f"paddle.isin(x, t, invert={s.often()})")
