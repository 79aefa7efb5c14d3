"""Export the models of the fault bench with Paddle, with weights of a healthy scale.

Usage: python benchmarks/fault_models.py FOLDER      (each model gets a folder with inputs.npz)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812
from paddle.static import InputSpec

RANDOM = np.random.default_rng(7)


class Transformer(nn.Layer):
    """Causal encoder with tanh GELU and an embedding that is the output layer too."""

    def __init__(self, size: int = 32, heads: int = 4, words: int = 50) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, size), nn.Embedding(64, size)
        self.norms = nn.LayerList([nn.LayerNorm(size) for _ in range(4)])
        self.qkv = nn.LayerList([nn.Linear(size, 3 * size) for _ in range(2)])
        self.out = nn.LayerList([nn.Linear(size, size) for _ in range(2)])
        self.up = nn.LayerList([nn.Linear(size, 4 * size) for _ in range(2)])
        self.down = nn.LayerList([nn.Linear(4 * size, size) for _ in range(2)])
        self.heads, self.size = heads, size

    def forward(self, ids: Any, mask: Any) -> Any:
        """Scores of each next word."""
        x = self.words(ids) * self.size**0.5 + self.places(paddle.arange(ids.shape[1]))
        barrier = (1 - mask.unsqueeze([1, 2])) * -1e4
        for i in range(2):
            y = self.norms[2 * i](x)
            b, n = y.shape[0], y.shape[1]
            y = self.qkv[i](y).reshape([b, n, 3, self.heads, self.size // self.heads])
            q, k, v = y.transpose([2, 0, 3, 1, 4]).unbind(0)
            score = paddle.matmul(q, k, transpose_y=True) * (self.size // self.heads) ** -0.5
            y = paddle.matmul(F.softmax(score + barrier, -1), v)
            x = x + self.out[i](y.transpose([0, 2, 1, 3]).reshape([b, n, self.size]))
            y = self.up[i](self.norms[2 * i + 1](x))
            x = x + self.down[i](F.gelu(y, approximate=True))
        return paddle.matmul(x, self.words.weight, transpose_y=True)


class Recurrent(nn.Layer):
    """Bidirectional GRU on top of a two-layer LSTM and a simple RNN."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(12, 16, num_layers=2)
        self.gru = nn.GRU(16, 16, direction="bidirect")
        self.rnn = nn.SimpleRNN(32, 24, activation="relu")
        self.fc = nn.Linear(24, 9)

    def forward(self, x: Any) -> Any:
        """Log-probabilities of each step and the best class."""
        x, _ = self.lstm(x)
        x, _ = self.gru(x)
        x, _ = self.rnn(x)
        x = F.log_softmax(self.fc(x), axis=-1)
        return x, paddle.argmax(x, axis=-1), paddle.cumsum(x, axis=1)


class UNet(nn.Layer):
    """Group and dilated convolutions, transposed convolution, every kind of pooling, resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 16, 3, padding=1)
        self.group = nn.Conv2D(16, 16, 3, padding=1, groups=4, bias_attr=False)
        self.norm, self.instance = nn.GroupNorm(4, 16), nn.InstanceNorm2D(32)
        self.wide = nn.Conv2D(16, 32, 3, stride=2, padding=[2, 2], dilation=2)
        self.square = nn.Conv2D(32, 32, 1)
        self.bn, self.prelu = nn.BatchNorm2D(32), nn.PReLU(32)
        self.rise = nn.Conv2DTranspose(32, 16, 3, stride=2, padding=1, output_padding=1)
        self.head = nn.Conv2D(32, 5, 1)

    def forward(self, x: Any) -> Any:
        """Class scores of each pixel at full size, and the class."""
        a = F.leaky_relu(self.norm(self.group(F.elu(self.stem(x)))), 0.1)
        b = self.prelu(self.bn(self.wide(a)))
        b = b - F.hardtanh(self.square(b), -1.5, 1.5)
        b = self.instance(b) + F.avg_pool2d(b, 3, 1, 1, exclusive=True)
        b = F.softplus(b, beta=2.0) + F.avg_pool2d(b, 3, 1, 1, exclusive=False)
        c = F.max_pool2d(b, 3, 2, ceil_mode=True)
        c = F.interpolate(c, size=b.shape[2:], mode="bilinear", align_corners=False)
        c = F.silu(c) * F.hardsigmoid(b.mean([2, 3], keepdim=True))
        c = F.interpolate(c, scale_factor=2, mode="bicubic", align_corners=True)[:, 16:, 1:, 1:]
        d = F.pad(paddle.clip(self.rise(b), -0.75, 2.0)[:, :, :-1, :-1], [1, 0, 0, 1], value=0.25)
        d = F.relu6(d * 3.0 + 0.5)[:, :, 1:, :-1]
        d = F.pad(d, [1, 0, 0, 1], mode="reflect")
        c = F.pad(c, [1, 0, 0, 1], mode="replicate")
        c = F.interpolate(c, size=d.shape[2:], mode="nearest")
        y = F.upsample(self.head(paddle.concat([d, c], 1)), scale_factor=2, mode="nearest")
        return y, paddle.argmax(y, 1), F.softmax(F.adaptive_avg_pool2d(y, 1).flatten(1), 1)


class Loop(nn.Layer):
    """A recurrent cell in a `while`, with a branch inside, whose bounds are seldom reached."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(24, 16)
        self.norm = nn.LayerNorm(16)
        self.square = nn.Linear(16, 16)
        self.out = nn.Linear(16, 7)

    def forward(self, x: Any, steps: Any) -> Any:
        """Sum of the outputs of all steps, and the last state."""
        state = paddle.zeros([x.shape[0], 16])
        total = paddle.zeros([x.shape[0], 7])
        count = paddle.zeros([1], "int64")
        while count < steps:
            y = self.norm(self.cell(paddle.concat([x, state], 1)))
            if paddle.mean(y) > 0:
                state = F.leaky_relu(self.square(y), 0.1) + y
            else:
                state = F.hardtanh(y * 0.3, -1.5, 1.75) - F.elu(y, 0.7)
            state = paddle.clip(F.tanh(state), -2.0, 2.5) * 1.5
            total = total + F.softmax(self.out(state), -1)
            count = count + 1
        return total, F.relu6(state)


