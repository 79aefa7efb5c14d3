"""Normalisation, linear algebra, losses, recurrent layers and attention."""

from __future__ import annotations

from tests.oracle.case import Case
from tests.properties.sketch import Dim, Sketch, family


@family()
def normalization(s: Sketch) -> Case:
    dims = s.int(0, 3)
    channels = s.int(1, 3) * 2
    space: list[Dim] = [s.dim(2, 5) for _ in range(dims)]
    batch = s.dim(1, 3)
    kind = s.pick("batch", "batch", "instance", "group", "layer", "local")
    names = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
    last = dims > 0 and kind in ("batch", "group") and s.often(30)
    shape = [batch, *space, channels] if last else [batch, channels, *space]
    layout = f", data_format='{names[dims][last]}'" if dims else ""
    s.add("x", shape, s.pick("float32", "float32", "float64"))
    dtype = s.inputs["x"].dtype
    eps = s.pick("1e-5", "1e-3", "0.1")
    affine = s.pick("", ", weight_attr=False", ", bias_attr=False",
                    ", weight_attr=False, bias_attr=False")  # fmt: skip
    if kind == "layer":
        axis = s.int(1, len(shape) - 1)
        sizes = list(shape[axis:])
        if any(isinstance(size, str) for size in sizes):
            sizes = [4]
            s.add("x", [*shape[:-1], 4], dtype)
        count = 1
        for size in sizes:
            count *= int(size)
        if s.often():
            w, b = s.add("w", [count], dtype), s.add("b", [count], dtype)
            return s.case(f"F.layer_norm(x, {sizes}, {w}, {b}, {eps})")
        s.add("x", s.inputs["x"].dims)
        return s.case("n(x)", layers={"n": f"nn.LayerNorm({sizes}, {eps}{affine})"})
    s.add("x", shape)
    if kind == "local":
        s.add("x", [batch, channels, *([*space, 3, 3][: max(dims, 1)])])
        size = s.pick(3, 5)
        return s.case(f"F.local_response_norm(x, {size}, {s.number(0.05, 1)}, 0.75, 1.0)")
    if kind == "batch":
        rank = max(dims, 1)
        more = f"epsilon={eps}{affine}{s.pick('', ', use_global_stats=True')}"
        if rank == 1 and last:
            layout = ", data_format='NLC'"
        if dims == 0:
            layout = ""
        return s.case("n(x)", layers={"n": f"nn.BatchNorm{rank}D({channels}, {more}{layout})"})
    if kind == "group":
        return s.case(
            "n(x)",
            layers={
                "n": f"nn.GroupNorm({s.pick(1, channels // 2)}, {channels}, {eps}{affine}{layout})"
            },
        )
    if dims == 0:
        s.add("x", [batch, channels, s.dim(2, 5)])
    affine = s.pick("", ", weight_attr=False, bias_attr=False")
    return s.case(
        "n(x)", layers={"n": f"nn.InstanceNorm{max(dims, 1)}D({channels}, {eps}{affine})"}
    )


