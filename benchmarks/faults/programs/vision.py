"""Classifiers, segmentation, optical character recognition, generators."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from benchmarks.faults.programs.collection import image, program, real

MODELS = paddle.vision.models
CLASSIFIERS = {
    "resnet18": MODELS.resnet18,
    "mobilenet_v2": lambda **options: MODELS.mobilenet_v2(scale=0.25, **options),
    "mobilenet_v3": lambda **options: MODELS.mobilenet_v3_small(scale=0.5, **options),
    "shufflenet_v2": MODELS.shufflenet_v2_x0_25,
    "squeezenet": MODELS.squeezenet1_1,
}
for _name, _make in CLASSIFIERS.items():
    program("classifier", image(), name=_name)(lambda make=_make: make(num_classes=10))


def conv(before: int, after: int, size: int = 3, stride: int = 1, groups: int = 1, act: Any = None):  # type: ignore[no-untyped-def]
    """Convolution, batch norm and an activation."""
    layers = [
        nn.Conv2D(before, after, size, stride, size // 2, groups=groups, bias_attr=False),
        nn.BatchNorm2D(after),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class Squeeze(nn.Layer):
    """Squeeze and excitation with a hard sigmoid of slope 0.2, as in PP-LCNet."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.down, self.up = nn.Conv2D(size, size // 4, 1), nn.Conv2D(size // 4, size, 1)

    def forward(self, x: Any) -> Any:
        y = self.up(F.relu(self.down(self.pool(x))))
        return x * F.hardsigmoid(y, slope=0.2, offset=0.5)


