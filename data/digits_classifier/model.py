"""A small MobileNetV3: inverted residuals, squeeze-excitation, hard-swish and hard-sigmoid."""

from __future__ import annotations

import paddle
from paddle import nn


class ConvBNLayer(nn.Layer):
    """Convolution without bias, batch norm and an activation: "relu", "hardswish" or none."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            groups=groups,
            bias_attr=False,
        )
        self.bn = nn.BatchNorm2D(out_channels)
        self.act = {"relu": nn.ReLU, "hardswish": nn.Hardswish, None: nn.Identity}[activation]()

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Convolve, normalise, activate."""
        return self.act(self.bn(self.conv(x)))


class SqueezeExcitation(nn.Layer):
    """Channel weights from the global average, with the hard-sigmoid slope 0.2 of PaddleClas."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.squeeze = nn.Conv2D(channels, channels // reduction, 1)
        self.excite = nn.Conv2D(channels // reduction, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Scale each channel of x."""
        scale = self.excite(nn.functional.relu(self.squeeze(self.pool(x))))
        return x * nn.functional.hardsigmoid(scale, slope=0.2, offset=0.5)


class InvertedResidual(nn.Layer):
    """Expand, depthwise convolution, optional squeeze-excitation, project, add."""

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel: int,
        stride: int,
        use_se: bool,
        activation: str,
    ) -> None:
        super().__init__()
        self.shortcut = stride == 1 and in_channels == out_channels
        self.expand = ConvBNLayer(in_channels, expanded, 1, activation=activation)
        self.depthwise = ConvBNLayer(
            expanded, expanded, kernel, stride, groups=expanded, activation=activation
        )
        self.se = SqueezeExcitation(expanded) if use_se else None
        self.project = ConvBNLayer(expanded, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Run the block, with the input added where the shapes agree."""
        y = self.depthwise(self.expand(x))
        if self.se is not None:
            y = self.se(y)
        y = self.project(y)
        return x + y if self.shortcut else y


# in, expanded, out, kernel, stride, squeeze-excitation, activation
BLOCKS = (
    (16, 32, 16, 3, 1, False, "relu"),
    (16, 48, 24, 3, 2, False, "relu"),
    (24, 64, 24, 3, 1, False, "relu"),
    (24, 72, 32, 5, 2, True, "hardswish"),
    (32, 96, 32, 5, 1, True, "hardswish"),
    (32, 112, 40, 5, 1, True, "hardswish"),
)


class DigitsMobileNet(nn.Layer):
    """MobileNetV3 for ten classes; takes images of any size, gives logits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = ConvBNLayer(3, 16, 3, stride=2, activation="hardswish")
        self.blocks = nn.Sequential(*(InvertedResidual(*row) for row in BLOCKS))
        self.last = ConvBNLayer(40, 160, 1, activation="hardswish")
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.hidden = nn.Linear(160, 128)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(128, classes)

    def forward(self, image: paddle.Tensor) -> paddle.Tensor:
        """Logits [N, classes] of images [N, 3, H, W]."""
        x = self.pool(self.last(self.blocks(self.stem(image))))
        x = nn.functional.hardswish(self.hidden(paddle.flatten(x, 1)))
        return self.head(self.dropout(x))
