"""Convolutions, pooling, resizing and other windows over space."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Dim, Sketch, family


def _layout(s: Sketch, dims: int, channels: Dim, low: int = 3) -> tuple[str, list[Dim]]:
    """A data format and the input's dims: batch, channels, space."""
    space = [s.dim(low, 9) for _ in range(dims)]
    last = s.often(30)
    name = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}[dims][last]
    batch = s.dim(1, 3)
    return name, [batch, *space, channels] if last else [batch, channels, *space]


def _each(s: Sketch, dims: int, low: int, high: int) -> object:
    """One number or one per axis."""
    return s.int(low, high) if s.often() else s.ints(dims, low, high)


def _padding(s: Sketch, dims: int, layout: str, high: int = 2) -> object:
    """A number, one or two per axis, pairs for every dimension, SAME or VALID."""
    kind = s.int(0, 6)
    if kind == 0:
        return "SAME"
    if kind == 1:
        return "VALID"
    if kind == 2:
        return s.ints(2 * dims, 0, high)
    if kind == 3 and dims > 1:
        space = [s.ints(2, 0, high) for _ in range(dims)]
        none = [0, 0]
        return [none, *space, none] if layout.endswith("C") else [none, none, *space]
    return s.int(0, high) if kind < 6 else s.ints(dims, 0, high)


