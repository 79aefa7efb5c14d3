"""A network quantised after training: Paddle's own mistake is told, and the rest is verified."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.targets.pytorch.functions.quantisation import quantize, straight_through

AWARE = """
import sys, paddle
from paddle.quantization import QAT, QuantConfig
from paddle.quantization.quanters import FakeQuanterWithAbsMaxObserver
paddle.seed(3)
net = paddle.nn.Sequential(
    paddle.nn.Conv2D(3, 8, 3, padding=1), paddle.nn.BatchNorm2D(8), paddle.nn.ReLU(),
    paddle.nn.Flatten(), paddle.nn.Linear(8 * 36, 5),
)
quanter = FakeQuanterWithAbsMaxObserver(moving_rate=0.9)
net = QAT(QuantConfig(activation=quanter, weight=quanter)).quantize(net)
for _ in range(3):
    net(paddle.randn([4, 3, 6, 6]))
net.eval()
spec = [paddle.static.InputSpec([None, 3, 6, 6], "float32", "image")]
paddle.jit.save(net, sys.argv[1] + "/inference", input_spec=spec)
"""

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


def _exported(folder: Path, text: str) -> Path:
    script = folder / "export.py"  # Paddle's tracer wants a file
    script.write_text(text)
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported network."""
    return _exported(tmp_path_factory.mktemp("quantised"), EXPORT)


def test_mistaken_rows_are_told_and_the_rest_verified(quantised: Path) -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 12, 12)).astype(np.float32)
    with wb.load(quantised) as migration:
        found = migration.verify([[image]])
        assert found.outcome == "not proven", found.summary
        assert "Paddle computes it by mistake" in found.summary
        assert any("dequantize_linear by mistake" in note for note in found.notes)
        next(migration.convert().parameters()).data += 0.5
        assert migration.verify([[image]]).failed


def test_training_goes_straight_through_the_rounding(tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(size=(5, 3, 6, 6)).astype(np.float32)
    with wb.load(_exported(tmp_path, AWARE)) as migration:
        assert any(row.target == "fn.straight_through" for row in migration.mapping.rows)
        assert migration.verify([[image]]).passed
        gradients = migration.gradients([image])
        assert gradients.passed, gradients.summary
        assert {check.name for check in gradients.of("parameter") if check.health} == set()
        trained = migration.training([image], steps=3)
        assert trained.passed, trained.summary
        assert trained.courses[0].torch[3] < trained.courses[0].torch[0]
        assert migration.training([image], ["SGD"], 3, batch_norm="train").passed


def test_values_and_exported_graphs_do_not_change() -> None:
    x = torch.tensor([-300.0, -0.4, 0.0, 0.6, torch.inf], requires_grad=True)
    scale = torch.tensor([1.3])
    out = quantize(x, scale, 127) * scale / 127
    trained = straight_through(x, out)
    trained.sum().backward()
    assert torch.equal(trained, out)
    assert x.grad is not None
    assert x.grad[:4].tolist() == [1.0] * 4

    class Rounded(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            return straight_through(x, quantize(x, scale, 127) * scale / 127)

    plain = torch.export.export(Rounded(3, 3), (torch.ones(2, 3),)).graph
    assert not [node for node in plain.nodes if "nan_to_num" in str(node.target)]
    traced = torch.jit.trace(Rounded(3, 3), torch.ones(2, 3))
    assert "nan_to_num" not in str(traced.graph)