def healthy(net: nn.Layer) -> nn.Layer:
    """Random affine parameters and weights that keep the scale of what passes through."""
    for name, parameter in net.named_parameters():
        shape = tuple(parameter.shape)
        if name.endswith(("_mean", "_variance")):
            continue
        if len(shape) > 1:
            fan = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
            scale = 1.0 if "words" in name or "places" in name else 1.4 / fan**0.5
            value = RANDOM.normal(0, scale, shape)
        elif "weight" in name and "_weight" not in name:
            value = RANDOM.uniform(0.6, 1.6, shape)
        else:
            value = RANDOM.normal(0, 0.3, shape)
        parameter.set_value(value.astype(np.float32))
    return net


def settled(net: nn.Layer, inputs: list[np.ndarray]) -> nn.Layer:
    """Running statistics of batch norms as after training."""
    net.train()
    for _ in range(6):
        net(*[paddle.to_tensor(a + RANDOM.normal(0, 0.2, a.shape).astype("float32"))
              if a.dtype == np.float32 else paddle.to_tensor(a) for a in inputs])  # fmt: skip
    net.eval()
    return net


def models() -> dict[str, tuple[nn.Layer, list[InputSpec], list[np.ndarray]]]:
    """Every model with its input specification and sample inputs."""
    vision = paddle.vision.models

    def image(side: int, batch: int = 2) -> list[np.ndarray]:
        return [RANDOM.normal(size=(batch, 3, side, side)).astype("float32")]

    pictures = [InputSpec([None, 3, 64, 64], "float32", "image")]
    ids = RANDOM.integers(1, 50, (3, 11))
    mask = (RANDOM.random((3, 11)) < 0.8).astype("float32")
    words = [InputSpec([None, 11], "int64", "ids"), InputSpec([None, 11], "float32", "mask")]
    steps = [InputSpec([None, 13, 12], "float32", "x")]
    unet = [InputSpec([None, 3, 32, 32], "float32", "image")]
    loop = [InputSpec([None, 8], "float32", "x"), InputSpec([1], "int64", "steps")]
    return {
        "resnet18": (vision.resnet18(num_classes=10), pictures, image(64)),
        "mobilenet_v3_small": (
            vision.mobilenet_v3_small(num_classes=10, scale=0.5), pictures, image(64)
        ),
        "shufflenet_v2": (
            vision.shufflenet_v2_x0_25(num_classes=10), pictures, image(64)
        ),
        "transformer": (Transformer(), words, [ids, mask]),
        "recurrent": (Recurrent(), steps, [RANDOM.normal(size=(3, 13, 12)).astype("float32")]),
        "unet": (UNet(), unet, image(32)),
        "loop": (Loop(), loop, [RANDOM.normal(size=(3, 8)).astype("float32"), np.array([3])]),
    }  # fmt: skip


def main(folder: Path) -> None:
    """Export all models."""
    paddle.seed(1)
    for name, (net, spec, inputs) in models().items():
        healthy(net)
        if any(isinstance(layer, nn.layer.norm._BatchNormBase) for layer in net.sublayers()):
            settled(net, inputs)
        net.eval()
        paddle.jit.save(net, str(folder / name / "inference"), input_spec=spec)
        arrays = {one.name: array for one, array in zip(spec, inputs, strict=True)}
        np.savez(folder / name / "inputs.npz", **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
