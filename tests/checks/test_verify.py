"""Verification: correct conversions pass, planted faults are found in the right layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.conftest import SAMPLES
from tests.oracle.case import case, f32, f64
from tests.oracle.check import run_paddle
from workbench.checks.results.statistics import error_stats
from workbench.checks.rounding.judging import health_of, judge
from workbench.core.errors import InputError
from workbench.sources.paddle.client.process import PaddleProcess


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_pass_alone_in_the_chain_and_end_to_end(name: str, data: Path) -> None:
    with wb.load(data / name) as migration:
        found = migration.verify(data / name / "samples.npz")
    assert found.passed, found.summary
    assert found.first_mismatch is None
    assert {layer.chain.verdict for layer in found.layers} <= {"exact", "rounding"}
    assert all(output.check.verdict in ("exact", "rounding") for output in found.outputs)
    frame = found.frame()
    assert (frame["alone_max_abs"] <= frame["alone_tolerance"]).all()


def _first(module: nn.Module, kind: type[nn.Module]) -> nn.Module:
    return next(part for part in module.modules() if isinstance(part, kind))


def _wrong_epsilon(module: nn.Module) -> nn.Module:
    layer = _first(module, nn.BatchNorm2d)
    layer.eps = 1e-3  # type: ignore[assignment]
    return layer


def _flipped_sign(module: nn.Module) -> nn.Module:
    layer = _first(module, nn.Linear)
    with torch.no_grad():
        layer.weight[0, 0] *= -1  # type: ignore[index]
    return layer


def _stale_variance(module: nn.Module) -> nn.Module:
    layer = _first(module, nn.BatchNorm2d)
    layer.running_var.mul_(1.001)  # type: ignore[operator,union-attr]
    return layer


def _missing_bias(module: nn.Module) -> nn.Module:
    layer = next(p for p in module.modules() if isinstance(p, nn.Linear) and p.bias is not None)
    layer.bias = None
    return layer


def _half_rounding(module: nn.Module) -> nn.Module:
    layer = [part for part in module.modules() if isinstance(part, nn.Conv2d)][3]
    with torch.no_grad():
        layer.weight.copy_(layer.weight.half().float())
    return layer


def _permuted_channels(module: nn.Module) -> nn.Module:
    layer = next(p for p in module.modules() if isinstance(p, nn.Conv2d) and p.groups > 1)
    with torch.no_grad():
        layer.weight.copy_(layer.weight.roll(1, 0))
    return layer


def _shifted_padding(module: nn.Module) -> nn.Module:
    layer = next(p for p in module.modules() if isinstance(p, nn.Conv2d) and p.padding[0] == 1)
    layer.padding = (0, 0)
    return layer


@pytest.mark.parametrize(
    "plant",
    [
        _wrong_epsilon, _flipped_sign, _stale_variance, _missing_bias, _half_rounding,
        _permuted_channels, _shifted_padding,
    ],
)  # fmt: skip
def test_planted_faults_are_blamed_on_their_layer(
    plant: Callable[[nn.Module], nn.Module], data: Path
) -> None:
    with wb.load(data / "digits_classifier") as migration:
        module = migration.convert()
        guilty = plant(module)
        path = next(name for name, part in module.named_modules() if part is guilty)
        samples = np.load(data / "digits_classifier" / "samples.npz")["in_0"][:8]
        found = migration.verify([samples])
        assert not found.passed
        assert found.first_mismatch is not None
        assert found.first_mismatch.path == path
        assert [layer.path for layer in found.layers if layer.failed] == [path]


def test_inputs_are_checked(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        with pytest.raises(InputError, match="got an array of shape"):
            migration.verify([np.zeros((2, 5, 32, 32), np.float32)])
        with pytest.raises(InputError, match="takes 1 inputs"):
            migration.verify([np.zeros(3), np.zeros(3)])
        with pytest.raises(InputError, match="No array for input image"):
            migration.verify({"picture": np.zeros((1, 3, 32, 32), np.float32)})
        (tmp_path / "inputs.npz").write_bytes(b"no zip")
        with pytest.raises(InputError, match="not a readable"):
            migration.verify(tmp_path / "inputs.npz")


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (torch.ones(3), ("constant",)),
        (torch.tensor([1.0, float("nan")]), ("NaN",)),
        (torch.tensor([1.0, float("inf")]), ("infinite",)),
        (torch.tensor([1.0, 1.0, float("nan")]), ("NaN",)),
        (torch.tensor([1.0, 2.0, float("nan"), float("inf")]), ()),
        (torch.tensor([1e-13, -1e-13]), ("vanishing scale 1e-13",)),
        (torch.empty(0), ("empty",)),
        (torch.tensor([1.0, 2.0]), ()),
    ],
)
def test_unhealthy_references_are_told(tensor: torch.Tensor, told: tuple[str, ...]) -> None:
    assert health_of(tensor) == told


def test_nan_equals_nan_and_infinity_itself() -> None:
    ours = torch.tensor([1.0, float("nan"), float("inf"), 2.0])
    assert error_stats(ours, ours.clone()).exact
    other = ours.clone()
    other[1] = 0.0
    assert error_stats(ours, other).max_abs == float("inf")


def test_error_statistics() -> None:
    found = error_stats(
        torch.tensor([[1.0, 2.0], [3.0, 4.5]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    )
    assert (found.max_abs, found.scale, found.mismatches) == (0.5, 4.0, 1)
    assert found.worst == (1, 1)
    assert found.relative == pytest.approx(0.125)
    assert found.zeros == 3


def test_integers_must_be_equal() -> None:
    found = error_stats(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 4]))
    assert judge(found, 0.0, torch.int64).verdict == "wrong"


@pytest.mark.parametrize(
    "expression",
    ["paddle.clip(x, -0.1, 0.1)", "F.hardsigmoid(x)", "F.selu(x)", "F.elu(x, 0.3)", "x * 0.1"],
)
def test_constants_that_paddle_keeps_in_float32_are_the_same_in_float64(
    expression: str, oracle: PaddleProcess, tmp_path: Path
) -> None:
    run_paddle(case("float64", expression, x=f64(4, 8)), oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        found = migration.verify([np.linspace(-4, 4, 32).reshape(4, 8)])
    assert found.passed, found.summary


def test_values_after_random_numbers_fit_together(oracle: PaddleProcess, tmp_path: Path) -> None:
    run_paddle(
        case("uniform", "paddle.exp(x + paddle.rand([4, 8])) * 2", x=f32(4, 8)), oracle, tmp_path
    )
    with wb.load(tmp_path) as migration:
        found = migration.verify([np.ones((4, 8), np.float32)])
    assert found.passed, found.summary


@pytest.mark.parametrize(
    "setup",
    [
        "a = x * 2\nb = a * 1\nb[:, 0] = -1.0\nb[:, 1:3] = a[:, :2]\ny = a + b.cumsum(1)",
        "a = x * 2\nb = paddle.zeros([x.shape[0], 4])\nb[:, 1:3] = a[:, :2]\ny = a + b",
        "a = x * 2\na[:, 0] = -1.0\nm = a > 0\na[m] = 3.0\na[:, 1] = 5.0\ny = F.relu(a)",
    ],
)
def test_overwritten_values_are_recorded_as_they_were(
    setup: str, oracle: PaddleProcess, tmp_path: Path
) -> None:
    run_paddle(case("overwriting", "y", x=f32("B", 4), setup=setup), oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        found = migration.verify([np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)])
    assert found.passed, found.summary


def test_scopes_are_checked_alone_and_in_the_chain(data: Path) -> None:
    with wb.load(data / "transformer_encoder") as migration:
        with pytest.raises(InputError, match="Nothing was verified"):
            migration.check_scopes()
        ids = np.load(data / "transformer_encoder" / "samples.npz")["in_0"][:2]
        free = migration.verify([ids])
        good = migration.check_scopes()
        assert [c.chain for c in free.scopes] == [c.chain for c in good.scopes]
        assert {check.alone.verdict for check in free.scopes} == {"unchecked"}
        frame = good.frame("scope").set_index("path")
        blocks = [path for path in frame.index if path.startswith("transformer_encoder_layer")]
        assert len(blocks) > 1
        assert set(frame["alone_verdict"]) | set(frame["chain_verdict"]) <= {"exact", "rounding"}
        assert (frame["alone_max_abs"] <= frame["alone_tolerance"]).all()
        # a fault in one block shows there and in the scopes around it, alone in no other
        row = next(r for r in migration.mapping if r.path.startswith(blocks[0] + ".") and r.weights)
        migration.mapping = migration.mapping.edit(row.path, note="looked at")
        with torch.no_grad():
            migration.convert().get_submodule(row.path).weight[0] *= -1  # type: ignore[operator,index]
        migration.verify([ids])
        bad = [check.path for check in migration.check_scopes().scopes if check.alone.failed]
        assert blocks[0] in bad
        assert all(row.path.startswith(f"{path}.") for path in bad)
        with pytest.raises(ValueError, match="level is"):
            good.frame("model")
