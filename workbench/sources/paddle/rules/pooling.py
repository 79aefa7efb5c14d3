"""Pooling: maximum, mean, Lp, adaptive, with indices, and unpooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.conversion.channels import (
    compact,
    in_channels_first,
    is_fixed,
    paddings_of,
    sides_of,
    sizes_given,
    spatial_sizes,
)
from workbench.conversion.context import Context, call
from workbench.core.calls import Call, Layer, Result
from workbench.core.integers import Dim, Int
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.normalization import in_layer

Ints = Sequence[Int]


@rule("pd_op.pool2d", "pd_op.pool3d", "workbench.pool1d", traits=())
def pool(
    op: Context,
    x: Value,
    kernel_size: Operand | tuple[int, ...],
    strides: tuple[int, ...],
    paddings: tuple[int, ...],
    ceil_mode: bool = False,
    exclusive: bool = True,
    data_format: str = "NCHW",
    pooling_type: str = "max",
    global_pooling: bool = False,
    adaptive: bool = False,
    padding_algorithm: str = "EXPLICIT",
) -> Any:
    """Maximum or mean over windows.

    `exclusive` is torch's `count_include_pad` inverted. Unlike torch Paddle's `ceil_mode` keeps a
    last window that starts in the padding, and paddings may differ at the two ends. Paddle skips
    NaN in a maximum, torch does not.
    """
    kernel, spatial = sizes_given(op, kernel_size), spatial_sizes(x, data_format)

    def pooled(first: Any) -> Any:
        if adaptive or global_pooling:
            sizes = [1] * len(spatial) if global_pooling else kernel
            return _adaptive(op, first, x, sizes, pooling_type)
        begins, ends = paddings_of(padding_algorithm, paddings, spatial, kernel, strides)
        windows = _Windows(spatial, kernel, strides, begins, ends, ceil_mode)
        if pooling_type == "max":
            return _max(op, first, windows)
        return _mean(op, first, windows, exclusive)

    return in_channels_first(op, x, data_format, pooled, "layer")


class _Windows:
    """The windows of one pooling, and how torch can make them."""

    def __init__(
        self, sizes: Ints, kernel: Ints, stride: Ints, begin: Ints, end: Ints, ceil_mode: bool
    ) -> None:
        self.sizes: tuple[Any, ...] = tuple(sizes)
        self.kernel: tuple[Any, ...] = tuple(kernel)
        self.stride: tuple[Any, ...] = tuple(stride)
        self.begin: tuple[Any, ...] = tuple(begin)
        self.end: tuple[Any, ...] = tuple(end)
        self.ceil_mode = ceil_mode

    @property
    def ordinary(self) -> bool:
        """True when every window meets the input, so that torch makes the same windows.

        Where one is larger than the input with its padding, Paddle makes it, torch refuses.
        """
        sides = (*self.kernel, *self.begin, *self.end)
        return is_fixed(sides) and all(
            begin < kernel
            and end + (stride - 1 if self.ceil_mode else 0) < kernel
            and not (isinstance(size, int) and 0 <= size < kernel - begin - end)
            for size, kernel, stride, begin, end in zip(self.sizes, *self._all, strict=True)
        )

    @property
    def even(self) -> bool:
        """True when torch's own padding serves: equal at both ends, at most half a window."""
        return (
            self.ordinary
            and self.begin == self.end
            and all(2 * b <= k for b, k in zip(self.begin, self.kernel, strict=True))
        )

    @property
    def _all(self) -> tuple[Any, ...]:
        return self.kernel, self.stride, self.begin, self.end

    def options(self, padded: bool = False) -> dict[str, Any]:
        """Arguments for torch's pooling; without padding when the input is `padded` already."""
        options = {"kernel_size": compact(self.kernel), "stride": compact(self.stride)}
        if any(self.begin) and not padded:
            options["padding"] = compact(self.begin)
        return options | ({"ceil_mode": True} if self.ceil_mode else {})

    def helper(self) -> dict[str, Any]:
        """Arguments for a helper function."""
        names = ("kernel_size", "stride", "begin", "end")
        return dict(zip(names, self._all, strict=True)) | {"ceil_mode": self.ceil_mode}


def _max(op: Context, x: Any, windows: _Windows) -> Any:
    dims = len(windows.kernel)
    if windows.even:
        return _pooled(op, "MaxPool", "max_pool", dims, x, windows.options())
    if windows.ordinary:
        op.note("uneven padding before the layer")
        x = call("F.pad", x, sides_of(windows.begin, windows.end), value=float("-inf"))
        return _pooled(op, "MaxPool", "max_pool", dims, x, windows.options(padded=True))
    op.note("windows that torch leaves out or cannot pad: written out")
    return call("fn.max_pool", x, **windows.helper())


def _mean(op: Context, x: Any, windows: _Windows, exclusive: bool) -> Any:
    plain = not any(windows.begin) and not windows.ceil_mode
    counted = {} if plain else {"count_include_pad": not exclusive}
    if windows.even:
        options = windows.options() | counted
        return _pooled(op, "AvgPool", "avg_pool", len(windows.kernel), x, options)
    op.note("windows that torch leaves out or cannot pad: written out")
    return call("fn.avg_pool", x, **windows.helper(), count_include_pad=not exclusive)