@program("classifier", image())
class LCNet(nn.Layer):
    """Depth-wise separable convolutions with hard-swish."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 3, 2, act=nn.Hardswish)
        self.blocks = nn.Sequential(
            conv(8, 8, 3, 1, 8, nn.Hardswish), conv(8, 16, 1, act=nn.Hardswish),
            conv(16, 16, 5, 2, 16, nn.Hardswish), Squeeze(16), conv(16, 32, 1, act=nn.Hardswish),
        )  # fmt: skip
        self.last = nn.Conv2D(32, 64, 1, bias_attr=False)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x = self.blocks(self.stem(x))
        x = F.hardswish(self.last(F.adaptive_avg_pool2d(x, 1)))
        return F.softmax(self.fc(F.dropout(x.flatten(1), 0.2, training=self.training)), -1)


@program("classifier", image())
class ESNet(nn.Layer):
    """Split channels, shuffle, squeeze."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, 3, 2, act=nn.Hardswish)
        self.deep = nn.Sequential(conv(8, 8, 1, act=nn.Hardswish), conv(8, 8, 3, 1, 8), Squeeze(8))
        self.down = nn.Sequential(conv(16, 16, 3, 2, 16), conv(16, 16, 1, act=nn.Hardswish))
        self.pool = nn.MaxPool2D(3, 2, 1)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.stem(x))
        for _ in range(2):
            left, right = paddle.split(x, 2, axis=1)
            x = paddle.concat([left, self.deep(right)], 1)
            x = F.channel_shuffle(x, 2)
        x = self.down(x)
        b, c = x.shape[0], x.shape[1]
        x = x.reshape([b, 2, c // 2, x.shape[2], x.shape[3]]).transpose([0, 2, 1, 3, 4])
        return self.fc(x.flatten(1, 2).mean([2, 3]))


@program("classifier", image())
class GoogLeNet(nn.Layer):
    """Inception blocks, local response normalisation, an auxiliary head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2D(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2D(3, 2, 1, ceil_mode=True),
            nn.LocalResponseNorm(5, 0.01, 0.75, 1.0),
        )  # fmt: skip
        self.ones = nn.LayerList([nn.Conv2D(16, 8, 1) for _ in range(4)])
        self.three, self.five = nn.Conv2D(8, 12, 3, padding=1), nn.Conv2D(8, 12, 5, padding=2)
        self.pool = nn.MaxPool2D(3, 1, 1)
        self.fc, self.aux = nn.Linear(40, 10), nn.Linear(40 * 9, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = paddle.concat(
            [
                self.ones[0](x), self.three(F.relu(self.ones[1](x))),
                self.five(F.relu(self.ones[2](x))), self.ones[3](self.pool(x)),
            ], 1,
        )  # fmt: skip
        x = F.relu(x)
        aux = self.aux(F.avg_pool2d(x, 5, 5).flatten(1))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1)), aux


@program("classifier", image())
class ConvNext(nn.Layer):
    """Large depth-wise kernels, layer norm on the channels, layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 24, 4, 4)
        self.depth = nn.Conv2D(24, 24, 7, padding=3, groups=24)
        self.norm = nn.LayerNorm(24, epsilon=1e-6)
        self.up, self.down = nn.Linear(24, 96), nn.Linear(96, 24)
        self.gamma = self.create_parameter([24])
        self.head = nn.Linear(24, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.norm(self.depth(x).transpose([0, 2, 3, 1]))
        y = self.gamma * self.down(F.gelu(self.up(y)))
        x = x + y.transpose([0, 3, 1, 2])
        return self.head(x.mean([-2, -1]))


@program("classifier", image())
class Fusion(nn.Layer):
    """Branches of several resolutions that exchange, as in HRNet, with SiLU and GroupNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, 3, 2, act=nn.Silu)
        self.down = nn.Sequential(nn.Conv2D(16, 16, 3, 2, 1), nn.GroupNorm(4, 16), nn.Silu())
        self.low, self.high = conv(16, 16), nn.Conv2D(16, 16, 1)
        self.wide = nn.Conv2D(16, 16, 3, padding=2, dilation=2, groups=2)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        high = self.stem(x)
        low = self.down(high)
        risen = F.interpolate(self.low(low), size=high.shape[2:], mode="bilinear")
        high = F.relu(self.high(high) + risen)
        low = F.leaky_relu(low + self.wide(F.avg_pool2d(high, 3, 2, 1)), 0.1)
        both = paddle.concat([F.adaptive_avg_pool2d(high, 1), F.adaptive_max_pool2d(low, 1)], 1)
        return self.head(both.flatten(1))


@program("transformer", image())
class ViT(nn.Layer):
    """Patches, a class token, learnt positions, exact GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2D(3, 32, 16, 16)
        self.token = self.create_parameter([1, 1, 32])
        self.places = self.create_parameter([1, 17, 32])
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, "gelu", normalize_before=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32, epsilon=1e-6))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        x = self.embed(x).flatten(2).transpose([0, 2, 1])
        token = self.token.expand([x.shape[0], -1, -1])
        x = paddle.concat([token, x], 1) + self.places
        return self.head(self.encoder(x)[:, 0])


@program("segmentation", image("B", 3, "H", "W"))
class LiteSeg(nn.Layer):
    """Pyramid pooling, attention over channel means and maxima, resizing to the input's size."""

    def __init__(self) -> None:
        super().__init__()
        self.low = conv(3, 16, 3, 2, act=nn.ReLU)
        self.high = conv(16, 16, 3, 2, act=nn.ReLU6)
        self.levels = nn.LayerList([conv(16, 8, 1, act=nn.ReLU) for _ in range(3)])
        self.out = conv(8, 16, act=nn.ReLU)
        self.attention = nn.Sequential(conv(4, 2, act=nn.LeakyReLU), nn.Conv2D(2, 1, 3, padding=1))
        self.head = nn.Conv2D(16, 5, 1)

    def forward(self, x: Any) -> Any:
        low = self.low(x)
        high = self.high(low)
        total = 0.0
        for i, size in enumerate([1, 2, 4]):
            y = self.levels[i](F.adaptive_avg_pool2d(high, size))
            total = total + F.interpolate(y, high.shape[2:], mode="bilinear", align_corners=False)
        y = F.interpolate(self.out(total), low.shape[2:], mode="bilinear", align_corners=False)
        pair = [y.mean(1, keepdim=True), y.max(1, keepdim=True)]
        pair += [low.mean(1, keepdim=True), low.max(1, keepdim=True)]
        weight = F.sigmoid(self.attention(paddle.concat(pair, 1)))
        y = y * weight + low * (1 - weight)
        y = F.interpolate(self.head(y), x.shape[2:], mode="bilinear", align_corners=True)
        return y, paddle.argmax(y, 1)


