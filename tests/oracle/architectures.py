"""Small networks of our own, one per family, with what their exports have in common: state that
grows, windows, boxes, arrays, masks.
"""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812
from paddle.vision.ops import DeformConv2D

# Forward methods are read by Paddle's source translator, which wants plain statements.


class Detector(nn.Layer):
    """Deformable convolution, anchors from the feature map's size, two kinds of NMS."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2D(3, 16, 3, 2, 1), nn.BatchNorm2D(16), nn.Hardswish(),
            nn.Conv2D(16, 24, 3, 2, 1), nn.BatchNorm2D(24), nn.ReLU(),
        )  # fmt: skip
        self.offsets = nn.Conv2D(24, 27, 3, padding=1)
        self.deformable = DeformConv2D(24, 24, 3, padding=1)
        self.scores = nn.Conv2D(24, 4, 1)
        self.sides = nn.Conv2D(24, 4, 1)

    def forward(self, image: Any, scale_factor: Any) -> Any:
        features = self.stem(image)
        offset = self.offsets(features)
        features = self.deformable(features, offset[:, :18] * 0.3, F.sigmoid(offset[:, 18:]))
        scores = F.sigmoid(self.scores(F.relu(features))).flatten(2)
        sides = (F.sigmoid(self.sides(features)).flatten(2) * 16 + 2).transpose([0, 2, 1])
        height, width = features.shape[2:]
        y, x = paddle.meshgrid(paddle.arange(height), paddle.arange(width))
        centre = (paddle.stack([x, y], -1).reshape([1, -1, 2]).astype("float32") + 0.5) * 4
        boxes = paddle.concat([centre - sides[..., :2], centre + sides[..., 2:]], -1)
        boxes = boxes / scale_factor.flip(1).tile([1, 2]).unsqueeze(1)
        kept, count, _ = paddle._C_ops.multiclass_nms3(
            boxes, scores, None, 0.3, 100, 30, 0.5, True, 1.0, -1
        )
        soft, _, many = paddle._C_ops.matrix_nms(
            boxes, scores, 0.3, 80, 20, 0.05, False, 2.0, -1, True
        )
        return kept, count, soft, many


class WindowAttention(nn.Layer):
    """Shifted windows over any size: padding, roll, a mask that is painted region by region."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2D(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.proj = nn.Linear(16, 16)

    def windows(self, x: Any, height: Any, width: Any) -> Any:
        x = x.reshape([-1, height // 4, 4, width // 4, 4, x.shape[-1]])
        return x.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, 16, x.shape[-1]])

    def forward(self, image: Any) -> Any:
        x = self.embed(image)
        height, width = x.shape[2:]
        right, bottom = (4 - width % 4) % 4, (4 - height % 4) % 4
        x = F.pad(x, [0, right, 0, bottom]).transpose([0, 2, 3, 1])
        full_height, full_width = x.shape[1:3]
        mask = paddle.zeros([1, full_height, full_width, 1])
        region = 0
        for rows in (slice(0, -4), slice(-4, -2), slice(-2, None)):
            for columns in (slice(0, -4), slice(-4, -2), slice(-2, None)):
                mask[:, rows, columns, :] = region
                region += 1
        mask = self.windows(mask, full_height, full_width).squeeze(-1)
        mask = (mask.unsqueeze(1) != mask.unsqueeze(2)).astype("float32") * -100.0
        shifted = self.norm(paddle.roll(x, [-2, -2], [1, 2]))
        part = self.windows(shifted, full_height, full_width)
        q, k, v = self.qkv(part).reshape([-1, 16, 3, 2, 8]).transpose([2, 0, 3, 1, 4])
        scores = (q @ k.transpose([0, 1, 3, 2])) * 8**-0.5
        scores = scores.reshape([-1, mask.shape[0], 2, 16, 16]) + mask.unsqueeze(1).unsqueeze(0)
        mixed = F.softmax(scores.reshape([-1, 2, 16, 16])) @ v
        mixed = self.proj(mixed.transpose([0, 2, 1, 3]).reshape([-1, 16, 16]))
        mixed = mixed.reshape([-1, full_height // 4, full_width // 4, 4, 4, 16])
        mixed = mixed.transpose([0, 1, 3, 2, 4, 5]).reshape([-1, full_height, full_width, 16])
        return (x + paddle.roll(mixed, [2, 2], [1, 2]))[:, :height, :width]


class Decoder(nn.Layer):
    """GPT-like: a prompt, then greedy steps with keys and values that grow in a `while`."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.norm = nn.LayerNorm(32)
        self.qkv = nn.Linear(32, 96)
        self.out = nn.Linear(32, 32)
        self.head = nn.Linear(32, 40)

    def step(self, token: Any, keys: Any, values: Any) -> Any:
        x = self.norm(self.embed(token))
        q, k, v = self.qkv(x).chunk(3, -1)
        keys = paddle.concat([keys, k], 1)
        values = paddle.concat([values, v], 1)
        q, k, v = (part.reshape([part.shape[0], -1, 2, 16]) for part in (q, keys, values))
        mixed = F.scaled_dot_product_attention(q, k, v).flatten(2)
        return self.head(self.out(mixed) + x)[:, -1], keys, values

    def forward(self, ids: Any, steps: Any) -> Any:
        keys = paddle.zeros([ids.shape[0], 0, 32])
        values = paddle.zeros([ids.shape[0], 0, 32])
        logits, keys, values = self.step(ids, keys, values)
        count = paddle.zeros([], "int64")
        while count < steps:
            token = logits.argmax(-1, keepdim=True)
            ids = paddle.concat([ids, token], 1)
            logits, keys, values = self.step(token, keys, values)
            count += 1
        return ids, logits


class Translator(nn.Layer):
    """Encoder with lengths; a loop that gathers tokens in an array until all have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(8, 16, direction="bidirect")
        self.embed = nn.Embedding(30, 16)
        self.cell = nn.GRUCell(16, 32)
        self.out = nn.Linear(32, 30)

    def forward(self, x: Any, lengths: Any) -> Any:
        encoded, _ = self.encoder(x, sequence_length=lengths)
        state = encoded.mean(1)
        token = paddle.zeros([x.shape[0]], "int64")
        done = paddle.zeros([x.shape[0]], "bool")
        tokens = []
        count = paddle.zeros([1], "int64")
        while count < 9 and not paddle.all(done):
            hidden, state = self.cell(self.embed(token), state)
            token = self.out(hidden).argmax(-1)
            tokens.append(token)
            done = paddle.logical_or(done, token == 1)
            count = count + 1
        return paddle.stack(tokens, 1)


class EveryFrame(nn.Layer):
    """A loop over a dynamic length, all that its scope holds."""

    def forward(self, x: Any, weight: Any) -> Any:
        frames = []
        for number in range(x.shape[1]):
            frames.append(F.relu(x[:, number] * weight) * (number + 1))
        return paddle.stack(frames, 1).sum(1)


class Frames(nn.Layer):
    """One weight for every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([8])
        self.every = EveryFrame()

    def forward(self, x: Any) -> Any:
        return self.every(x, self.weight)


class Branches(nn.Layer):
    """A re-parameterised block as it is deployed after folding its branches by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2D(3, 12, 3, 2, 1, bias_attr=False)
        self.point = nn.Conv2D(3, 12, 1, 2, bias_attr=False)
        self.norm = nn.BatchNorm2D(12)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2D(1), nn.Conv2D(12, 4, 1), nn.ReLU(), nn.Conv2D(4, 12, 1),
            nn.Hardsigmoid(),
        )  # fmt: skip

    def forward(self, image: Any) -> Any:
        kernel = self.wide.weight + F.pad(self.point.weight, [1, 1, 1, 1])
        factor = self.norm.weight / paddle.sqrt(self.norm._variance + 1e-5)
        bias = self.norm.bias - self.norm._mean * factor
        x = F.conv2d(image, kernel * factor.reshape([-1, 1, 1, 1]), bias, 2, 1)
        return F.relu(x) * self.gate(x)


class Forecast(nn.Layer):
    """Dilated causal convolutions over a normalised series."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.LayerList(
            nn.Conv1D(4 if step == 0 else 8, 8, 3, dilation=2**step) for step in range(3)
        )
        self.skip = nn.Conv1D(4, 8, 1)
        self.head = nn.Linear(8, 6)

    def forward(self, series: Any) -> Any:
        mean = series.mean(1, keepdim=True)
        spread = series.std(1, keepdim=True) + 1e-5
        x = ((series - mean) / spread).transpose([0, 2, 1])
        skip = self.skip(x)
        for step, conv in enumerate(self.convs):
            x = F.gelu(conv(F.pad(x, [2 * 2**step, 0], data_format="NCL")))
        out = self.head((x + skip)[:, :, -1]).unsqueeze(-1)
        return out * spread + mean


class Segmenter(nn.Layer):
    """U-Net with unpooling below and a resize to the input's size at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.BatchNorm2D(8), nn.ReLU())
        self.pool = nn.MaxPool2D(2, 2, return_mask=True)
        self.deep = nn.Sequential(nn.Conv2D(8, 8, 3, padding=2, dilation=2), nn.PReLU(8))
        self.up = nn.MaxUnPool2D(2, 2)
        self.last = nn.Conv2D(16, 5, 3, padding=1, padding_mode="reflect")

    def forward(self, image: Any) -> Any:
        small = F.interpolate(image, [32, 48], mode="bilinear", align_corners=True)
        first = self.first(small)
        pooled, places = self.pool(first)
        lifted = self.up(self.deep(pooled), places)
        logits = self.last(paddle.concat([first, lifted], 1))
        logits = F.interpolate(logits, image.shape[2:], mode="bilinear")
        return F.softmax(logits, 1), logits.argmax(1, dtype="int32")


class Generator(nn.Layer):
    """A latent vector modulates a learnt constant; pixels are shuffled up."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = self.create_parameter([1, 16, 4, 4])
        self.style = nn.Linear(12, 32)
        self.up = nn.Conv2DTranspose(16, 16, 4, 2, 1)
        self.norm = nn.InstanceNorm2D(16)
        self.out = nn.Conv2D(4, 3, 3, padding=1, padding_mode="replicate")

    def forward(self, latent: Any) -> Any:
        gain, shift = F.leaky_relu(self.style(latent), 0.2).reshape([-1, 32, 1, 1]).chunk(2, 1)
        x = self.norm(self.up(self.constant.expand([latent.shape[0], -1, -1, -1])))
        x = F.pixel_shuffle(x * (1 + gain) + shift, 2)
        return F.tanh(self.out(F.interpolate(x, scale_factor=1.5, mode="nearest")))


class Video(nn.Layer):
    """Three-dimensional convolutions, split over space and time."""

    def __init__(self) -> None:
        super().__init__()
        self.space = nn.Conv3D(3, 8, (1, 5, 5), (1, 2, 2), (0, 2, 2))
        self.norm = nn.BatchNorm3D(8)
        self.pool = nn.MaxPool3D((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.time = nn.Conv3D(8, 16, (3, 1, 1), padding=(1, 0, 0))
        self.head = nn.Linear(16, 7)

    def forward(self, clip: Any) -> Any:
        x = F.swish(self.time(self.pool(F.relu(self.norm(self.space(clip))))))
        return self.head(F.adaptive_avg_pool3d(x, 1).flatten(1))


ARCHITECTURES = {
    made.__name__: made
    for made in (
        Detector, WindowAttention, Decoder, Translator, Frames, Branches, Forecast, Segmenter,
        Generator, Video,
    )
}  # fmt: skip
