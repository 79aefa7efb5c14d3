"""Speech and time series: recurrent nets with lengths, one-dimensional convolutions, spectra."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from benchmarks.faults.programs.collection import lengths, mask, program, real


@program("recurrent", real("x", "B", "T", 12), lengths("lengths", "T"))
class TaggerLSTM(nn.Layer):
    """Bidirectional LSTM with lengths, the last states are used too."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(12, 16, direction="bidirect"), nn.Linear(32, 6)
        self.last = nn.Linear(64, 3)

    def forward(self, x: Any, lengths: Any) -> Any:
        y, (hidden, cell) = self.lstm(x, sequence_length=lengths)
        state = paddle.concat([hidden[0], hidden[1], cell[0], cell[1]], -1)
        return self.fc(y), self.last(state)


@program("recurrent", real("x", "B", "T", 12))
class StackGRU(nn.Layer):
    """Two bidirectional layers of GRU from a computed state, a simple RNN with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(12, 64)
        self.gru = nn.GRU(12, 16, num_layers=2, direction="bidirect")
        self.rnn, self.fc = nn.SimpleRNN(32, 16, activation="relu"), nn.Linear(16, 9)

    def forward(self, x: Any) -> Any:
        state = self.start(x.mean(1)).reshape([-1, 4, 16]).transpose([1, 0, 2])
        y, last = self.gru(x, state)
        y, _ = self.rnn(y)
        y = F.log_softmax(self.fc(y), -1)
        return y, paddle.argmax(y, -1), last


@program("series", real("series", "B", 48, 1))
class NHits(nn.Layer):
    """Pooled series, a perceptron, and interpolation back to every step."""

    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.LayerList([nn.MaxPool1D(k, k, ceil_mode=True) for k in (4, 2)])
        self.mlps = nn.LayerList(
            [
                nn.Sequential(nn.Linear(48 // k, 32), nn.ReLU(), nn.Linear(32, n))
                for k, n in ((4, 18), (2, 36))
            ]
        )

    def forward(self, series: Any) -> Any:
        rest = series.transpose([0, 2, 1])
        ahead = rest[:, :, -1:]
        for i, n in enumerate((6, 12)):
            theta = self.mlps[i](self.pools[i](rest).squeeze(1))
            back, knots = theta[:, : 2 * n], theta[:, 2 * n :]
            back = F.interpolate(back.unsqueeze(1), size=[48], mode="linear", data_format="NCW")
            step = F.interpolate(
                knots.unsqueeze(1).unsqueeze(1), size=[1, 24], mode="bicubic", align_corners=False
            ).squeeze(1)
            rest = rest - back
            ahead = ahead + step
        return ahead.transpose([0, 2, 1]), rest


@program("speech", real("mel", "B", 20, "T"))
class HifiGAN(nn.Layer):
    """Transposed one-dimensional convolutions and dilated residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1D(20, 32, 7, padding=3)
        self.ups = nn.LayerList(
            [nn.Conv1DTranspose(32, 16, 8, 4, 2), nn.Conv1DTranspose(16, 8, 4, 2, 1)]
        )
        self.blocks = nn.LayerList(
            [
                nn.Conv1D(size, size, 3, padding=rate, dilation=rate)
                for size in (16, 8)
                for rate in (1, 3)
            ]
        )
        self.last = nn.Conv1D(8, 1, 7, padding=3)

    def forward(self, mel: Any) -> Any:
        x = self.first(mel)
        for i in range(2):
            x = self.ups[i](F.leaky_relu(x, 0.1))
            total = 0.0
            for j in range(2):
                total = total + x + self.blocks[2 * i + j](F.leaky_relu(x, 0.1))
            x = total / 2
        return F.tanh(self.last(F.leaky_relu(x)))


@program("speech", real("x", "B", "T", 16), mask("mask", "B", "T"))
class Conformer(nn.Layer):
    """Gated linear units, depth-wise convolution in time, masked attention and masked means."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.LayerList([nn.LayerNorm(16) for _ in range(3)])
        self.point, self.depth = nn.Conv1D(16, 32, 1), nn.Conv1D(16, 16, 5, padding=2, groups=16)
        self.bn, self.last = nn.BatchNorm1D(16), nn.Conv1D(16, 16, 1)
        self.attention = nn.MultiHeadAttention(16, 2)
        self.head = nn.Linear(16, 8)

    def forward(self, x: Any, mask: Any) -> Any:
        y = self.norms[0](x).transpose([0, 2, 1]) * mask.unsqueeze(1)
        y = F.glu(self.point(y), axis=1)
        y = self.last(F.swish(self.bn(self.depth(y))))
        x = x + y.transpose([0, 2, 1])
        y = self.norms[1](x)
        added = (1 - mask).unsqueeze([1, 2]) * -1e9
        x = self.norms[2](x + self.attention(y, y, y, added))
        mean = (x * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True)
        return F.log_softmax(self.head(x), -1), mean


@program("speech", real("wave", "B", 480))
class Spectrum(nn.Layer):
    """Frames, a window, Fourier transform, mel bands, logarithm, normalisation in time."""

    def __init__(self) -> None:
        super().__init__()
        self.window = self.create_parameter([64])
        self.mel, self.fc = nn.Linear(33, 12, bias_attr=False), nn.Linear(12, 5)

    def forward(self, wave: Any) -> Any:
        frames = paddle.signal.frame(wave, 64, 32, axis=-1).transpose([0, 2, 1])
        power = paddle.fft.rfft(frames * self.window).abs().square()
        bands = paddle.log(F.relu(self.mel(power)) + 1e-2)
        mean, spread = bands.mean(1, keepdim=True), bands.std(1, keepdim=True)
        return self.fc((bands - mean) / (spread + 1e-5)), paddle.max(bands, axis=1)


@program("series", real("series", "B", "T", 4))
class WaveNet(nn.Layer):
    """Causal dilated convolutions with gates and skip connections."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1D(4, 8, 1)
        self.gates = nn.LayerList([nn.Conv1D(8, 16, 2, dilation=2**i) for i in range(3)])
        self.outs = nn.LayerList([nn.Conv1D(8, 8, 1) for _ in range(3)])
        self.head = nn.Conv1D(8, 4, 1)

    def forward(self, series: Any) -> Any:
        x = self.first(series.transpose([0, 2, 1]))
        skip = 0.0
        for i in range(3):
            y = self.gates[i](F.pad(x, [2**i, 0], data_format="NCL"))
            y = F.tanh(y[:, :8]) * F.sigmoid(y[:, 8:])
            y = self.outs[i](y)
            skip = skip + y
            x = x + y
        return self.head(F.elu(skip)).transpose([0, 2, 1])
