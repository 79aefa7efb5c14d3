"""Tensors made from nothing, transforms, boxes, and groups of operators that models chain."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Sketch, family


@family("depends on the model's inputs", "not known before the model runs")
def creation(s: Sketch) -> Case:
    """Constants, ranges and grids, with sizes from x, from numbers or from tensors."""
    s.add("x", s.shape((1, 2), low=1), s.pick("float32", "int64"))
    dtype = s.pick("float32", "float64", "int64", "int32", "bool", "float16")
    size = s.pick("x.shape[0]", "paddle.shape(x)[0]", s.attribute("n", s.int(1, 5), 30))
    low, step = s.int(-4, 4), s.pick(1, 2, 3, 0.5, 0.1)
    number = s.pick(f"'{dtype}'", "None")
    text = s.pick(
        f"paddle.full([{size}, 2], {s.int(-3, 3)}, '{dtype}')",
        f"paddle.full_like(x, {s.number()}, {number})",
        f"paddle.zeros([2, {size}], '{dtype}')",
        f"paddle.ones_like(x, {number})",
        f"paddle.arange({size})",
        f"paddle.arange({low}, {low} + {size} * {step}, {step})",
        f"paddle.arange({low}, {low} - {size}, -1, dtype='{s.pick('int32', 'float32')}')",
        f"paddle.linspace({low}, {low + 3}, {s.int(1, 7)}, '{s.pick('float32', 'float64')}')",
        f"paddle.logspace({low}, {low + 2}, {s.int(1, 5)}, {s.pick(2.0, 10.0, 3.0)})",
        f"paddle.eye({size}, {s.int(1, 5)}, '{s.pick('float32', 'int64')}')",
        f"paddle.tril(paddle.ones([{size}, {size}]), {s.int(-2, 2)})",
        f"paddle.tril_indices({s.int(1, 4)}, {s.int(1, 4)}, {s.int(-2, 2)})",
        f"paddle.triu_indices({s.int(1, 4)}, {s.int(1, 4)}, {s.int(-2, 2)})",
        f"paddle.meshgrid(paddle.arange({size}), paddle.arange({s.int(1, 4)}))",
        f"F.one_hot(paddle.arange({size}), {s.int(5, 9)})",
        f"F.sequence_mask(paddle.arange({size}), {s.int(1, 6)}, '{dtype}')",
    )
    return s.case(f"{text}, x + x")


@family()
def spectra(s: Sketch) -> Case:
    """Fourier transforms over an axis, with lengths and norms."""
    dims = s.shape((1, 3), low=2)
    name = s.pick("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2",
                  "irfft2", "fftn", "ifftn", "rfftn", "fftshift", "ifftshift")  # fmt: skip
    real = name.startswith(("rfft", "ihfft")) or s.often(30)
    kind = s.pick("float32", "float64") if real else s.pick("complex64", "complex128")
    if "2" in name:
        dims = [s.dim(2, 4), *s.shape((1, 2), low=2)]
    s.add("x", dims, kind)
    norm = s.pick("backward", "ortho", "forward")
    if "shift" in name:
        return s.case(f"paddle.fft.{name}(x, {s.pick('None', s.axis(len(dims)))})")
    if "2" in name or name.endswith("n"):
        return s.case(f"paddle.fft.{name}(x, norm='{norm}')", atol=3e-5)
    length = s.pick("None", s.int(2, 6))
    return s.case(f"paddle.fft.{name}(x, {length}, {s.axis(len(dims))}, '{norm}')", atol=3e-5)


@family()
def regions(s: Sketch) -> Case:
    """RoI pooling, deformable convolution, NMS and boxes."""
    kind = s.int(0, 4)
    height, width = s.int(5, 9), s.int(5, 9)
    if kind < 2:
        count, channels = s.int(1, 4), 4 if kind else s.int(1, 3)
        s.add("x", [1, channels, height, width])
        corners = [[s.int(0, 12) / 2, s.int(0, 12) / 2] for _ in range(count)]
        boxes = [[x, y, x + s.int(2, 12) / 2, y + s.int(2, 12) / 2] for x, y in corners]
        s.add("b", [count, 4], values=boxes)
        s.add("n", [1], "int32", values=[count])
        size, scale = s.pick(2, [1, 3], [3, 2]), s.pick(1.0, 0.5, 0.25)
        if kind:
            return s.case(f"paddle.vision.ops.psroi_pool(x, b, n, {s.pick(1, 2)}, {scale})")
        size = s.pick(2, 3, (1, 3))
        name = s.pick("roi_align", "roi_align", "roi_pool")
        more = f", {s.pick(-1, 1, 2)}, {s.often()}" if name == "roi_align" else ""
        return s.case(f"paddle.vision.ops.{name}(x, b, n, {size}, {scale}{more})",
                      no_grad="small aligned boxes")  # fmt: skip
    if kind == 2:
        groups, kernel = s.pick(1, 2), s.int(1, 3)
        inside, outside = 2 * groups, 2 * s.int(1, 2)
        stride, padding, dilation = s.int(1, 2), s.int(0, 2), s.int(1, 2)
        reach = dilation * (kernel - 1) + 1
        rows = (height + 2 * padding - reach) // stride + 1
        columns = (width + 2 * padding - reach) // stride + 1
        parts = s.pick(1, 2)
        batch = s.dim(1, 2)
        s.add("x", [batch, inside, height, width])
        s.add("o", [batch, 2 * parts * kernel * kernel, rows, columns])
        s.add("m", [batch, parts * kernel * kernel, rows, columns], "float32", 0, 1)
        s.add("w", [outside, inside // groups, kernel, kernel])
        mask = s.pick("None", "m")
        more = f"{stride}, {padding}, {dilation}, {parts}, {groups}, {mask}"
        return s.case(f"paddle.vision.ops.deform_conv2d(x, o, w, None, {more})",
                      no_grad="kinks of bilinear sampling", atol=3e-5)  # fmt: skip
    count = s.int(1, 7)
    corners = [[s.int(0, 20) / 2, s.int(0, 20) / 2] for _ in range(count)]
    boxes = [[x, y, x + s.int(1, 12) / 2, y + s.int(1, 12) / 2] for x, y in corners]
    s.add("b", [count, 4], values=boxes)
    scores = [value / 16 for value in s.order(count)]
    s.add("c", [count], values=scores)
    limit = s.pick(0.1, 0.3, 0.55, 0.8)
    if kind == 3:
        return s.case(f"paddle.vision.ops.nms(b, {limit}{s.pick('', ', c')})")
    s.add("y", [count], "int64", 0, 2)
    top = s.pick("", f", {s.int(1, 4)}")
    return s.case(f"paddle.vision.ops.nms(b, {limit}, c, y, [0, 1]{top})")


@family("depends on the model's inputs", "not known before the model runs", "is not one index")
def chained(s: Sketch) -> Case:
    """Two or three operators in a row, with the sizes of one in the attributes of the next."""
    batch, length = s.dim(1, 4), s.dim(2, 6)
    heads, width = s.int(1, 3), s.int(1, 3)
    s.add("x", [batch, length, heads * width])
    steps = (
        f"x.reshape([x.shape[0], x.shape[1], {heads}, {width}]).transpose([0, 2, 1, 3])",
        f"x.reshape([0, 0, {heads}, -1]).flatten(0, 1)",
        "x.transpose([0, 2, 1]).reshape([-1, x.shape[1]])",
        "x[:, : x.shape[1] // 2].mean(1)", "x[:, -1] + x[:, 0]",
        "x + paddle.arange(x.shape[1], dtype='float32').unsqueeze(-1)",
        "paddle.concat([x, paddle.zeros([x.shape[0], 1, x.shape[2]])], 1)",
        "paddle.tril(x @ x.transpose([0, 2, 1]))[:, -1]",
        "x.expand([3, -1, -1, -1]).flatten(0, 1)", "paddle.tile(x[:, :1], [1, x.shape[1], 1])",
        "paddle.where(paddle.arange(x.shape[1]).unsqueeze(-1) < 2, x, paddle.zeros_like(x))",
        "F.pad(x, [0, 1], data_format='NLC')", "x.flip(1).cumsum(1)[:, ::2]",
        "paddle.stack(x.unbind(2), 0).max(0)", "F.softmax(x, 1).argmax(1)",
        f"paddle.split(x, {heads}, 2)[-1] * 2", "x.roll(1, 1) - x", "x.unsqueeze(1).squeeze([1])",
        "F.one_hot(x.argmax(-1), x.shape[2]).sum(1)", "paddle.topk(x, 2, 1)[0].sum(1)",
        "x.reshape([x.shape[0] * x.shape[1], -1])[x.shape[1] - 1]",
        "paddle.gather(x, paddle.arange(x.shape[1] - 1, -1, -1), 1)",
        "paddle.linspace(0, 1, x.shape[1]).reshape([1, -1, 1]) * x",
        "(x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1)",
    )  # fmt: skip
    return s.case(s.pick(*steps))
