"""Resizing, sampling on grids, and moving pixels between space and channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.conversion.channels import compact, in_channels_first, is_channels_last, is_fixed
from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Layer
from workbench.core.dtypes import is_float
from workbench.core.integers import Dim, Int
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.normalization import in_layer

_MODES = {"nearest_interp": "nearest", "bicubic_interp": "bicubic", "linear_interp": "linear",
          "bilinear_interp": "bilinear", "trilinear_interp": "trilinear"}  # fmt: skip


@rule(
    *(f"pd_op.{name}" for name in _MODES),
    traits={
        f"pd_op.{name}": (Trait.FLOAT32_POSITIONS,) for name in _MODES if name != "nearest_interp"
    },
)
def interpolate(
    op: Context,
    x: Value,
    out_size: Value | None = None,
    size_tensor: Operand = None,
    scale_tensor: Value | None = None,
    data_format: str = "NCHW",
    out_d: int = -1,
    out_h: int = -1,
    out_w: int = -1,
    scale: tuple[float, ...] = (),
    align_corners: bool = True,
    align_mode: int = 1,
) -> Any:
    """Resize. `align_mode=1` without `align_corners` takes positions that are not centred.

    To an output size of 1 without `align_corners`, Paddle's bilinear takes the first element, torch
    the middle. Paddle knows nearest with `align_corners`, torch does not.
    """
    rank = len(x.shape)
    mode = _MODES[op.name]
    target = _target(
        op, rank - 2, out_size, size_tensor, scale_tensor, (out_d, out_h, out_w), scale
    )
    sizes = x.shape[1:-1] if is_channels_last(data_format) else x.shape[2:]

    def resized(first: Any) -> Any:
        return _resized(op, first, x.dtype, sizes, mode, target, align_corners, align_mode)

    return in_channels_first(op, x, data_format, resized, "resize")


def _target(
    op: Context,
    dims: int,
    out_size: Value | None,
    size_tensor: Operand,
    scale_tensor: Value | None,
    attributes: tuple[int, int, int],
    scale: tuple[float, ...],
) -> dict[str, Any]:
    """`size` or `scale_factor`: tensors come before attributes, sizes before scales."""
    scale = tuple(scale) if all(factor > 0 for factor in scale) else ()
    sizes: list[Int] = op.ints(size_tensor) or op.ints(out_size)
    if sizes:
        op.require(not scale, "the program gives both a size and a scale")
        return {"size": tuple(sizes)}
    if scale_tensor is not None:
        known = op.known(scale_tensor)
        if known is not None:
            found = known.items
        elif scale_tensor.shape in ((), (1,)):
            found = [method(scale_tensor, "item")]
        else:
            found = [call("operator.getitem", scale_tensor, i).method("item") for i in range(dims)]
        return {"scale_factor": tuple(found) * (dims if len(found) == 1 else 1)}
    if scale:
        factors = [float(str(np.float32(factor))) for factor in scale]
        return {"scale_factor": tuple(factors) * (dims if len(factors) == 1 else 1)}
    return {"size": attributes[3 - dims :]}


def _resized(
    op: Context, first: Any, dtype: str, sizes: tuple[int, ...], mode: str, target: dict[str, Any],
    corners: bool, align: int,
) -> Call | Layer:  # fmt: skip
    if mode == "nearest":
        if corners or not is_float(dtype):
            op.note("positions of align_corners" if corners else "integers, which torch refuses")
            return call("fn.resize_nearest", first, **target, align_corners=corners)
        if not all(_is_safe(factor) for factor in target.get("scale_factor", ())):
            op.note("torch rounds a scale between 1 and 2.5 when the sizes come out whole")
            return call("fn.resize_nearest", first, **target)
        return _plain(op, first, mode, target, {})
    op.require(is_float(dtype), f"torch resizes {dtype} only by nearest neighbour")
    if not corners and align == 1 and mode != "bicubic":
        op.note("align_mode=1: positions are not centred")
        return call("fn.resize_linear", first, **target)
    if not corners and _differs(mode, sizes, target):
        op.note("torch differs where a size stays or becomes 1")
        if mode == "bicubic":
            return call("fn.resize_cubic", first, **target)
        return call("fn.resize_linear", first, **target, centred=True)
    return _plain(op, first, mode, target, {"align_corners": corners})


def _is_safe(factor: Any) -> bool:
    """False for a scale where torch may take the ratio of the sizes, if that is 1 or 2, instead."""
    return isinstance(factor, (int, float)) and (factor < 1 or factor > 2.5 or factor % 0.5 == 0)


def _differs(mode: str, sizes: tuple[int, ...], target: dict[str, Any]) -> bool:
    """True where torch takes another position than Paddle. Sizes below 0 are dynamic.

    Torch ignores the scale of an axis whose size stays (if cubic, Paddle does when none changes),
    and puts the single element of an axis in the middle, Paddle at the start if two-dimensional.
    """
    single = mode in ("bilinear", "bicubic")
    if "size" in target:
        counts = zip(target["size"], sizes, strict=True)
        return single and any(count == 1 != size for count, size in counts)
    pairs = list(zip(sizes, target["scale_factor"], strict=True))
    if single and any(_shrinks(size, factor) for size, factor in pairs):
        return True
    kept = [
        not _is_number(factor)
        or (factor != 1 and (1 < factor < 1.5 if size < 0 else int(size * factor) == size > 1))
        for size, factor in pairs
    ]
    return all(kept) if mode == "bicubic" else any(kept)


def _shrinks(size: int, factor: Any) -> bool:
    """The axis gets a single element; a dynamic one may, where the scale is small."""
    return _is_number(factor) and (factor < 0.5 if size < 0 else size * factor < 2 <= size)


def _is_number(factor: Any) -> bool:
    return isinstance(factor, (int, float))


def _plain(
    op: Context, x: Any, mode: str, target: dict[str, Any], options: dict[str, Any]
) -> Call | Layer:
    arguments: dict[str, Any] = {
        name: compact(value) if name == "scale_factor" and isinstance(value, tuple) else value
        for name, value in target.items()
    }
    arguments |= {"mode": mode, **options}
    layers = ("Upsample", "UpsamplingBilinear2D", "UpsamplingNearest2D")
    fixed = all(isinstance(value, tuple) and is_fixed(value) for value in target.values())
    if fixed and any(in_layer(op, name) for name in layers):
        return Layer("nn.Upsample", (x,), arguments)
    return call("F.interpolate", x, **arguments)


@rule("pd_op.interp_antialias", traits=(Trait.FLOAT32_POSITIONS,))
def interpolate_antialias(
    op: Context,
    x: Value,
    out_size: Value | None = None,
    size_tensor: Operand = None,
    scale_tensor: Value | None = None,
    data_format: str = "NCHW",
    out_d: int = -1,
    out_h: int = -1,
    out_w: int = -1,
    scale: tuple[float, ...] = (),
    interp_method: str = "bilinear",
    align_corners: bool = False,
) -> Any:
    """Resize with the kernel widened where the image shrinks."""
    op.require(is_float(x.dtype), f"torch has no antialiased resize of {x.dtype}")
    half = x.dtype in ("float16", "bfloat16")
    target = _target(op, 2, out_size, size_tensor, scale_tensor, (out_d, out_h, out_w), scale)
    options = {"mode": interp_method, "align_corners": align_corners, "antialias": True}

    def resized(first: Any) -> Call:
        first = call(".float", first) if half else first  # torch has it for wider floats only
        if target.get("size", ())[1:] == (1,):
            op.note("transposed around the resize: torch repeats one row if the width becomes 1")
            turned = {"size": target["size"][::-1]}
            out = call("F.interpolate", call("torch.transpose", first, 2, 3), **turned, **options)
            out = out.method("transpose", 2, 3)
        else:
            out = call("F.interpolate", first, **target, **options)
        return out.method("to", Dtype(x.dtype)) if half else out

    return in_channels_first(op, x, data_format, resized)


@rule("pd_op.grid_sample", traits=())
def grid_sample(
    op: Context,
    x: Value,
    grid: Value,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = True,
) -> Call:
    """Same function; `align_corners` is True by default in Paddle, False in torch."""
    options = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    return call("F.grid_sample", x, grid, **options)


@rule("pd_op.affine_grid", traits=())
def affine_grid(
    op: Context, input_: Value, output_shape: Operand = None, align_corners: bool = True
) -> Call:
    """Same function; `align_corners` is True by default in Paddle, False in torch."""
    batch, *rest = op.ints(output_shape)
    if batch == -1:
        batch = input_.shape[0] if input_.shape[0] >= 0 else Dim(input_, 0)
    return call("F.affine_grid", input_, [batch, *rest], align_corners=align_corners)


def _rearranged(
    op: Context, x: Value, data_format: str, layer: str, function: str, factor: dict[str, int]
) -> Call | Layer:
    """A layer of torch that has channels first only."""

    def rearranged(first: Any) -> Call | Layer:
        if in_layer(op, layer):
            return Layer(f"nn.{layer}", (first,), factor)
        return call(function, first, *factor.values())

    return in_channels_first(op, x, data_format, rearranged, "layer")  # type: ignore[no-any-return]


@rule("pd_op.pixel_shuffle", traits=(Trait.LINEAR,))
def pixel_shuffle(
    op: Context, x: Value, upscale_factor: int = 1, data_format: str = "NCHW"
) -> Call | Layer:
    """Channels become space; the same in both, but torch has channels first only."""
    factor = {"upscale_factor": upscale_factor}
    return _rearranged(op, x, data_format, "PixelShuffle", "F.pixel_shuffle", factor)


@rule("pd_op.pixel_unshuffle", traits=())
def pixel_unshuffle(
    op: Context, x: Value, downscale_factor: int = 1, data_format: str = "NCHW"
) -> Call | Layer:
    """Space becomes channels; the same in both, but torch has channels first only."""
    factor = {"downscale_factor": downscale_factor}
    return _rearranged(op, x, data_format, "PixelUnshuffle", "F.pixel_unshuffle", factor)


@rule("pd_op.channel_shuffle", "pd_op.shuffle_channel", traits=(Trait.LINEAR,))
def channel_shuffle(
    op: Context, x: Value, groups: int = 1, group: int = 1, data_format: str = "NCHW"
) -> Call | Layer:
    """Channels of the groups interleaved; the same in both, but torch has channels first only."""
    op.require(
        op.name == "channel_shuffle" or x.dtype == "float32",
        f"Paddle moves only a part of a {x.dtype} tensor in shuffle_channel",
    )
    factor = {"groups": max(groups, group)}
    return _rearranged(op, x, data_format, "ChannelShuffle", "F.channel_shuffle", factor)


@rule("pd_op.temporal_shift", traits=())
def temporal_shift(
    op: Context, x: Value, seg_num: int, shift_ratio: float = 0.25, data_format: str = "NCHW"
) -> Call:
    """Parts of the channels moved one frame forth and back; torch has no such function."""
    settings = {"seg_num": seg_num, "shift_ratio": float(str(np.float32(shift_ratio)))}
    return in_channels_first(  # type: ignore[no-any-return]
        op, x, data_format, lambda first: call("fn.temporal_shift", first, **settings)
    )


@rule("pd_op.unfold", traits=(Trait.LINEAR,))
def unfold(
    op: Context,
    x: Value,
    kernel_sizes: tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    paddings: tuple[int, ...] = (0, 0),
    dilations: tuple[int, ...] = (1, 1),
) -> Call | Layer:
    """Windows as columns (im2col). Four paddings are top, left, bottom, right."""
    first: Any = x
    padding = paddings[:2]
    if len(paddings) == 4 and paddings[:2] != paddings[2:]:
        top, left, bottom, right = paddings
        op.note("uneven padding before the layer")
        first, padding = call("F.pad", x, (left, right, top, bottom)), (0, 0)
    arguments = _window_arguments(kernel_sizes, dilations, padding, strides)
    if in_layer(op, "Unfold"):
        return Layer("nn.Unfold", (first,), arguments)
    return call("F.unfold", first, **arguments)


@rule("pd_op.fold", traits=(Trait.LINEAR,))
def fold(
    op: Context,
    x: Value,
    output_sizes: tuple[int, ...],
    kernel_sizes: tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    paddings: tuple[int, ...] = (0, 0),
    dilations: tuple[int, ...] = (1, 1),
) -> Any:
    """Columns summed into an image (col2im). Paddle itself fails with uneven paddings."""
    op.require(paddings[:2] == paddings[-2:], "uneven paddings in fold")
    arguments = _window_arguments(kernel_sizes, dilations, paddings[:2], strides)
    arguments = {"output_size": compact(output_sizes), **arguments}
    if in_layer(op, "Fold"):
        return Layer("nn.Fold", (x,), arguments)
    return call("F.fold", x, **arguments)


def _window_arguments(
    kernel: tuple[int, ...], dilation: tuple[int, ...], padding: tuple[int, ...],
    stride: tuple[int, ...],
) -> dict[str, Any]:  # fmt: skip
    sizes = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    return {name: compact(value) for name, value in sizes.items()}