@family()
def products(s: Sketch) -> Case:
    n, k, m = s.dim(), s.int(1, 4), s.dim()
    dtype = s.pick("float32", "float32", "float64")
    lead = s.shape((0, 2), low=1)
    kind = s.int(0, 6)
    if kind == 0:
        left, right = s.often(), s.often()
        s.add("x", [*lead, *([k, n] if left else [n, k])], dtype)
        s.add("y", [*s.like(lead), *([m, k] if right else [k, m])], dtype)
        return s.case(f"paddle.matmul(x, y, {left}, {right})", atol=3e-5)
    if kind == 1:
        s.add("x", s.pick([k], [*lead, n, k]), dtype)
        s.add("y", s.pick([k], [k, m], [*lead, k, m]), dtype)
        return s.case("paddle.matmul(x, y)", atol=3e-5)
    if kind == 2:
        s.add("x", [*lead, n, k])
        bias = s.pick("", ", bias_attr=False")
        return s.case("f(x)", layers={"f": f"nn.Linear({k}, {s.int(1, 4)}{bias})"})
    if kind == 3:
        s.add("x", [n, k], dtype)
        s.add("y", [k, m], dtype)
        s.add("z", s.pick([n, m], [m], [1, m]), dtype)
        return s.case(f"paddle.addmm(z, x, y, {s.number()}, {s.number()})", atol=3e-5)
    if kind == 4:
        text, first, second = s.pick(
            ("ij,jk->ik", [n, k], [k, m]), ("bij,bjk->bik", [2, n, k], [2, k, m]),
            ("ij,kj->ik", [n, k], [m, k]), ("...j,jk->...k", [*lead, k], [k, m]),
            ("ij,ij->i", [n, k], [n, k]), ("i,j->ij", [n], [m]), ("ij,j->i", [n, k], [k]),
            ("bhqd,bhkd->bhqk", [2, 2, n, k], [2, 2, m, k]), ("ij,jk", [n, k], [k, m]),
        )  # fmt: skip
        s.add("x", first, dtype)
        s.add("y", second, dtype)
        return s.case(f"paddle.einsum('{text}', x, y)", atol=3e-5)
    if kind == 5:
        s.add("x", [n, k], dtype)
        s.add("y", [n, m], dtype)
        return s.case("b(x, y)" if dtype == "float32" and isinstance(m, int) else "x.t() @ y",
                      layers={"b": f"nn.Bilinear({k}, {m}, 3)"} if dtype == "float32" and
                      isinstance(m, int) else {})  # fmt: skip
    s.add("x", [*lead, n, k], dtype)
    s.add("y", [*lead, n, k], dtype)
    text = s.pick("paddle.inner(x, y)", "F.cosine_similarity(x, y, -1)",
                  "F.pairwise_distance(x, y, 2.0)", "paddle.cdist(x, y)", "paddle.dist(x, y, 3)",
                  "paddle.mv(x, y)", "paddle.bmm(x, y.transpose([0, 2, 1]))")  # fmt: skip
    return s.case(text, atol=1e-4)


@family()
def decompositions(s: Sketch) -> Case:
    size = s.int(1, 4)
    lead = s.shape((0, 2), low=1)
    s.add("x", [*lead, size, size], s.pick("float64", "float64", "float32"))
    s.add("y", [*lead, size, s.int(1, 3)], s.inputs["x"].dtype)
    regular = f"(x + 9 * paddle.eye({size}, dtype=x.dtype))"
    perm = [*range(len(lead)), len(lead) + 1, len(lead)]
    definite = f"(x @ x.transpose({perm}) + paddle.eye({size}, dtype=x.dtype))"
    upper, left = s.often(), s.often()
    text = s.pick(
        f"paddle.inverse({regular})", f"paddle.linalg.det({regular})",
        f"paddle.linalg.slogdet({regular})", f"paddle.linalg.cholesky({definite}, {upper})",
        f"paddle.linalg.solve({regular}, y)", "paddle.linalg.svd(x)[1]", "paddle.linalg.svdvals(x)",
        f"paddle.linalg.eigvalsh({definite})", f"paddle.linalg.pinv({regular})",
        f"paddle.linalg.triangular_solve({regular}, y, {upper}, {left}, {s.often()})",
        f"paddle.linalg.matrix_power({regular}, {s.int(-2, 3)})",
        f"paddle.linalg.cholesky_solve(y, paddle.linalg.cholesky({definite}, {upper}), {upper})",
        f"paddle.linalg.matrix_rank({regular})", f"paddle.linalg.cond({regular})",
        f"paddle.linalg.lu({regular})[0]",
        "paddle.linalg.qr(x)[1].abs()", "paddle.linalg.multi_dot([x, y])", "paddle.trace(x)",
    )  # fmt: skip
    return s.case(text, rtol=1e-4, atol=1e-4, no_grad="of a decomposition, may be ill-conditioned")


