"""Nets that the tests and the other benchmarks have already."""

from __future__ import annotations

from benchmarks.fault_models import Recurrent, Transformer, UNet
from benchmarks.faults.programs.collection import (
    fixed,
    image,
    lengths,
    mask,
    program,
    real,
    whole,
)
from tests.oracle.architectures import ARCHITECTURES

program("segmentation", image("B", 3, 32, 32), name="unet")(UNet)
program("recurrent", real("x", "B", "T", 12), name="recurrent")(Recurrent)
program("transformer", whole("ids", "B", 11, low=1, high=50), mask("mask", "B", 11), name="causal")(
    Transformer
)
_INPUTS = {
    "Detector": ("detector", image(), fixed("scale_factor", "float32", 1.0, 1.0)),
    "WindowAttention": ("transformer", image("B", 3, "H", "W")),
    "Decoder": ("language", whole("ids", "B", "L", high=40), whole("steps", low=2, high=5)),
    "Translator": ("recurrent", real("x", "B", "T", 8), lengths("lengths", "T")),
    "Frames": ("control", real("x", "B", "N", 8)),
    "Branches": ("classifier", image()),
    "Forecast": ("series", real("series", "B", "T", 4)),
    "Segmenter": ("segmentation", image("B", 3, "H", "W")),
    "Generator": ("generator", real("latent", "B", 12)),
    "Video": ("classifier", real("clip", "B", 3, 4, 32, 32)),
}
for _name, (_family, *_inputs) in _INPUTS.items():
    program(_family, *_inputs, name=f"arch_{_name.lower()}")(ARCHITECTURES[_name])
