"""Convolutions, plain, transposed and deformable, 1-D to 3-D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Layer, Weight
from workbench.core.integers import Dim, Int, Symbol, int_op
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

Ints = tuple[int, ...]


def channels_first(x: Any, rank: int) -> Call:
    """NHWC → NCHW."""
    return method(x, "permute", 0, rank - 1, *range(1, rank - 1))


def channels_last(x: Any, rank: int) -> Call:
    """NCHW → NHWC."""
    return method(x, "permute", 0, *range(2, rank), 1)


def is_channels_last(data_format: str) -> bool:
    """True for NHWC, NDHWC, NLC."""
    return data_format.endswith("C")


def compact(sizes: Any) -> Any:
    """`3` for (3, 3)."""
    return sizes[0] if all(size == sizes[0] for size in sizes) else tuple(sizes)


def sizes_of(value: Value, first: int, last: int) -> list[Int]:
    """Sizes of some dimensions of a value; dynamic ones as `value.shape[axis]`."""
    return [
        size if size >= 0 else Dim(value, axis)
        for axis, size in enumerate(value.shape)
        if first <= axis < last
    ]


def paddings_of(
    algorithm: str,
    paddings: Sequence[Int],
    spatial: Sequence[Int],
    kernel_size: Sequence[Int],
    strides: Sequence[int],
) -> tuple[list[Int], list[Int]]:
    """Paddings at the begin and at the end of each axis.

    SAME depends on the input size (not for stride 1) and puts the extra element at the end.
    """
    if algorithm == "VALID":
        return [0] * len(spatial), [0] * len(spatial)
    if algorithm != "SAME":
        pairs = len(paddings) == 2 * len(spatial)
        begins, ends = (paddings[::2], paddings[1::2]) if pairs else (paddings, paddings)
        return list(begins), list(ends)
    begins, ends = [], []
    for size, kernel, stride in zip(spatial, kernel_size, strides, strict=True):
        total = kernel - 1
        if stride > 1:
            steps = (size + (stride - 1)) // stride
            total = int_op("max", (steps - 1) * stride + kernel - size, 0)
        begins.append(total // 2)
        ends.append(total - total // 2)
    return begins, ends


def is_fixed(sizes: Sequence[Int]) -> bool:
    """True when no size depends on the inputs."""
    return not any(isinstance(size, Symbol) for size in sizes)


def sides_of(begins: Sequence[Int], ends: Sequence[Int]) -> tuple[Int, ...]:
    """Paddings in the order of `F.pad`: last axis first."""
    pairs = zip(reversed(begins), reversed(ends), strict=True)
    return tuple(side for pair in pairs for side in pair)


@rule(
    "pd_op.conv2d", "pd_op.depthwise_conv2d", "pd_op.conv3d",
    "pd_op.depthwise_conv2d_bias", "pd_op.depthwise_conv3d_bias", "workbench.conv1d",
    traits=(Trait.LINEAR, Trait.CONVOLUTION),
)  # fmt: skip
def conv(
    op: Context,
    input_: Value,
    filter_: Value,
    bias: Value | None = None,
    strides: Ints = (1, 1),
    paddings: Ints = (0, 0),
    padding_algorithm: str = "EXPLICIT",
    dilations: Ints = (1, 1),
    groups: int = 1,
    data_format: str = "NCHW",
) -> Any:
    """Convolution. Kernels are (out, in / groups, …) in both frameworks.

    Four paddings are top, bottom, left, right. SAME depends on the input size, puts the extra
    element at the end, and makes Paddle ignore the dilation; VALID means no padding.
    """
    rank = len(input_.shape)
    nhwc = is_channels_last(data_format)
    x: Any = channels_first(input_, rank) if nhwc else input_
    dilation = tuple(dilations)
    kernel_size = sizes_of(filter_, 2, rank)
    spatial = sizes_of(input_, 1, rank - 1) if nhwc else sizes_of(input_, 2, rank)
    begins, ends = paddings_of(padding_algorithm, paddings, spatial, kernel_size, strides)
    if padding_algorithm == "SAME" and set(dilation) != {1}:
        op.note("SAME padding: Paddle ignores the dilation")
        dilation = (1,) * (rank - 2)
    if not is_fixed((*begins, *ends)):
        op.note("SAME padding depends on the input size; the extra element is at the end")
        x = call("fn.pad_same", x, kernel_size=tuple(kernel_size), stride=tuple(strides))
        begins = [0] * (rank - 2)
    elif begins != ends:
        op.note(f"uneven padding, begin {tuple(begins)} and end {tuple(ends)}, before the layer")
        x, begins = call("F.pad", x, sides_of(begins, ends)), [0] * (rank - 2)
    options = {
        "stride": compact(strides),
        "padding": compact(begins),
        "dilation": compact(dilation),
        "groups": groups,
    }
    return _wrapped(op, _convolve(op, x, filter_, bias, options), nhwc, rank)


def _convolve(
    op: Context,
    x: Any,
    filter_: Value,
    bias: Value | None,
    options: dict[str, Any],
    transpose: bool = False,
    **call_arguments: Any,
) -> Any:
    """The layer when kernel and bias are parameters, else the function."""
    kernel, shift = op.weight(filter_), op.weight(bias)
    dims = len(filter_.shape) - 2
    if kernel is None or (bias is not None and shift is None):
        name = f"F.conv_transpose{dims}d" if transpose else f"F.conv{dims}d"
        return call(name, x, filter_, bias, **options)
    groups = options["groups"]
    first, second = kernel.final_shape[0], kernel.final_shape[1] * groups
    weights: dict[str, Weight] = {"weight": kernel}
    if shift is not None:
        weights["bias"] = shift.reshaped(second if transpose else first)
    arguments = {
        "in_channels": first if transpose else second,
        "out_channels": second if transpose else first,
        "kernel_size": compact(kernel.final_shape[2:]),
        **options,
        "bias": shift is not None,
    }
    name = f"nn.ConvTranspose{dims}d" if transpose else f"nn.Conv{dims}d"
    return Layer(name, (x,), arguments, weights, call_arguments)


def _wrapped(op: Context, out: Any, nhwc: bool, rank: int) -> Any:
    if not nhwc:
        return out
    op.note("NHWC: permuted around the layer")
    return channels_last(out, rank)


@rule(
    "pd_op.conv2d_transpose", "pd_op.depthwise_conv2d_transpose", "pd_op.conv3d_transpose",
    "pd_op.conv2d_transpose_bias", "workbench.conv1d_transpose",
    traits=(Trait.LINEAR, Trait.CONVOLUTION),
)  # fmt: skip
def conv_transpose(
    op: Context,
    x: Value,
    filter_: Value,
    bias: Value | None = None,
    output_size: Operand | Ints = (),
    strides: Ints = (1, 1),
    paddings: Ints = (0, 0),
    output_padding: Ints = (),
    padding_algorithm: str = "EXPLICIT",
    groups: int = 1,
    dilations: Ints = (1, 1),
    data_format: str = "NCHW",
) -> Any:
    """Transposed convolution. Kernels are (in, out / groups, …) in both frameworks.

    SAME takes the padding that a plain convolution of the *input* would need and ignores the
    dilation; SAME and uneven paddings are cropped from the unpadded result. `output_size` only says
    how many elements the result has at the end, as torch's `output_padding` does.
    """
    rank = len(x.shape)
    nhwc = is_channels_last(data_format)
    first: Any = channels_first(x, rank) if nhwc else x
    inner = sizes_of(x, 1, rank - 1) if nhwc else sizes_of(x, 2, rank)
    kernel_size = tuple(sizes_of(filter_, 2, rank))
    wanted = _output_size(op, output_size)
    dilation = (1,) * (rank - 2) if padding_algorithm == "SAME" else tuple(dilations)
    begins, ends = paddings_of(padding_algorithm, paddings, inner, kernel_size, strides)
    even = begins == ends and is_fixed(begins)
    extra: list[Int] = list(output_padding) or [0] * (rank - 2)
    if wanted:
        extra = [
            size - ((length - 1) * stride - begin - end + dilation[i] * (kernel_size[i] - 1) + 1)
            for i, (size, length, stride, begin, end) in enumerate(
                zip(wanted, inner, strides, begins, ends, strict=True)
            )
        ]
    later = not is_fixed(extra)
    options = {
        "stride": compact(strides),
        "padding": compact(begins) if even else 0,
        "output_padding": compact([s - 1 for s in strides] if later and not even else extra),
        "groups": groups,
        "dilation": compact(dilation),
    }
    sized = {}
    if later and even and op.weight(filter_) is not None:
        options["output_padding"] = 0
        sized = {"output_size": list(wanted)}
    out = _convolve(op, first, filter_, bias, options, transpose=True, **sized)
    if not is_fixed((*begins, *ends)):
        op.note("SAME padding depends on the input size; cropped after the layer")
        sizes = {"input_size": tuple(inner), "kernel_size": kernel_size, "stride": tuple(strides)}
        out = call("fn.crop_same", out, **sizes, **({"size": tuple(wanted)} if later else {}))
    elif not even:
        op.note("padding cropped after the layer")
        out = _crop(out, begins, ends, wanted if later else [])
    return _wrapped(op, out, nhwc, rank)


def _output_size(op: Context, output_size: Any) -> list[Int]:
    """`output_size` as integers: an attribute, a tensor, or nothing."""
    if isinstance(output_size, tuple) and not any(isinstance(item, Value) for item in output_size):
        return list(output_size)
    return op.ints(output_size)


def _crop(out: Any, begins: list[Int], ends: list[Int], sizes: list[Int]) -> Call:
    """Cut the paddings off, or keep `sizes` elements after the leading ones."""
    if sizes:
        parts = (slice(b, b + size) for b, size in zip(begins, sizes, strict=True))
        return call("operator.getitem", out, (slice(None), slice(None), *parts))
    return call("F.pad", out, tuple(0 - side for side in sides_of(begins, ends)))


@rule("pd_op.deformable_conv", traits=(Trait.CONSTRAINED, Trait.CONVOLUTION))
def deformable_conv(
    op: Context,
    x: Value,
    offset: Value,
    filter_: Value,
    mask: Value | None = None,
    bias: Value | None = None,
    strides: Ints = (1, 1),
    paddings: Ints = (0, 0),
    dilations: Ints = (1, 1),
    deformable_groups: int = 1,
    groups: int = 1,
) -> Call | Layer:
    """Deformable convolution v1 (no mask) and v2. Offsets and masks have the same layout in both.

    torchvision reads the number of offset groups from the shapes.
    """
    options = {
        "stride": compact(strides),
        "padding": compact(paddings),
        "dilation": compact(dilations),
    }
    layer = _convolve(op, x, filter_, bias, options | {"groups": groups})
    if not isinstance(layer, Layer):
        return call("ops.deform_conv2d", x, offset, filter_, bias, **options, mask=mask)
    return Layer("ops.DeformConv2d", (x, offset, mask), layer.arguments, layer.weights)
