"""Shapes, arrangement, parts of tensors and assignment to parts."""

from __future__ import annotations

import math

from tests.oracle.case import Case
from tests.properties.sketch import Dim, Sketch, family

_DTYPES = ("float32", "float32", "int64", "bool", "float64")


def _x(s: Sketch, ranks: tuple[int, int] = (0, 4), low: int = 0) -> list[Dim]:
    dims = s.shape(ranks, low)
    s.add("x", dims, s.pick(*_DTYPES))
    return dims


@family("copies a dimension that x lacks", "-1 for an empty", "not known before the model runs")
def reshape(s: Sketch) -> Case:
    """Targets with -1 and 0, as numbers, tensors or sizes of x."""
    dims = _x(s, (0, 4))
    sizes: list[object] = []
    count = math.prod(s.size(dim) for dim in dims)
    rest = count
    for axis, dim in enumerate(dims[: s.int(0, len(dims))]):
        sizes.append(s.pick(f"x.shape[{axis}]", 0))
        rest //= max(s.size(dim), 1)
    if any(isinstance(dim, str) for dim in dims) or s.often():
        parts = s.pick([-1], [-1, 1], [1, -1])
    else:
        factor = s.pick(*(n for n in range(1, 7) if rest % n == 0)) if rest else 1
        parts = [factor, s.pick(-1, rest // factor)]
    tail = [s.attribute(f"n{i}", part, 10) for i, part in enumerate(parts)]
    target = ", ".join(str(size) for size in [*sizes, *tail])
    if s.often(15) and "x.shape" not in target:
        return s.case(f"paddle.reshape(x, paddle.to_tensor([{target}]))")
    return s.case(f"x.reshape([{target}])")


@family()
def arrange(s: Sketch) -> Case:
    dims = _x(s, (1, 4))
    rank = len(dims)
    axis, other = s.axis(rank), s.axis(rank)
    texts = (
        f"x.transpose({s.order(rank)})",
        f"paddle.moveaxis(x, {axis}, {other})",
        f"paddle.swapaxes(x, {axis}, {other})",
        f"x.flip({s.axes(rank)})",
        f"x.roll({s.int(-7, 7)}{s.pick('', f', {axis}')})",
        f"x.roll({s.ints(2, -7, 7)}, {[axis, other]})",
        f"x.flatten({s.int(0, rank - 1)})",
        "x.flatten()",
        f"x.unsqueeze({s.axis(rank + 1)})",
        f"x.unsqueeze({[s.int(0, rank), s.int(0, rank + 1)]})",
        "x.squeeze()",
        f"x.squeeze({axis})",
        f"x.squeeze({s.axes(rank)})",
        "x.t()" if rank <= 2 else "paddle.atleast_2d(x)",
        f"paddle.repeat_interleave(x, {s.int(1, 3)}{s.pick('', f', {axis}')})",
        f"paddle.tril(x, {s.int(-3, 3)})",
        f"paddle.triu(x, {s.int(-3, 3)})",
        f"paddle.rot90(x, {s.int(-4, 4)}, {s.axes(rank, 2, 2)})",
        "paddle.atleast_3d(x)",
        f"paddle.flatten(x, {s.int(-rank, -1)}, -1)",
        "paddle.numel(x)",
        "paddle.shape(x)",
        f"paddle.diagonal(x, {s.int(-2, 2)}, {axis}, {other})",
        f"paddle.diag_embed(x, {s.int(-2, 2)})",
        f"paddle.diag(x, {s.int(-2, 2)}, {s.int(0, 3)})",
        f"paddle.diagflat(x, {s.int(-2, 2)})",
        f"paddle.as_strided(x, [2, 2], {s.ints(2, 0, 1)}, 0)",
        f"paddle.Tensor.unfold(x, {axis}, {s.int(1, 3)}, {s.int(1, 3)})",
        "paddle.vander(x, 3)",
        f"paddle.trace(x, {s.int(-2, 2)}, {axis}, {other})",
    )
    return s.case(s.pick(*texts))


@family()
def expansion(s: Sketch) -> Case:
    dims = _x(s)
    lead = s.ints(s.int(0, 2), 1, 3)
    if s.often():
        times = [s.int(0 if s.often(10) else 1, 3) for _ in range(s.int(0, len(dims) + 1))]
        return s.case(f"paddle.tile(x, {s.attribute('n', times) if times else times})")
    ones = [1 if s.often(40) else dim for dim in dims]
    s.add("x", ones, s.inputs["x"].dtype)
    if s.often(25):
        s.add("y", [*lead, *dims], "float32")
        return s.case(s.pick("paddle.expand_as(x, y)", "x.expand(y.shape)"))
    target = [
        s.pick(-1, s.size(one)) if one != 1 and isinstance(one, int) else -1 if one != 1
        else s.int(1, 4) for one in ones
    ]  # fmt: skip
    sizes = [*lead, *target]
    return s.case(f"paddle.expand(x, {s.attribute('n', sizes) if sizes else sizes})")


@family("depends on the model's inputs")
def joining(s: Sketch) -> Case:
    dims = s.shape((1, 4))
    axis = s.axis(len(dims))
    kind = s.int(0, 3)
    dtype = s.pick(*_DTYPES)
    names = ["x", "y", "z"][: s.int(1, 3)]
    for name in names:
        own = list(dims)
        if kind == 0:
            own[axis] = s.dim(0 if s.often(10) else 1)
        s.add(name, own, dtype)
    listed = ", ".join(names)
    if kind == 0:
        return s.case(f"paddle.concat([{listed}], {s.attribute('n', axis, 5)})")
    if kind == 1:
        return s.case(f"paddle.stack([{listed}], {s.axis(len(dims) + 1)})")
    join = s.pick("hstack", "vstack", "dstack", "column_stack", "row_stack")
    return s.case(f"paddle.{join}([{listed}])")


@family("depends on the model's inputs", "not known before the model runs")
def splitting(s: Sketch) -> Case:
    dims = s.shape((1, 4), low=1)
    axis = s.axis(len(dims))
    kind = s.int(0, 4)
    parts = s.ints(s.int(1, 4), 1, 3)
    if kind == 0:
        dims[axis] = sum(parts)
        if s.often(30):
            parts[s.int(0, len(parts) - 1)] = -1
        text = f"paddle.split(x, {parts}, {s.attribute('n', axis, 8)})"
    elif kind == 1:
        dims[axis] = len(parts) * s.int(1, 3)
        text = f"paddle.{s.pick('split', 'chunk')}(x, {len(parts)}, {axis})"
    elif kind == 2:
        text = f"paddle.{s.pick('unbind', 'unstack')}(x, {axis})"
        dims[axis] = s.int(1, 3)
    elif kind == 3:
        text = f"paddle.tensor_split(x, {s.pick(s.int(1, 4), [1, 2], [0, 3])}, {axis})"
        dims[axis] = s.int(1, 7)
    else:
        text = f"paddle.{s.pick('hsplit', 'vsplit', 'dsplit')}(x, {s.pick(2, [1, 2])})"
        dims[axis] = s.pick(2, 4)
    s.add("x", dims, s.pick(*_DTYPES))
    return s.case(text)


def _part(s: Sketch, dim: Dim, names: list[str]) -> str:
    """One item of an index: an int, a slice, an ellipsis, an index tensor."""
    least = s.least(dim)
    kind = s.int(0, 9)
    if kind <= 2 and least:
        value = s.int(-least, least - 1)
        return s.attribute(f"i{len(s.inputs)}", value, 15)
    if kind == 3 and least and not names:
        names.append("k")
        s.add("k", s.shape((0, 2), low=1), "int64", -least, least)
        return "k"
    if kind == 4:
        return ":"
    start, stop = s.pick("", s.int(-7, 7)), s.pick("", s.int(-7, 7))
    step = s.pick("", "", s.int(1, 3), -s.int(1, 3))
    if start != "" and s.often(15):
        start = s.attribute(f"i{len(s.inputs)}", start, 60)
    return f"{start}:{stop}" + (f":{step}" if step != "" else "")


def _index(s: Sketch, dims: list[Dim], plain: bool = False) -> str:
    names: list[str] = ["no tensors"] if plain else []
    parts = [_part(s, dim, names) for dim in dims[: s.int(1, len(dims))]]
    if s.often(15):
        parts.insert(s.int(0, len(parts)), "None")
    if s.often(15) and len(parts) < len(dims) and "k" not in parts:
        tail = _part(s, dims[-1], ["no tensors"])
        parts += ["...", tail]
    return ", ".join(parts)


@family("depends on the model's inputs", "is not one index")
def reading(s: Sketch) -> Case:
    """x[…] with slices, numbers, None, ellipsis and index tensors."""
    dims = _x(s, (1, 4), low=1)
    return s.case(f"x[{_index(s, dims)}]")


@family("depends on the model's inputs", "is not one index", "not one index")
def writing(s: Sketch) -> Case:
    """x[…] = value, a number or a tensor that broadcasts."""
    dims = s.shape((1, 3), low=1)
    s.add("x", dims, s.pick("float32", "float32", "int64", "float64"))
    index = _index(s, dims, plain=s.often(80))
    if s.often():
        return s.case("y", setup=f"y = x * 2\ny[{index}] = {s.int(-3, 3)}")
    value = s.pick("y * 0 + 1", f"y[{index}] * 2 + 1", f"y[{index}].mean()", f"-y[{index}]")
    return s.case("y", setup=f"y = x * 2\ny[{index}] = {value}")


@family("depends on the model's inputs", "not known before the model runs")
def slicing(s: Sketch) -> Case:
    dims = _x(s, (1, 4), low=1)
    axes = s.axes(len(dims))
    starts = [s.int(-6, 6) for _ in axes]
    ends = [s.int(-6, 8) for _ in axes]
    if s.often(30):
        steps = [s.pick(1, 2, 3, -1, -2) for _ in axes]
        return s.case(f"paddle.strided_slice(x, {axes}, {starts}, {ends}, {steps})")
    if s.often(30):
        shape = [s.pick(-1, s.int(1, s.least(dim))) for dim in dims]
        offsets = [s.int(0, s.least(d) - max(n, 1)) for d, n in zip(dims, shape, strict=True)]
        return s.case(f"paddle.crop(x, {shape}, {s.attribute('o', offsets, dtype='int32')})")
    more = f"{s.attribute('b', starts)}, {s.attribute('e', ends)}"
    return s.case(f"paddle.slice(x, {axes}, {more})")


@family("depends on the model's inputs", "not known before the model runs")
def padding(s: Sketch) -> Case:
    rank = s.int(1, 5)
    dims = [s.dim(2, 5) for _ in range(rank)]
    s.add("x", dims, s.pick("float32", "float32", "float64", "int64", "int32"))
    mode = s.pick("constant", "constant", "reflect", "replicate", "circular")
    full = rank < 3 or (mode == "constant" and s.often(35))
    if rank < 3:
        mode = "constant"
    count = 2 * rank if full else 2 * (rank - 2)
    low, high = (
        (-1, 3) if mode == "constant" and s.often(20) else (0, 1 if mode == "reflect" else 2)
    )
    pads = s.ints(count, low, high)
    layout = "" if full else {
        3: s.pick("NCL", "NLC"), 4: s.pick("NCHW", "NHWC"), 5: s.pick("NCDHW", "NDHWC"),
    }[rank]  # fmt: skip
    more = f", value={s.number()}" if mode == "constant" and s.often() else ""
    more += f", data_format='{layout}'" if layout else ""
    more += ", pad_from_left_axis=False" if full and s.often(30) else ""
    text = str(pads) if full else s.attribute("n", pads, dtype="int32")
    return s.case(f"F.pad(x, {text}, '{mode}'{more})")
