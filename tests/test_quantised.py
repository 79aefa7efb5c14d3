"""A network quantised after training: Paddle's own mistake is told, and the rest is verified."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb

EXPORT = """
import sys, paddle
from paddle.quantization import PTQ, QuantConfig
from paddle.quantization.observers import AbsmaxObserver
paddle.seed(3)
net = paddle.nn.Sequential(
    paddle.nn.Conv2D(3, 8, 3, padding=1), paddle.nn.ReLU(), paddle.nn.Conv2D(8, 4, 3),
)
net.eval()
observer = AbsmaxObserver(quant_bits=8)
ptq = PTQ(QuantConfig(activation=observer, weight=observer))
quantised = ptq.quantize(net)
quantised(paddle.randn([2, 3, 12, 12]))
spec = [paddle.static.InputSpec([2, 3, 12, 12], "float32", "image")]
converted = ptq.convert(quantised)
converted.eval()
paddle.jit.save(converted, sys.argv[1] + "/inference", input_spec=spec)
"""


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported network."""
    folder = tmp_path_factory.mktemp("quantised")
    script = folder / "export.py"  # Paddle's tracer wants a file
    script.write_text(EXPORT)
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    return folder


def test_mistaken_rows_are_told_and_the_rest_verified(quantised: Path) -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 12, 12)).astype(np.float32)
    with wb.load(quantised) as migration:
        found = migration.verify([[image]])
        assert found.passed, found.summary
        assert "could not be compared" in found.summary
        assert any("dequantize_linear by mistake" in note for note in found.notes)
        next(migration.convert().parameters()).data += 0.5
        assert not migration.verify([[image]]).passed