@program("segmentation", image())
class DeepLab(nn.Layer):
    """Dilated convolutions side by side, global pooling, softmax over the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU), nn.MaxPool2D(3, 2, 1))
        self.wide = nn.LayerList(
            [nn.Conv2D(16, 8, 3, padding=rate, dilation=rate) for rate in (1, 3, 6)]
        )
        self.pool = nn.Conv2D(16, 8, 1)
        self.rise = nn.Conv2DTranspose(32, 8, 3, 2, 1, output_padding=1)
        self.head = nn.Conv2D(8, 4, 3, padding=1, padding_mode="reflect")

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        parts = [F.elu(one(x), 0.8) for one in self.wide]
        mean = F.relu(self.pool(x.mean([2, 3], keepdim=True)))
        parts.append(mean.expand([-1, -1, x.shape[2], x.shape[3]]))
        y = self.rise(paddle.concat(parts, 1))
        y = F.interpolate(y, image.shape[2:], mode="nearest")
        return F.softmax(self.head(y), 1)


@program("ocr", image("B", 3, "H", "W"))
class DBDetector(nn.Layer):
    """Feature pyramid, transposed convolutions, a probability map."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = conv(3, 12, 3, 2, act=nn.Hardswish), conv(12, 16, 3, 2, act=nn.ReLU)
        self.three = conv(16, 24, 3, 2, act=nn.ReLU)
        self.lateral = nn.LayerList([nn.Conv2D(size, 16, 1, bias_attr=False) for size in (16, 24)])
        self.smooth = nn.LayerList([nn.Conv2D(16, 8, 3, padding=1) for _ in range(2)])
        self.head = nn.Sequential(
            conv(16, 8, act=nn.ReLU), nn.Conv2DTranspose(8, 8, 2, 2), nn.BatchNorm2D(8), nn.ReLU(),
            nn.Conv2DTranspose(8, 1, 2, 2),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        two = self.two(self.one(x))
        low = self.lateral[1](self.three(two))
        high = self.lateral[0](two) + F.upsample(low, scale_factor=2, mode="nearest", align_mode=1)
        low = F.upsample(self.smooth[1](low), scale_factor=2, mode="nearest", align_mode=1)
        return F.sigmoid(self.head(paddle.concat([low, self.smooth[0](high)], 1)))


@program("ocr", image("B", 3, 32, "W"))
class CRNN(nn.Layer):
    """Convolutions down to a line, bidirectional LSTM of two layers, a softmax for CTC."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 12, 3, 2, act=nn.Hardswish), conv(12, 16, act=nn.ReLU))
        self.pool = nn.MaxPool2D((2, 2), (2, 1), (0, 1))
        self.last = conv(16, 24, 3, (2, 1), act=nn.ReLU)
        self.lstm = nn.LSTM(24, 16, num_layers=2, direction="bidirect")
        self.fc = nn.Linear(32, 20)

    def forward(self, x: Any) -> Any:
        x = self.last(self.pool(self.stem(x))).mean(2)
        x, _ = self.lstm(x.transpose([0, 2, 1]))
        return F.softmax(self.fc(x), axis=2)


@program("ocr", image("B", 3, 32, "W"))
class SVTR(nn.Layer):
    """Local mixing by convolution, global mixing by attention, the height pooled away."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(conv(3, 16, 3, 2, act=nn.GELU), conv(16, 32, 3, 2, act=nn.GELU))
        self.local = nn.Conv2D(32, 32, 5, padding=2, groups=8)
        self.norms = nn.LayerList([nn.LayerNorm(32, epsilon=1e-6) for _ in range(3)])
        self.qkv, self.proj = nn.Linear(32, 96), nn.Linear(32, 32)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        self.last = nn.Conv2D(32, 32, 3, stride=(2, 1), padding=1)
        self.head = nn.Linear(32, 20)

    def forward(self, x: Any) -> Any:
        x = self.embed(x)
        height, width = 8, x.shape[3]
        x = x + self.local(x)
        x = x.flatten(2).transpose([0, 2, 1])
        y = self.norms[0](x)
        qkv = self.qkv(y).reshape([0, -1, 3, 4, 8]).transpose([2, 0, 3, 1, 4])
        q, k, v = qkv[0] * 8**-0.5, qkv[1], qkv[2]
        y = F.softmax(q.matmul(k.transpose([0, 1, 3, 2])), -1).matmul(v)
        x = x + self.proj(y.transpose([0, 2, 1, 3]).reshape([0, -1, 32]))
        x = self.norms[2](x + self.down(F.swish(self.up(self.norms[1](x)))))
        x = x.transpose([0, 2, 1]).reshape([0, 32, height, width])
        x = F.hardswish(F.avg_pool2d(self.last(x), [4, 1]))
        return F.softmax(self.head(x.squeeze(2).transpose([0, 2, 1])), 2)


@program("generator", image("B", 3, 32, 32), image("B", 3, 32, 32, name="style"))
class Style(nn.Layer):
    """Means and deviations of one image carried over to another; reflection, instance norm."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2D(3, 16, 3, padding=1, padding_mode="reflect"), nn.InstanceNorm2D(16), nn.ReLU()
        )
        self.res = nn.Conv2D(16, 16, 3, padding=1, padding_mode="circular")
        self.decode = nn.Conv2DTranspose(16, 8, 4, 2, 1)
        self.out = nn.Conv2D(2, 3, 5, padding=2, padding_mode="replicate")
        self.slope = nn.PReLU(8)

    def forward(self, x: Any, style: Any) -> Any:
        x, y = self.encode(x), self.res(self.encode(style))
        mean, spread = y.mean([2, 3], keepdim=True), y.std([2, 3], keepdim=True)
        own = paddle.sqrt(x.var([2, 3], keepdim=True, unbiased=False) + 1e-3)
        x = (x - x.mean([2, 3], keepdim=True)) / own * spread + mean
        x = self.slope(self.decode(F.relu(x, name=None) + x))
        return F.tanh(self.out(F.pixel_shuffle(x, 2)))


@program("generator", real("latent", "B", 16), real("noise", "B", 1, 8, 8))
class Modulated(nn.Layer):
    """Style-modulated convolution: weights are scaled and normalised for each of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = self.create_parameter([1, 8, 4, 4])
        self.weight = self.create_parameter([8, 8, 3, 3])
        self.affine, self.strength = nn.Linear(16, 8), self.create_parameter([1])
        self.rgb = nn.Conv2D(8, 3, 1)

    def forward(self, latent: Any, noise: Any) -> Any:
        latent = latent * paddle.rsqrt(latent.square().mean(1, keepdim=True) + 1e-8)
        gain = self.affine(latent) + 1.0
        x = self.constant * gain.reshape([-1, 8, 1, 1])
        x = F.conv2d(x, self.weight, padding=1)
        power = (self.weight.unsqueeze(0) * gain.reshape([-1, 1, 8, 1, 1])).square()
        x = x * paddle.rsqrt(power.sum([2, 3, 4]) + 1e-8).reshape([-1, 8, 1, 1])
        x = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
        x = F.leaky_relu(x + self.strength * noise, 0.2) * 1.414
        return paddle.clip(self.rgb(x), -1.0, 1.0)


@program("generator", image("B", 3, 24, 24))
class Unwarp(nn.Layer):
    """A coarse grid of offsets is enlarged and sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(conv(3, 8, 5, 4, act=nn.ReLU), nn.Conv2D(8, 2, 3, padding=1))

    def forward(self, x: Any) -> Any:
        shift = F.tanh(self.net(x)) * 0.3
        shift = F.interpolate(shift, size=[24, 24], mode="bilinear", align_corners=True)
        line = paddle.linspace(-1.0, 1.0, 24)
        y, z = paddle.meshgrid(line, line)
        grid = paddle.stack([z, y], -1).unsqueeze(0) + shift.transpose([0, 2, 3, 1])
        near = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        far = F.grid_sample(x, grid * 1.3, mode="nearest", padding_mode="border")
        return near + 0.5 * far
