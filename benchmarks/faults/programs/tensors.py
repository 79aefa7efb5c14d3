"""Programs of sorting, indexing, writing, rounding, counting, loops and branches."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from benchmarks.faults.programs.collection import image, lengths, program, real, whole


@program("indices", real("x", "B", 20), whole("ids", "B", 6, high=20))
class Sorting(nn.Layer):
    """topk, argsort, argmax, gathering along an axis."""

    def forward(self, x: Any, ids: Any) -> Any:
        best, place = paddle.topk(x, 5, axis=-1)
        low, where = paddle.topk(x, 4, axis=-1, largest=False)
        order = paddle.argsort(x, axis=-1, descending=True)
        level = paddle.round(x * 2) / 2
        first = paddle.argmax(level, axis=-1)
        last = paddle.argmin(level, axis=-1)
        taken = paddle.take_along_axis(x, ids, 1)
        return best + low.sum(-1, keepdim=True), place, where, order, first, last, taken


@program("indices", real("x", 12, 8), whole("rows", "N", high=12), real("new", "N", 8))
class Writing(nn.Layer):
    """gather, scatter with and without overwriting, index_add, where."""

    def forward(self, x: Any, rows: Any, new: Any) -> Any:
        gathered = paddle.gather(x, rows, axis=0)
        columns = paddle.index_select(x, paddle.to_tensor([1, 3, 6]), axis=1)
        added = paddle.scatter(x, rows, new, overwrite=False)
        more = paddle.scatter_nd_add(x, rows.unsqueeze(-1), new * 0.5)
        grown = paddle.index_add(x, rows, 0, new)
        picked = paddle.where(x > 0.2, x * 2, x - 1)
        return gathered, columns, added, more, grown, picked


@program("indices", real("x", "B", 6, 6), real("y", "B", 6))
class Assigning(nn.Layer):
    """Parts of a tensor are written: rows, columns, steps, a mask; a diagonal is filled."""

    def forward(self, x: Any, y: Any) -> Any:
        a = x * 1.0
        a[:, 2] = y
        a[:, :, 4] = y * 2
        a[:, 0:2, 1:3] = 0.5
        b = x * 1.0
        b[:, ::2, 0] = -1.0
        c = paddle.where(x > 1.0, paddle.zeros_like(x), x)
        d = paddle.tril(x) - paddle.triu(x, 1)
        return a, b, c, d, paddle.flip(x, [1]), paddle.roll(x, 2, 2)


@program("numbers", real("x", "B", 10, scale=3.0), whole("n", "B", 10, low=-20, high=20))
class Integers(nn.Layer):
    """Division, remainders, casts and rounding of negative numbers."""

    def forward(self, x: Any, n: Any) -> Any:
        half = paddle.round(x * 2) / 2
        return (
            n // 7, n % 7, x // 0.75, x % 0.75, paddle.cast(x, "int32"), paddle.round(half),
            paddle.floor(x), paddle.ceil(x), paddle.trunc(x), paddle.sign(half),
            paddle.cast(half, "bool"), paddle.cast(n, "float32") / 3,
        )  # fmt: skip


@program("numbers", real("x", "B", 9, 7))
class Reductions(nn.Layer):
    """Means, variances, norms, products, cumulative sums, logarithms of sums."""

    def forward(self, x: Any) -> Any:
        y = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 0.1)
        parts = [
            x.var(2, unbiased=False),
            x.sum(2) / 7,
            x.max(2),
            x.amin(2),
            paddle.logsumexp(x, 2),
            paddle.norm(x, 2, axis=2),
            paddle.norm(x, 1, axis=2),
            paddle.prod(x + 1.2, 2),
        ]
        total = paddle.cumsum(x, axis=1) + paddle.cumprod(F.sigmoid(x) + 0.5, dim=1)
        some = paddle.any(x > 1.5, axis=2), paddle.all(x > -1.5, axis=2)
        return y, paddle.stack(parts, 1), total, some[0], some[1], paddle.median(x, axis=2)


@program("numbers", real("x", "B", 16, scale=2.0))
class Activations(nn.Layer):
    """Every activation with settings of its own."""

    def forward(self, x: Any) -> Any:
        parts = [
            F.leaky_relu(x, 0.15),
            F.elu(x, 0.7),
            F.celu(x, 1.3),
            F.selu(x),
            F.gelu(x),
            F.gelu(x, True),
            F.hardtanh(x, -1.5, 1.2),
            F.relu6(x * 4),
            F.softplus(x, 1.5, 8),
            F.softshrink(x, 0.4),
            F.hardshrink(x, 0.6),
            F.thresholded_relu(x, 0.9),
            F.mish(x),
            F.hardsigmoid(x),
            F.hardsigmoid(x, 0.2, 0.5),
            F.hardswish(x),
            F.silu(x),
            F.softsign(x),
            paddle.clip(x, -1.1, 1.7),
            F.log_sigmoid(x),
            F.tanhshrink(x),
            paddle.stanh(x, 0.6, 1.7),
        ]
        return (
            paddle.concat(parts, 1),
            F.softmax(x.reshape([0, 4, 4]), 1),
            F.maxout(x.reshape([0, 16, 1, 1]), 2),
        )


@program("images", image("B", 4, 21, 18))
class Windows(nn.Layer):
    """Every kind of pooling and padding."""

    def forward(self, x: Any) -> Any:
        one = F.avg_pool2d(x, 3, 2, 1, exclusive=True)
        two = F.avg_pool2d(x, 3, 2, 1, exclusive=False)
        three = F.max_pool2d(x, 3, 2, 0, ceil_mode=True)
        four = F.avg_pool2d(x, 2, 2, 0, ceil_mode=True)
        five = F.adaptive_avg_pool2d(x, [5, 4])
        six = F.adaptive_max_pool2d(x, [4, 5])
        pads = [F.pad(x, [1, 2, 0, 1], mode=mode) for mode in ("reflect", "replicate", "circular")]
        pads.append(F.pad(x, [1, 0, 2, 1], value=0.3))
        parts = F.unfold(x, [3, 3], 2, 1)
        return one + two, three, four, five, six, pads[0] - pads[1], pads[2], pads[3], parts


@program("images", image("B", 3, 15, 13))
class Resizing(nn.Layer):
    """Every kind of resizing."""

    def forward(self, x: Any) -> Any:
        parts = [
            F.interpolate(x, [22, 19], mode="bilinear", align_corners=False),
            F.interpolate(x, [22, 19], mode="bilinear", align_corners=True),
            F.interpolate(x, [22, 19], mode="bilinear", align_corners=False, align_mode=1),
            F.interpolate(x, [22, 19], mode="bicubic", align_corners=False),
            F.interpolate(x, [22, 19], mode="nearest"),
            F.interpolate(x, [22, 19], mode="area"),
        ]
        down = F.interpolate(x, scale_factor=0.6, mode="nearest")
        return paddle.concat(parts, 1), down, F.pixel_unshuffle(x[:, :, :14, :12], 2)


@program("images", image("B", 8, 12, 12))
class Norms(nn.Layer):
    """Every kind of normalisation, on small variances."""

    def __init__(self) -> None:
        super().__init__()
        self.group, self.instance = (
            nn.GroupNorm(2, 8, epsilon=1e-3),
            nn.InstanceNorm2D(8, epsilon=1e-4),
        )
        self.layer, self.batch = (
            nn.LayerNorm([12, 12], epsilon=1e-4),
            nn.BatchNorm2D(8, epsilon=1e-3),
        )
        self.local = nn.LocalResponseNorm(3, 0.01, 0.6, 1.5)

    def forward(self, x: Any) -> Any:
        small = x * 0.05
        parts = [self.group(small), self.instance(small), self.layer(small), self.batch(x)]
        parts += [self.local(x), F.normalize(x, axis=1, epsilon=1e-3)]
        return paddle.concat(parts, 1)


@program("embedding", whole("ids", "B", "L", high=50), lengths("lengths", "L"))
class Tables(nn.Layer):
    """Embeddings with padding, one-hot, masks of lengths, a mean over what is valid."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.fc = nn.Embedding(50, 16, padding_idx=3), nn.Linear(16, 4)
        self.places = self.create_parameter([64, 16])

    def forward(self, ids: Any, lengths: Any) -> Any:
        x = self.words(ids) + self.places[: ids.shape[1]].unsqueeze(0)
        valid = F.sequence_mask(lengths, maxlen=ids.shape[1], dtype="float32")
        mean = (x * valid.unsqueeze(2)).sum(1) / lengths.astype("float32").unsqueeze(1)
        counts = F.one_hot(ids % 8, 8).sum(1)
        return self.fc(mean), counts, paddle.cumsum(valid, 1)


