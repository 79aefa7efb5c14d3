"""Quantised networks: what Paddle computes by mistake is compared with its formula."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.conversion.context import Context, call
from workbench.core.calls import Call
from workbench.core.values import Value
from workbench.sources.paddle.client.predict import predict
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

#: Axes and greatest numbers of the program below.
SETTINGS = ((-1, 0, 1, 1, -1), (127, 127, 127, 7, 448))

DEQUANTISED = f"""
import sys, numpy as np, paddle
from paddle import _C_ops
paddle.enable_static()
main = paddle.static.Program()
with paddle.static.program_guard(main, paddle.static.Program()):
    x = paddle.static.data("x", [2, 3, 4, 5], "float32")
    state = paddle.zeros([1])

    def dequantised(axis, limit):
        count = 1 if axis < 0 else x.shape[axis]
        scale = paddle.arange(1, count + 1, dtype="float32")
        zero = paddle.zeros([count])
        return _C_ops.dequantize_linear(
            x, scale, zero, state, state, axis, 8, -limit - 1, limit, 0, True, False
        )[0]

    outs = [dequantised(axis, limit) for axis, limit in zip(*{SETTINGS})]
    branch = lambda: dequantised(-1, 127) * 2
    outs.append(paddle.static.nn.cond(paddle.mean(x) < 1000, branch, lambda: x))
    executor = paddle.static.Executor(paddle.CPUPlace())
    paddle.static.save_inference_model(sys.argv[1] + "/inference", [x], outs, executor)
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


def test_what_paddle_computes_by_mistake_is_compared_with_its_formula(quantised: Path) -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 12, 12)).astype(np.float32)
    with wb.load(quantised) as migration:
        found = migration.verify([[image]])
        assert found.passed, found.summary
        assert any("formula of dequantize_linear" in note for note in found.notes)
        assert migration.gradients([image]).passed
        assert migration.training([image], ["SGD"], 2).passed
        next(migration.convert().parameters()).data += 0.5
        assert migration.verify([[image]]).failed


@pytest.fixture(scope="module")
def dequantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of dequantising by one scale and by channels, also inside a branch."""
    return _exported(tmp_path_factory.mktemp("dequantised"), DEQUANTISED)


def test_the_reference_is_the_formula_at_its_place(dequantised: Path) -> None:
    """Paddle 3.3.1 would give whole numbers up to `qmax`; places behind it stay as in the file."""
    x = np.random.default_rng(0).integers(-127, 128, (2, 3, 4, 5)).astype(np.float32)
    with wb.load(dequantised) as migration:
        found = migration.verify([[x]])
        assert found.passed, found.summary
        layers = [layer for layer in found.layers if "pd_op.dequantize_linear" in layer.ops]
        assert len(layers) == 6
        assert not [layer for layer in layers if layer.coarse]
        (reference,) = predict(migration.paddle, migration.program, [[x]])
        for axis, limit, got in zip(*SETTINGS, reference, strict=False):
            count = 1 if axis < 0 else x.shape[axis]
            scale = np.arange(1, count + 1).reshape([-1] + [1] * (3 - max(axis, 0)))
            np.testing.assert_allclose(got, x * scale / limit, rtol=1e-6)
        np.testing.assert_allclose(reference[-1], x / 127 * 2, rtol=1e-6)


def test_a_wrong_dequantised_number_is_found(dequantised: Path) -> None:
    x = np.random.default_rng(0).integers(-127, 128, (2, 3, 4, 5)).astype(np.float32)
    with wb.load(dequantised) as migration:

        @migration.rule("pd_op.dequantize_linear")
        def wrong(op: Context, x: Value, scale: Value, quant_axis: int = -1) -> Call:
            """Without the greatest number."""
            op.substituted("as in the book")
            return call("operator.mul", x, scale)

        found = migration.verify([[x]])
        assert found.failed
        assert found.first_mismatch is not None
        assert "pd_op.dequantize_linear" in found.first_mismatch.ops


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