def _adaptive(op: Context, first: Any, x: Value, sizes: Ints, pooling_type: str) -> Any:
    kind = "max" if pooling_type == "max" else "avg"
    options = {"output_size": compact([_same_or(size, x) for size in sizes])}
    name = f"Adaptive{kind.capitalize()}Pool"
    return _pooled(op, name, f"adaptive_{kind}_pool", len(sizes), first, options)


def _same_or(size: Int, x: Value) -> Int | None:
    """None, which keeps the size of the input, for -1 and for the input's own size."""
    return None if size == -1 or (isinstance(size, Dim) and size.value == x) else size


def _pooled(
    op: Context, name: str, function: str, dims: int, x: Any, options: dict[str, Any]
) -> Call | Layer:
    """A module where the Paddle model had one, else the function."""
    values = options.get("output_size", ())
    fixed = is_fixed(values if isinstance(values, tuple) else (values,))
    if in_layer(op, f"{name}{dims}D") and fixed:
        return Layer(f"nn.{name}{dims}d", (x,), options)
    return call(f"F.{function}{dims}d", x, **options)


@rule(
    "pd_op.max_pool2d_with_index",
    "pd_op.max_pool3d_with_index",
    "workbench.max_pool1d",
    traits=(Trait.DECIDES, Trait.BREAKS_TIES),
)
def max_pool_with_index(
    op: Context,
    x: Value,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    paddings: tuple[int, ...] = (0, 0),
    global_pooling: bool = False,
    adaptive: bool = False,
    ceil_mode: bool = False,
) -> Result:
    """Maximum and its position in the flattened space: int32 in Paddle, int64 in torch."""
    dims = len(kernel_size)
    if adaptive or global_pooling:
        sizes = [1] * dims if global_pooling else list(kernel_size)
        if not op.used("mask"):
            return Result(_adaptive(op, x, x, sizes, "max"), {"out": ()})
        options = {"output_size": compact([_same_or(size, x) for size in sizes])}
        found = call(f"F.adaptive_max_pool{dims}d", x, **options, return_indices=True)
        return Result(call("fn.with_int32_index", found), {"out": (0,), "mask": (1,)})
    windows = _Windows(x.shape[2:], kernel_size, strides, paddings, paddings, ceil_mode)
    if not op.used("mask"):
        return Result(_max(op, x, windows), {"out": ()})
    op.require(windows.even, "torch has no positions for windows that lie in the padding")
    found = call(f"F.max_pool{dims}d", x, **windows.options(), return_indices=True)
    return Result(call("fn.with_int32_index", found), {"out": (0,), "mask": (1,)})


@rule("pd_op.lp_pool2d", "workbench.lp_pool1d", traits=(Trait.FLOAT32_INSIDE,))
def lp_pool(
    op: Context,
    x: Value,
    kernel_size: Operand | tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    paddings: tuple[int, ...] = (0, 0),
    ceil_mode: bool = False,
    data_format: str = "NCHW",
    pooling_type: str = "",
    global_pooling: bool = False,
    adaptive: bool = False,
    padding_algorithm: str = "EXPLICIT",
    norm_type: float = 2.0,
) -> Any:
    """(Sum of xᵖ)^(1/p) over windows; p = ∞ is the maximum. NaN for negative sums, as in torch."""
    op.require(not adaptive, "adaptive Lp pooling has no counterpart in torch")
    spatial = spatial_sizes(x, data_format)
    kernel, stride = sizes_given(op, kernel_size), list(strides)
    if global_pooling:
        kernel, stride, padding_algorithm = spatial, [1] * len(spatial), "VALID"
    begins, ends = paddings_of(padding_algorithm, paddings, spatial, kernel, stride)
    windows = _Windows(spatial, kernel, stride, begins, ends, ceil_mode)

    def pooled(first: Any) -> Any:
        if norm_type == float("inf"):
            return _max(op, first, windows)
        if windows.even and not any(begins) and not ceil_mode:
            options = {"norm_type": norm_type, **windows.options()}
            return _pooled(op, "LPPool", "lp_pool", len(spatial), first, options)
        return call("fn.lp_pool", first, norm_type, **windows.helper())

    return in_channels_first(op, x, data_format, pooled)


@rule("pd_op.unpool", "pd_op.unpool3d", traits=())
def unpool(
    op: Context,
    x: Value,
    indices: Value,
    output_size: Operand | tuple[int, ...] = (),
) -> Call:
    """Elements put back where a maximum came from; the file always gives the output size."""
    sizes = tuple(sizes_given(op, output_size))
    known = all(not isinstance(size, int) or size > 0 for size in sizes)
    op.require(known, f"the file gives {sizes} as output size", "Export with fixed sizes.")
    return call("fn.unpool", x, indices, sizes)


@rule("pd_op.fractional_max_pool2d", "pd_op.fractional_max_pool3d", traits=(Trait.BREAKS_TIES,))
def fractional_max_pool(
    op: Context,
    x: Value,
    output_size: tuple[int, ...],
    kernel_size: tuple[int, ...] = (),
    random_u: float = 0.0,
) -> Result:
    """Maximum over windows of uneven size. Their places follow from `random_u`, 0 draws it anew."""
    op.require(random_u > 0, "the program draws the window positions at random")
    kernel = tuple(kernel_size) or (0,) * len(output_size)
    found = call("fn.fractional_max_pool", x, tuple(output_size), kernel, random_u)
    return Result(found, {"out": (0,), "mask": (1,)})
