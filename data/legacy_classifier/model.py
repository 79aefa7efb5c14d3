"""A small residual network for the digits, in the manner of ResNet."""

from __future__ import annotations

import paddle
from paddle import nn


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions and a shortcut, which a 1x1 convolution adapts where needed."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(
            in_channels, out_channels, 3, stride=stride, padding=1, bias_attr=False
        )
        self.bn1 = nn.BatchNorm2D(out_channels)
        self.conv2 = nn.Conv2D(out_channels, out_channels, 3, padding=1, bias_attr=False)
        self.bn2 = nn.BatchNorm2D(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2D(in_channels, out_channels, 1, stride=stride, bias_attr=False),
                nn.BatchNorm2D(out_channels),
            )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Run the block."""
        identity = x if self.downsample is None else self.downsample(x)
        x = nn.functional.relu(self.bn1(self.conv1(x)))
        return nn.functional.relu(self.bn2(self.conv2(x)) + identity)


class DigitsResNet(nn.Layer):
    """Digit probabilities of grey images 16x16: logits in training, softmax in evaluation."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2D(1, 16, 3, padding=1)
        self.pool = nn.MaxPool2D(3, stride=2, padding=1)
        self.layer1 = BasicBlock(16, 16)
        self.layer2 = BasicBlock(16, 32, stride=2)
        self.layer3 = BasicBlock(32, 64, stride=2)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """[N, 1, 16, 16] to [N, classes]."""
        x = self.pool(nn.functional.relu(self.conv(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits = self.fc(paddle.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))
        return logits if self.training else nn.functional.softmax(logits)