@family("no ignore_index", "soft labels")
def losses(s: Sketch) -> Case:
    n, classes = s.dim(2, 5), s.int(2, 4)
    how = f", reduction='{s.pick('mean', 'sum', 'none')}'"
    kind = s.int(0, 3)
    if kind == 0:
        s.add("x", [n, classes])
        s.add("y", s.pick([n], [n, 1]), "int64", 0, classes)
        text = s.pick("F.cross_entropy(x, y", f"F.cross_entropy(x, y, ignore_index={s.int(0, 1)}",
                      "F.cross_entropy(x, y, label_smoothing=0.1")  # fmt: skip
        return s.case(text + how + ")")
    if kind == 1:
        s.add("x", [n, classes])
        s.add("y", [n, classes], "float32", 0.05, 0.95)
        return s.case(f"F.cross_entropy(x, F.softmax(y), soft_label=True{how})")
    if kind == 2:
        s.add("x", [n, classes, s.dim(1, 3)])
        s.add("y", [n, s.inputs["x"].dims[2]], "int64", 0, classes)
        return s.case(f"F.nll_loss(F.log_softmax(x, 1), y{how})")
    dims = s.shape((1, 3), low=1)
    s.add("x", dims, "float32", 0.05, 0.95)
    s.add("y", dims, "float32", 0.05, 0.95)
    name = s.pick("mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy", "kl_div",
                  "binary_cross_entropy_with_logits", "soft_margin_loss", "poisson_nll_loss",
                  "huber_loss", "square_error_cost", "log_loss", "margin_ranking_loss",
                  "hinge_embedding_loss", "multi_label_soft_margin_loss")  # fmt: skip
    if name == "margin_ranking_loss":
        return s.case(f"F.margin_ranking_loss(x, y, paddle.sign(x - y), {s.number(0, 1)}{how})")
    if name == "smooth_l1_loss":
        how += f", delta={s.number(0.1, 2)}"
    return s.case(f"F.{name}(x, y{'' if name in ('square_error_cost', 'log_loss') else how})")


@family()
def recurrent(s: Sketch) -> Case:
    name = s.pick("LSTM", "GRU", "SimpleRNN")
    major = s.often(30)
    batch, steps, width = s.dim(1, 3), s.dim(1, 5), s.int(1, 4)
    hidden, layers = s.int(1, 4), s.int(1, 2)
    both = s.often(40)
    s.add("x", [steps, batch, width] if major else [batch, steps, width])
    state = [layers * (2 if both else 1), batch, hidden]
    s.add("h", state)
    s.add("c", state)
    more = f", num_layers={layers}, direction='{'bidirect' if both else 'forward'}'"
    more += f", time_major={major}"
    if name == "SimpleRNN":
        more += s.pick("", ", activation='relu'")
    first = s.pick("", ", (h, c)" if name == "LSTM" else ", h")
    if s.often(30) and isinstance(batch, int):
        count = s.least(steps)
        s.add("n", [batch], s.pick("int32", "int64"), 1, count + 1)
        first = (first or ", None") + ", n"
    text = s.pick("r(x{})", "r(x{})[0]", "r(x{})[1]").format(first)
    return s.case(
        text, layers={"r": f"nn.{name}({width}, {hidden}{more})"}, atol=2e-5,
        no_grad="Paddle keeps nothing for it in eval mode",
    )  # fmt: skip


@family()
def attention(s: Sketch) -> Case:
    batch, queries, keys = s.dim(1, 2), s.dim(1, 5), s.dim(1, 5)
    heads, width = s.int(1, 2), s.int(1, 2) * 4
    s.add("x", [batch, queries, heads, width])
    s.add("y", [batch, keys, heads, width])
    if s.often(60):
        mask = s.pick("None", "m")
        causal = mask == "None" and s.often()
        if causal:
            s.add("y", [batch, queries, heads, width])
        s.add("m", [batch, s.pick(1, heads), queries, keys], s.pick("float32", "bool"))
        return s.case(f"F.scaled_dot_product_attention(x, y, y, {mask}, 0.0, {causal})")
    embed = heads * width
    s.add("x", [batch, queries, embed])
    s.add("y", [batch, keys, embed])
    layer = f"nn.MultiHeadAttention({embed}, {heads})"
    text = s.pick("a(x)", "a(x, y, y)", "a(x, x, x, m)")
    s.add("m", [batch, 1, queries, queries], s.pick("float32", "bool"))
    return s.case(text, layers={"a": layer}, atol=3e-5)
