"""Convolutions, plain, transposed and deformable, 1-D to 3-D."""

from __future__ import annotations

from typing import Any

from workbench.conversion.channels import (
    compact,
    in_channels_first,
    is_fixed,
    paddings_of,
    sides_of,
    sizes_given,
    sizes_of,
    spatial_sizes,
)
from workbench.conversion.context import Context, call
from workbench.core.calls import Call, Layer, Weight
from workbench.core.integers import Int
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

Ints = tuple[int, ...]


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
    dilation = tuple(dilations)
    kernel_size = sizes_of(filter_, 2, rank)
    spatial = spatial_sizes(input_, data_format)
    begins, ends = paddings_of(padding_algorithm, paddings, spatial, kernel_size, strides)
    if padding_algorithm == "SAME" and set(dilation) != {1}:
        op.note("SAME padding: Paddle ignores the dilation")
        dilation = (1,) * (rank - 2)
    even = begins == ends and is_fixed(begins)
    options = {
        "stride": compact(strides),
        "padding": compact(begins) if even else 0,
        "dilation": compact(dilation),
        "groups": groups,
    }

    def convolved(x: Any) -> Any:
        if not is_fixed((*begins, *ends)):
            op.note("SAME padding depends on the input size; the extra element is at the end")
            x = call("fn.pad_same", x, kernel_size=tuple(kernel_size), stride=tuple(strides))
        elif not even:
            told = f"begin {tuple(begins)} and end {tuple(ends)}"
            op.note(f"uneven padding, {told}, before the layer")
            x = call("F.pad", x, sides_of(begins, ends))
        return _convolve(op, x, filter_, bias, options)

    return in_channels_first(op, input_, data_format, convolved, "layer")


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
    inner = spatial_sizes(x, data_format)
    kernel_size = tuple(sizes_of(filter_, 2, rank))
    wanted = sizes_given(op, output_size)
    dilation = (1,) * (rank - 2) if padding_algorithm == "SAME" else tuple(dilations)
    begins, ends = paddings_of(padding_algorithm, paddings, inner, kernel_size, strides)
    even = begins == ends and is_fixed(begins)
    extra: list[Int] = list(output_padding) or [0] * (rank - 2)
    if wanted:
        sides = zip(inner, kernel_size, strides, dilation, begins, ends, strict=True)
        extra = [size - _grown(*side) for size, side in zip(wanted, sides, strict=True)]
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

    def convolved(first: Any) -> Any:
        out = _convolve(op, first, filter_, bias, options, transpose=True, **sized)
        kept = wanted if later else []
        if not is_fixed((*begins, *ends)):
            op.note("SAME padding depends on the input size; cropped after the layer")
            sizes = {"kernel_size": kernel_size, "stride": tuple(strides)}
            sizes |= {"size": tuple(kept)} if later else {}
            return call("fn.crop_same", out, input_size=tuple(inner), **sizes)
        if not even:
            op.note("padding cropped after the layer")
            return _crop(out, begins, ends, kept)
        return out

    return in_channels_first(op, x, data_format, convolved, "layer")


def _grown(length: Int, kernel: Int, stride: int, dilation: int, begin: Int, end: Int) -> Int:
    """Size that a transposed convolution makes of one axis."""
    return (length - 1) * stride - begin - end + dilation * (kernel - 1) + 1


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
