"""Export the models of the cost benchmark with Paddle, with weights of a healthy scale.

Usage: python benchmarks/cost_models.py FOLDER      (each model gets a folder with inputs.npz)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from fault_models import RANDOM, healthy
from paddle import nn
from paddle.static import InputSpec


class Encoder(nn.Layer):
    """Six encoder layers of BERT's size."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(768, 12, 3072, dropout=0.0, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 6)

    def forward(self, x: Any) -> Any:
        """Encoded tokens."""
        return self.encoder(x)


def models() -> dict[str, tuple[nn.Layer, tuple[int, ...]]]:
    """Every model and the shape of its input."""
    vision = paddle.vision.models
    return {
        "resnet18": (vision.resnet18(), (1, 3, 224, 224)),
        "resnet50": (vision.resnet50(), (1, 3, 224, 224)),
        "mobilenet_v3_small": (vision.mobilenet_v3_small(), (1, 3, 224, 224)),
        "encoder": (Encoder(), (1, 128, 768)),
    }


def main(folder: Path) -> None:
    """Export all models."""
    paddle.seed(1)
    for name, (net, shape) in models().items():
        healthy(net).eval()
        spec = [InputSpec(list(shape), "float32", "x")]
        paddle.jit.save(net, str(folder / name / "inference"), input_spec=spec)
        x = RANDOM.normal(size=shape).astype("float32")
        np.savez(folder / name / "inputs.npz", x=x)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
