"""Language models: encoders, decoders, mixtures of experts, relative positions."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from benchmarks.faults.programs.collection import mask, program, real, whole


class Attention(nn.Layer):
    """Multi-head attention, written out; a mask is added to the scores."""

    def __init__(self, size: int, heads: int, shared: int = 1, bias: Any = None) -> None:
        super().__init__()
        self.heads, self.size, self.shared = heads, size // heads, shared
        self.q = nn.Linear(size, size, bias_attr=bias)
        self.k = nn.Linear(size, size // shared, bias_attr=bias)
        self.v = nn.Linear(size, size // shared, bias_attr=bias)
        self.out = nn.Linear(size, size, bias_attr=bias)

    def split(self, x: Any, heads: int) -> Any:
        """(batch, heads, length, size)."""
        return x.reshape([0, -1, heads, self.size]).transpose([0, 2, 1, 3])

    def forward(self, x: Any, memory: Any, added: Any) -> Any:
        q = self.split(self.q(x), self.heads)
        k = self.split(self.k(memory), self.heads // self.shared)
        v = self.split(self.v(memory), self.heads // self.shared)
        score = paddle.matmul(q, k, transpose_y=True) * self.size**-0.5 + added
        y = paddle.matmul(F.softmax(score, -1), v).transpose([0, 2, 1, 3])
        return self.out(y.reshape([0, -1, self.heads * self.size]))


@program(
    "transformer",
    whole("ids", "B", "L", low=1, high=60),
    mask("mask", "B", "L"),
    whole("types", "B", "L", high=2),
)
class Bert(nn.Layer):
    """Post-norm encoder with exact GELU, a mask of -1e4, a pooler."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(60, 32, padding_idx=0), nn.Embedding(64, 32)
        self.types, self.norm = nn.Embedding(2, 32), nn.LayerNorm(32, epsilon=1e-12)
        self.attentions = nn.LayerList([Attention(32, 4) for _ in range(2)])
        self.norms = nn.LayerList([nn.LayerNorm(32, epsilon=1e-12) for _ in range(4)])
        self.up = nn.LayerList([nn.Linear(32, 64) for _ in range(2)])
        self.down = nn.LayerList([nn.Linear(64, 32) for _ in range(2)])
        self.pooler, self.head = nn.Linear(32, 32), nn.Linear(32, 3)

    def forward(self, ids: Any, mask: Any, types: Any) -> Any:
        places = paddle.cumsum(paddle.ones_like(ids), axis=-1) - paddle.ones_like(ids)
        x = self.norm(self.words(ids) + self.places(places) + self.types(types))
        added = (1.0 - mask).unsqueeze([1, 2]) * -1e4
        for i in range(2):
            x = self.norms[2 * i](x + self.attentions[i](x, x, added))
            x = self.norms[2 * i + 1](x + self.down[i](F.gelu(self.up[i](x))))
        return x, self.head(F.tanh(self.pooler(x[:, 0])))


@program("transformer", whole("ids", "B", "L", low=1, high=60), mask("mask", "B", "L"))
class Ernie(nn.Layer):
    """Pre-norm encoder on the fused attention of Paddle, a mask of -1e9, tanh GELU, tied words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(60, 32), nn.Embedding(64, 32)
        self.norm, self.qkv, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)
        self.last = nn.LayerNorm(32)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, ids: Any, mask: Any) -> Any:
        n = ids.shape[1]
        x = self.words(ids) * 32**0.5 + self.places(paddle.arange(n))
        added = (1.0 - mask).unsqueeze([1, 2]) * -1e9
        q, k, v = self.qkv(self.norm(x)).reshape([0, 0, 3, 4, 8]).unbind(2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=added)
        x = x + self.out(y.flatten(2))
        x = x + self.down(F.gelu(self.up(self.last(x)), approximate=True))
        return paddle.matmul(x, self.words.weight, transpose_y=True)


class RMSNorm(nn.Layer):
    """Root-mean-square norm, written out in float32."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = self.create_parameter([size])

    def forward(self, x: Any) -> Any:
        y = x.astype("float32")
        y = y * paddle.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6)
        return self.weight * y.astype(x.dtype)