@family()
def convolution(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 2, 3)
    groups = s.pick(1, 1, 2, 3)
    inside, outside = groups * s.int(1, 2), groups * s.int(1, 2)
    layout, shape = _layout(s, dims, inside, 5)  # torch refuses what is smaller than the kernel
    dtype = s.pick("float32", "float32", "float32", "float64")
    s.add("x", shape, dtype)
    padding = _padding(s, dims, layout)
    stride, dilation = _each(s, dims, 1, 3), s.pick(1, _each(s, dims, 1, 2))
    kernel = s.ints(dims, 1, 3)
    if s.often():
        s.add("w", [outside, inside // groups, *kernel], dtype)
        bias = s.add("b", [outside], dtype) if s.often() else "None"
        more = f"{bias}, {stride}, {padding!r}, {dilation}, {groups}, '{layout}'"
        return s.case(f"F.conv{dims}d(x, w, {more})")
    s.add("x", shape)
    more = f"{stride}, {padding!r}, {dilation}, {groups}"
    bias = s.pick("", ", bias_attr=False")
    layer = f"nn.Conv{dims}D({inside}, {outside}, {kernel}, {more}, data_format='{layout}'{bias})"
    if s.often(20) and groups == 1 and not isinstance(padding, str) and s.often():
        mode = s.pick("reflect", "replicate", "circular")
        layer = layer[:-1] + f", padding_mode='{mode}')"
    return s.case("c(x)", layers={"c": layer})


@family()
def transposed_convolution(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 2, 3)
    groups = s.pick(1, 1, 2)
    inside, outside = groups * s.int(1, 2), groups * s.int(1, 2)
    layout, shape = _layout(s, dims, inside, 2)
    s.add("x", shape)
    s.add("w", [inside, outside // groups, *s.ints(dims, 1, 3)])
    bias = s.add("b", [outside]) if s.often() else "None"
    stride = s.ints(dims, 1, 3)
    padding = _padding(s, dims, layout)
    dilation = s.pick(1, 1, _each(s, dims, 1, 2))
    extra = s.pick(0, [s.int(0, max(step - 1, 0)) for step in stride])
    size = ""
    if s.often(25):
        shape = [2, *([3] * dims), inside] if layout.endswith("C") else [2, inside, *([3] * dims)]
        s.add("x", shape)
        padding, dilation, width = 0, 1, s.int(1, 3)
        s.add("w", [inside, outside // groups, *([width] * dims)])
        sizes = [2 * step + width + s.int(0, step - 1) for step in stride]
        size = f", output_size={s.attribute('n', sizes, dtype='int32')}"
        extra = 0
    more = f"{bias}, {stride}, {padding!r}, {extra}"
    order = f"groups={groups}, dilation={dilation}"
    return s.case(f"F.conv{dims}d_transpose(x, w, {more}, {order}{size}, data_format='{layout}')")


@family("positions for windows that lie in the padding")
def pooling(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 2, 3)
    layout, shape = _layout(s, dims, s.int(1, 3))
    kind = s.pick("max", "avg", "avg", "lp")
    if dims == 1 or kind == "lp":
        shape = [s.dim(1, 3), 2, *(s.dim(3, 9) for _ in range(dims))]
        layout = "NCHW"
    if dims == 3:  # torch refuses an input that is smaller than the window, padded or not
        shape = [s.dim(1, 2), s.int(1, 2), *(s.dim(4, 7) for _ in range(dims))]
        layout = "NCDHW"
    s.add("x", shape, s.pick("float32", "float32", "float64"), 0.1 if kind == "lp" else -2)
    kernel, stride = _each(s, dims, 1, 4), s.pick("None", _each(s, dims, 1, 3))
    padding = _padding(s, dims, layout)
    more = f"{kernel}, {stride}, {padding!r}, ceil_mode={s.often()}"
    if kind == "avg":
        more += f", exclusive={s.often()}"
        if dims > 1 and s.often(15):
            more += f", divisor_override={s.int(1, 5)}"
    if dims > 1 and kind != "lp":
        more += f", data_format='{layout}'"
    if kind == "max" and s.often(30):
        more += ", return_mask=True"
    if kind == "lp":
        return s.case(f"F.lp_pool{min(dims, 2)}d(x, {s.pick(1, 2, 3)}, {more})", atol=1e-4)
    return s.case(f"F.{kind}_pool{dims}d(x, {more})")


@family()
def adaptive_pooling(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 3)
    kind = s.pick("max", "avg")
    layout, shape = _layout(s, dims, s.int(1, 3))
    if dims == 1 or kind == "max":
        shape = [s.dim(1, 3), 2, *(s.dim(3, 9) for _ in range(dims))]
        layout = ""
    s.add("x", shape, s.pick("float32", "float32", "float64"))
    size = s.pick(s.int(1, 5), [s.pick(s.int(1, 5), None) for _ in range(dims)])
    if dims == 1:
        size = s.int(1, 5)
    more = f", data_format='{layout}'" if layout else ""
    if kind == "max" and s.often(30):
        more += ", return_mask=True"
    return s.case(f"F.adaptive_{kind}_pool{dims}d(x, {size}{more})")


@family("bicubic resize to one element", "resizes int64 only by nearest")
def interpolation(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 2, 3)
    modes = {1: ["linear"], 2: ["nearest", "bilinear", "bicubic", "area"], 3: ["nearest",
             "trilinear", "area"]}  # fmt: skip
    mode = s.pick(*modes[dims])
    layout, shape = _layout(s, dims, s.int(1, 2), 1)
    layout = {"NCL": "NCW", "NLC": "NWC"}.get(layout, layout)
    s.add("x", shape, s.pick("float32", "float32", "float64", "float32", "int64"))
    if s.often():
        sizes = s.ints(dims, 1, 11)
        target = f"size={s.attribute('n', sizes, 10, 'int32')}"
    else:
        scales = [s.pick(0.5, 2.0, 1.5, 0.7, 1.3, 3.0, 2.7, 1.0) for _ in range(dims)]
        target = f"scale_factor={s.pick(scales[0], scales)}"
    more = f", mode='{mode}', data_format='{layout}'"
    if mode not in ("nearest", "area"):
        more += f", align_corners={s.often()}, align_mode={s.int(0, 1)}"
    return s.case(f"F.interpolate(x, {target}{more})", atol=3e-5)


@family()
def grids(s: Sketch) -> Case:
    dims = s.pick(2, 2, 3)
    corners = s.often()
    batch = s.dim(1, 3)
    if s.often(40):
        channels, sizes = s.int(1, 3), s.ints(dims, 2 if corners else 1, 6)  # Paddle: 0 / 0
        s.add("t", [2, dims, dims + 1], s.pick("float32", "float64"))
        return s.case(f"F.affine_grid(t, {[2, channels, *sizes]}, {corners})")
    mode, dtype = s.pick("bilinear", "nearest"), s.pick("float32", "float64")
    s.add("x", [batch, s.int(1, 3), *(s.dim(2, 6) for _ in range(dims))], dtype)
    s.add("g", [batch, *(s.dim(1, 4) for _ in range(dims)), dims], dtype, -1.6, 1.6)
    border = s.pick("zeros", "border", "reflection")
    return s.case(f"F.grid_sample(x, g, '{mode}', '{border}', {corners})", atol=3e-5)


@family("uneven paddings in fold")
def moved_pixels(s: Sketch) -> Case:
    """Pixel and channel shuffles, unfold, fold, temporal shift."""
    kind = s.int(0, 6)
    factor = s.int(1, 3)
    layout = s.pick("NCHW", "NHWC")

    def image(channels: int, height: Dim, width: Dim) -> None:
        batch = s.dim(1, 3)
        last = layout == "NHWC"
        dims = [batch, height, width, channels] if last else [batch, channels, height, width]
        s.add("x", dims, s.pick("float32", "float64"))

    if kind == 0:
        image(factor * factor * s.int(1, 2), s.dim(), s.dim())
        return s.case(f"F.pixel_shuffle(x, {factor}, '{layout}')")
    if kind == 1:
        image(s.int(1, 3), factor * s.int(1, 3), factor * s.int(1, 3))
        return s.case(f"F.pixel_unshuffle(x, {factor}, '{layout}')")
    if kind == 2:
        image(factor * s.int(1, 3), s.dim(), s.dim())
        return s.case(f"F.channel_shuffle(x, {factor}, '{layout}')")
    if kind == 3:
        dims = [s.int(1, 2) * factor, s.int(2, 8), s.dim(), s.dim()]
        if layout == "NHWC":
            dims = [dims[0], dims[2], dims[3], dims[1]]
        s.add("x", dims)
        return s.case(f"F.temporal_shift(x, {factor}, {s.pick(0.1, 0.25, 0.4)}, None, '{layout}')")
    kernel, stride, dilation = s.ints(2, 1, 3), s.ints(2, 1, 3), s.ints(2, 1, 2)
    padding = s.pick(s.int(0, 2), s.ints(2, 0, 2), s.ints(4, 0, 2))
    more = f"{kernel}, {stride}, {padding}, {dilation}"
    if kind < 6:
        s.add("x", [s.dim(1, 3), s.dim(1, 3), s.dim(5, 9), s.dim(5, 9)])
        return s.case(f"F.unfold(x, {more})")
    pads = [padding] * 2 if isinstance(padding, int) else padding[:2]
    sizes = s.ints(2, 6, 9)
    counts = [
        (size + 2 * pad - step * (width - 1) - 1) // jump + 1
        for size, pad, step, width, jump in zip(sizes, pads, dilation, kernel, stride, strict=True)
    ]
    s.add("x", [s.dim(1, 3), 2 * kernel[0] * kernel[1], counts[0] * counts[1]])
    return s.case(f"F.fold(x, {sizes}, {kernel}, {stride}, {pads}, {dilation})")


@family()
def unpooling(s: Sketch) -> Case:
    dims = s.pick(1, 2, 2, 3)
    kernel = s.int(2, 3)
    s.add("x", [s.dim(1, 3), s.dim(1, 3), *(kernel * s.int(1, 3) for _ in range(dims))])
    more = f"{kernel}" + (f", {kernel}, 0" if s.often() else "")
    return s.case(f"F.max_unpool{dims}d(*F.max_pool{dims}d(x, {kernel}, return_mask=True), {more})")


@family("random")
def fractional_pooling(s: Sketch) -> Case:
    dims = s.pick(2, 3)
    s.add("x", [s.dim(1, 2), s.dim(1, 2), *(s.dim(5, 9) for _ in range(dims))])
    size = _each(s, dims, 1, 4)
    kernel = s.pick("None", s.int(1, 2))
    u = s.int(1, 19) / 20
    return s.case(f"F.fractional_max_pool{dims}d(x, {size}, {kernel}, {u}, {s.often()})")