@program("control", real("x", "B", 8), whole("steps", 1, low=3, high=6))
class Loop(nn.Layer):
    """A cell in a `while` with a branch inside."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.norm = nn.Linear(24, 16), nn.LayerNorm(16)
        self.square, self.out = nn.Linear(16, 16), nn.Linear(16, 7)

    def forward(self, x: Any, steps: Any) -> Any:
        state = paddle.zeros([x.shape[0], 16])
        total = paddle.zeros([x.shape[0], 7])
        count = paddle.zeros([1], "int64")
        while count < steps:
            y = self.norm(self.cell(paddle.concat([x, state], 1)))
            if paddle.mean(y) > 0:
                state = F.leaky_relu(self.square(y), 0.1) + y
            else:
                state = F.hardtanh(y * 0.3, -1.5, 1.75) - F.elu(y, 0.7)
            total = total + F.softmax(self.out(state), -1)
            count = count + 1
        return total, F.relu6(state)


@program("control", real("x", "B", 12))
class Branch(nn.Layer):
    """Branches that depend on the numbers, one of which is seldom taken."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        if x.abs().mean() > 5.0:
            y = F.relu6(self.one(x)) - 0.5
        else:
            y = F.leaky_relu(self.two(x), 0.05) * 1.5
        if y.sum() > 0:
            z = self.three(y) + 1.0
        else:
            z = self.three(F.elu(y, 0.6))
        return z, y