def turned(x: Any) -> Any:
    """Halves of the last axis exchanged, one negated."""
    left, right = paddle.chunk(x, 2, axis=-1)
    return paddle.concat([-right, left], -1)


class Rotary(nn.Layer):
    """Grouped-query attention with rotary positions and a causal mask of -3.4e38."""

    def __init__(self, size: int = 32, heads: int = 4, bias: Any = False) -> None:
        super().__init__()
        self.heads, self.size = heads, size // heads
        self.q, self.k = (
            nn.Linear(size, size, bias_attr=bias),
            nn.Linear(size, size // 2, bias_attr=bias),
        )
        self.v, self.out = (
            nn.Linear(size, size // 2, bias_attr=bias),
            nn.Linear(size, size, bias_attr=False),
        )

    def forward(self, x: Any, mask: Any) -> Any:
        n = x.shape[1]
        q = self.q(x).reshape([0, 0, self.heads, self.size]).transpose([0, 2, 1, 3])
        k = self.k(x).reshape([0, 0, self.heads // 2, self.size]).transpose([0, 2, 1, 3])
        v = self.v(x).reshape([0, 0, self.heads // 2, self.size]).transpose([0, 2, 1, 3])
        rate = 1.0 / 10000 ** (paddle.arange(0, self.size, 2).astype("float32") / self.size)
        angle = paddle.arange(n).astype("float32").unsqueeze(1) * rate
        angle = paddle.concat([angle, angle], -1)
        q = q * paddle.cos(angle) + turned(q) * paddle.sin(angle)
        k = k * paddle.cos(angle) + turned(k) * paddle.sin(angle)
        k, v = paddle.repeat_interleave(k, 2, 1), paddle.repeat_interleave(v, 2, 1)
        score = paddle.matmul(q, k.transpose([0, 1, 3, 2])) / self.size**0.5
        low = paddle.full([n, n], -3.4028234663852886e38)
        added = paddle.triu(low, 1).unsqueeze([0, 1])
        if mask is not None:
            hidden = (1.0 - mask).unsqueeze([1, 2]) * -3.4028234663852886e38
            added = paddle.maximum(added + hidden, paddle.to_tensor(-3.4028234663852886e38))
        y = paddle.matmul(F.softmax(score + added, -1), v)
        return self.out(y.transpose([0, 2, 1, 3]).flatten(2))


@program("language", whole("ids", "B", "L", high=60), mask("mask", "B", "L"))
class Llama(nn.Layer):
    """Two decoder layers with SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(60, 32)
        self.attentions = nn.LayerList([Rotary() for _ in range(2)])
        self.norms = nn.LayerList([RMSNorm(32) for _ in range(5)])
        self.gate = nn.LayerList([nn.Linear(32, 64, bias_attr=False) for _ in range(2)])
        self.up = nn.LayerList([nn.Linear(32, 64, bias_attr=False) for _ in range(2)])
        self.down = nn.LayerList([nn.Linear(64, 32, bias_attr=False) for _ in range(2)])
        self.head = nn.Linear(32, 60, bias_attr=False)

    def forward(self, ids: Any, mask: Any) -> Any:
        x = self.words(ids)
        for i in range(2):
            x = x + self.attentions[i](self.norms[2 * i](x), mask)
            y = self.norms[2 * i + 1](x)
            x = x + self.down[i](F.silu(self.gate[i](y)) * self.up[i](y))
        return self.head(self.norms[4](x))


@program("language", whole("ids", "B", "L", high=60))
class Mixtral(nn.Layer):
    """Four experts, of which each token takes the best two."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.attention = nn.Embedding(60, 32), Rotary(bias=None)
        self.norms = nn.LayerList([RMSNorm(32) for _ in range(3)])
        self.router = nn.Linear(32, 4, bias_attr=False)
        self.up = nn.LayerList([nn.Linear(32, 48) for _ in range(4)])
        self.down = nn.LayerList([nn.Linear(24, 32) for _ in range(4)])
        self.head = nn.Linear(32, 60, bias_attr=False)

    def forward(self, ids: Any) -> Any:
        x = self.words(ids)
        x = x + self.attention(self.norms[0](x), None)
        y = self.norms[1](x)
        weight, chosen = paddle.topk(F.softmax(self.router(y), -1), 2, axis=-1)
        weight = weight / weight.sum(-1, keepdim=True)
        total = paddle.zeros_like(x)
        for i in range(4):
            share = paddle.where(chosen == i, weight, paddle.zeros_like(weight)).sum(
                -1, keepdim=True
            )
            total = total + share * self.down[i](F.swiglu(self.up[i](y)))
        return self.head(self.norms[2](x + total))


@program("language", whole("ids", "B", "L", low=1, high=60), whole("answer", "B", "S", high=60))
class T5(nn.Layer):
    """Encoder and decoder of different lengths, relative positions in buckets, no scaling."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.bias = nn.Embedding(60, 32), nn.Embedding(16, 4)
        self.encode, self.decode = Attention(32, 4, bias=False), Attention(32, 4, bias=False)
        self.cross = Attention(32, 4, bias=False)
        self.norms = nn.LayerList([RMSNorm(32) for _ in range(5)])
        self.up, self.down = nn.Linear(32, 64, bias_attr=False), nn.Linear(64, 32, bias_attr=False)

    def relative(self, n: Any, two_sided: bool) -> Any:
        """Bias of the scores by the distance of the positions."""
        far = paddle.arange(n).unsqueeze(0) - paddle.arange(n).unsqueeze(1)
        buckets = 16
        bucket = paddle.zeros_like(far)
        if two_sided:
            buckets = 8
            bucket = bucket + (far > 0).astype("int64") * 8
            far = paddle.abs(far)
        else:
            far = -paddle.minimum(far, paddle.zeros_like(far))
        exact = buckets // 2
        large = paddle.log(far.astype("float32").clip(min=1.0) / exact) / 2.0794415416798357
        large = exact + (large * (buckets - exact)).astype("int64")
        large = paddle.minimum(large, paddle.full_like(large, buckets - 1))
        bucket = bucket + paddle.where(far < exact, far, large)
        return self.bias(bucket).transpose([2, 0, 1]).unsqueeze(0)

    def forward(self, ids: Any, answer: Any) -> Any:
        hidden = (ids == 0).astype("float32").unsqueeze([1, 2]) * -1e9
        x = self.words(ids)
        y = self.norms[0](x)
        x = x + self.encode(y, y, self.relative(ids.shape[1], True) + hidden)
        x = x + self.down(F.relu(self.up(self.norms[1](x))))
        m = answer.shape[1]
        later = paddle.tril(paddle.ones([m, m]))
        later = (1.0 - later) * -1e9
        y = self.words(answer)
        z = self.norms[2](y)
        y = y + self.decode(z, z, self.relative(m, False) + later)
        y = y + self.cross(self.norms[3](y), self.norms[1](x), hidden)
        y = self.norms[4](y) * 32**-0.5
        return paddle.matmul(y, self.words.weight, transpose_y=True)


@program("language", real("x", "B", "L", 32), mask("mask", "B", "L"))
class Deberta(nn.Layer):
    """Disentangled attention: positions gathered along an axis, masked rows, log-softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.table = self.create_parameter([16, 32])
        self.norm, self.head = nn.LayerNorm(32, epsilon=1e-7), nn.Linear(32, 5)

    def forward(self, x: Any, mask: Any) -> Any:
        n = x.shape[1]
        q, k, v = self.q(x), self.k(x), self.v(x)
        far = paddle.arange(n).unsqueeze(1) - paddle.arange(n).unsqueeze(0)
        far = paddle.clip(far + 8, 0, 15).unsqueeze(0).expand([x.shape[0], -1, -1])
        score = paddle.matmul(q, k, transpose_y=True)
        place = paddle.matmul(q, self.table, transpose_y=True)
        score = (score + paddle.take_along_axis(place, far, 2)) / (32 * 2) ** 0.5
        allowed = mask.unsqueeze(1) * mask.unsqueeze(2)
        score = paddle.where(allowed > 0, score, paddle.full_like(score, -1e30))
        x = self.norm(x + paddle.matmul(F.softmax(score, -1) * allowed, v))
        return F.log_softmax(self.head(x), -1), x
