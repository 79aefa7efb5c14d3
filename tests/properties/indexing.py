"""Elements picked and placed by index."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Dim, Sketch, family


def _index(s: Sketch, name: str, dims: list[Dim], size: int, negative: bool = True) -> str:
    low = -size if negative and s.often(40) else 0
    return s.add(name, dims, s.pick("int64", "int64", "int32"), low, size)


def _apart(s: Sketch, name: str, count: int, size: int) -> str:
    """An index without repetition, whose order of writing does not matter."""
    chosen = s.some(range(size), 1, count)
    s.add(name, [len(chosen)], s.pick("int64", "int32"), values=chosen)
    return name


@family("depends on the model's inputs")
def gathering(s: Sketch) -> Case:
    dims = s.shape((1, 4), low=1)
    rank = len(dims)
    axis = s.axis(rank)
    least = s.least(dims[axis])
    s.add("x", dims, s.pick("float32", "float32", "int64", "float64", "bool"))
    kind = s.int(0, 6)
    if kind == 0:
        _index(s, "i", s.pick([s.dim()], []), least, False)
        return s.case(f"paddle.gather(x, i, {s.attribute('n', axis, 5)})")
    if kind == 1:
        _index(s, "i", [s.dim()], least)
        outside = s.inputs["i"].low < 0  # where Paddle's gradient writes for negative indices
        return s.case(f"paddle.index_select(x, i, {axis})", no_grad=outside * "spoils")
    if kind == 2:
        depth = s.int(1, rank)
        smallest = min(s.least(dim) for dim in dims[:depth])
        _index(s, "i", [*s.shape((0, 2), low=1), depth], smallest)
        return s.case("paddle.gather_nd(x, i)")
    if kind == 3:
        index = [dim if s.often(60) else s.int(1, s.least(dim)) for dim in dims]
        index[axis] = s.dim()
        _index(s, "i", index, least)
        more = s.pick("", ", broadcast=False")
        return s.case(f"paddle.take_along_axis(x, i, {axis}{more})")
    if kind == 4:
        count = min(8, max(1, least))
        _index(s, "i", s.shape((0, 2), low=1), count)
        mode = s.pick("", ", mode='wrap'", ", mode='clip'")
        return s.case(f"paddle.take(x, i{mode})")
    if kind == 5 and rank == 2:
        _index(s, "i", [dims[0], s.dim()], s.least(dims[1]), False)
        return s.case("paddle.index_sample(x, i)")
    s.add("m", s.pick(dims, dims[:1]), "bool")
    return s.case(s.pick("x[m]", "paddle.masked_select(x, m)"))


@family()
def scattering(s: Sketch) -> Case:
    dims = s.shape((1, 3), low=2)
    s.add("x", dims, s.pick("float32", "float32", "float64", "int64"))
    dtype = s.inputs["x"].dtype
    axis = s.axis(len(dims))
    least = s.least(dims[0])
    kind = s.int(0, 5)
    if kind == 0:
        _apart(s, "i", 4, least)
        s.add("u", [*s.inputs["i"].dims, *dims[1:]], dtype)
        return s.case(f"paddle.scatter(x, i, u, {s.often(60)})")
    if kind == 1:
        count = s.dim()
        _index(s, "i", [count], least, False)
        s.add("u", [count, *dims[1:]], dtype)
        return s.case("paddle.scatter(x, i, u, False)")
    if kind == 2:
        depth, many = s.int(1, len(dims)), s.shape((0, 2), low=1)
        smallest = min(s.least(dim) for dim in dims[:depth])
        _index(s, "i", [*many, depth], smallest)
        s.add("u", [*many, *dims[depth:]], dtype)
        return s.case("paddle.scatter_nd_add(x, i, u)")
    if kind == 3:
        count = s.dim()
        _index(s, "i", [count], s.least(dims[axis]))
        update = list(dims)
        update[axis] = count
        s.add("u", update, dtype)
        return s.case(f"paddle.index_add(x, i, {axis}, u)")
    if kind == 4:
        _index(s, "i", [s.int(1, 3)], s.least(dims[axis]))
        return s.case(f"paddle.index_fill(x, i, {axis}, {s.int(-3, 3)})")
    s.add("m", dims, "bool")
    s.add("v", [99], dtype)
    return s.case("paddle.masked_scatter(x, m, v)")


@family()
def index_put(s: Sketch) -> Case:
    dims = s.shape((1, 3), low=2)
    s.add("x", dims, s.pick("float32", "float32", "float64", "int64"))
    dtype = s.inputs["x"].dtype
    depth = s.int(1, len(dims))
    many = s.shape((1, 2), low=1)
    accumulate = s.often()
    if accumulate:
        for axis in range(depth):
            _index(s, "ijk"[axis], s.pick(many, many[-1:]), s.least(dims[axis]))
        s.add("i", many, s.inputs["i"].dtype, s.inputs["i"].low, s.inputs["i"].high)
        s.add("u", s.pick([*many, *dims[depth:]], [1], dims[depth:] or [1]), dtype)
    else:
        _apart(s, "i", 3, s.least(dims[0]))
        for axis in range(1, depth):
            _index(s, "ijk"[axis], [1], s.least(dims[axis]))
        s.add("u", s.pick([*s.inputs["i"].dims, *dims[depth:]], [1]), dtype)
    if s.often(25):
        s.add("m", dims[: s.int(1, len(dims))], "bool")
        return s.case(f"paddle.index_put(x, (m,), {s.add('u', [1], dtype)}, {accumulate})")
    return s.case(f"paddle.index_put(x, ({', '.join('ijk'[:depth])},), u, {accumulate})")


@family()
def along_axis(s: Sketch) -> Case:
    """put_along_axis with each reduction; without one the places must differ."""
    dims = s.shape((1, 3), low=2)
    axis = s.axis(len(dims))
    s.add("x", dims, s.pick("float32", "float32", "float64", "int64"))
    dtype = s.inputs["x"].dtype
    index = [s.pick(dim, 1) for dim in dims]
    how = s.pick("assign", "add", "mul", "multiply", "mean", "amin", "amax")
    index[axis] = 1 if how == "assign" else s.int(1, 3)
    broadcast = s.often(60)
    if not broadcast:
        index = [dim if isinstance(dim, str) else s.int(1, dim) for dim in index]
    _index(s, "i", index, s.least(dims[axis]))
    outside = s.inputs["i"].low < 0  # where Paddle's gradient writes for negative indices
    value = s.pick(f"{s.int(-3, 3)}.0", "u") if "float" in dtype else "u"
    s.add("u", index, dtype)
    more = f", '{how}'" + s.pick("", ", include_self=False") + f", broadcast={broadcast}"
    return s.case(f"paddle.put_along_axis(x, i, {value}, {axis}{more})", no_grad=outside * "spoils")


@family()
def embedding(s: Sketch) -> Case:
    count, width = s.int(2, 6), s.int(1, 4)
    s.add("i", s.shape((0, 3)), s.pick("int64", "int32"), 0, count)
    padding = s.pick("", f", padding_idx={s.int(-count, count - 1)}")
    if s.often():
        return s.case("e(i)", layers={"e": f"nn.Embedding({count}, {width}{padding})"})
    s.add("w", [count, width], s.pick("float32", "float64"))
    return s.case(f"F.embedding(i, w{padding})")


@family()
def diagonals(s: Sketch) -> Case:
    dims = s.ints(s.int(2, 3), 2, 5)
    s.add("x", dims, s.pick("float32", "int64"))
    rows, columns = dims[:2]
    kind = s.int(0, 4)
    if kind == 0 and len(dims) == 2:
        return s.case(f"paddle._C_ops.fill_diagonal(x, 2.0, {s.int(-1, 1)}, {s.often()})")
    offset = s.int(-1, 1)
    length = min(rows + min(offset, 0), columns - max(offset, 0))
    if kind < 3:
        s.add("y", [*dims[2:], length], s.inputs["x"].dtype)
        return s.case(f"paddle.diagonal_scatter(x, y, {offset})")
    axis = s.axis(len(dims))
    part = [size for number, size in enumerate(dims) if number != axis % len(dims)]
    s.add("y", part, s.inputs["x"].dtype)
    if kind == 3:
        return s.case(f"paddle.select_scatter(x, y, {axis}, {s.int(0, dims[axis] - 1)})")
    start = s.int(0, dims[axis] - 1)
    whole = list(dims)
    whole[axis] = dims[axis] - start
    s.add("y", whole, s.inputs["x"].dtype)
    return s.case(
        f"paddle.slice_scatter(x, y, [{axis % len(dims)}], [{start}], [{dims[axis]}], [1])"
    )
