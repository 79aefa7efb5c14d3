"""A CRNN: a convolutional backbone, a bidirectional LSTM over the columns, a CTC head."""

from __future__ import annotations

import paddle
from paddle import nn


class ConvBNLayer(nn.Layer):
    """Convolution 3x3 without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(in_channels, out_channels, 3, padding=1, bias_attr=False)
        self.bn = nn.BatchNorm2D(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Convolve, normalise, activate."""
        return nn.functional.relu(self.bn(self.conv(x)))


class Backbone(nn.Layer):
    """Five stages that take the height from 32 to 1 and divide the width by 4."""

    def __init__(self, channels: tuple[int, ...] = (16, 32, 48, 64, 96)) -> None:
        super().__init__()
        pools = ((2, 2), (2, 2), (2, 1), (2, 1), (2, 1))
        stages: list[nn.Layer] = []
        for before, after, pool in zip((3, *channels[:-1]), channels, pools, strict=True):
            stages += [ConvBNLayer(before, after), nn.MaxPool2D(pool, stride=pool)]
        self.stages = nn.Sequential(*stages)
        self.out_channels = channels[-1]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Features [N, C, 1, W / 4] of images [N, 3, 32, W]."""
        return self.stages(x)


class Im2Seq(nn.Layer):
    """Columns of the feature map become time steps."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """[N, C, 1, T] to [N, T, C]."""
        return paddle.transpose(paddle.squeeze(x, axis=2), [0, 2, 1])


class EncoderWithRNN(nn.Layer):
    """Two bidirectional LSTM layers."""

    def __init__(self, in_channels: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """[N, T, C] to [N, T, 2 * hidden_size]."""
        x, _ = self.lstm(x)
        return x


class CTCHead(nn.Layer):
    """Class scores per time step: logits in training, softmax in evaluation."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """[N, T, C] to [N, T, classes]."""
        logits = self.fc(x)
        return logits if self.training else nn.functional.softmax(logits, axis=-1)


class CRNN(nn.Layer):
    """Text line recogniser; class 0 is the CTC blank."""

    def __init__(self, classes: int, hidden_size: int = 64) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.neck = Im2Seq()
        self.encoder = EncoderWithRNN(self.backbone.out_channels, hidden_size)
        self.head = CTCHead(2 * hidden_size, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Class scores [N, W / 4, classes] of images [N, 3, 32, W]."""
        return self.head(self.encoder(self.neck(self.backbone(x))))
