"""Batch norm in training: losses, gradients and running statistics against Paddle's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.checks.test_gradients import _exported
from tests.oracle.case import case, f32
from workbench.app.migration import Migration
from workbench.checks.gradients.batch_norm import batch_norms
from workbench.core.errors import InputError
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime


@pytest.fixture
def digits(data: Path, worker: PaddleRuntime) -> Migration:
    migration = wb.load(data / "digits_classifier")
    migration._runtime = worker
    return migration


@pytest.fixture
def samples(data: Path) -> np.ndarray:
    return np.load(data / "digits_classifier" / "samples.npz")["in_0"][:4]


def test_running_statistics_agree_but_for_the_biased_variance(
    digits: Migration, samples: np.ndarray
) -> None:
    module = digits.convert()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    found = digits.training([samples], ["Momentum"], steps=2, batch_norm="train")
    assert all((before[key] == now).all() for key, now in module.state_dict().items())
    assert found.passed, found.summary
    assert "running statistics agree" in found.summary
    (course,) = found.courses
    assert course.torch[-1] < course.torch[0]
    assert len(course.statistics) == 2 * len(batch_norms(digits.mapping))
    variances = [one for one in course.statistics if one.key == "running_var"]
    smallest = max(variances, key=lambda one: one.factor)
    assert smallest.factor == pytest.approx(64 / 63)  # 4 images of 4 × 4
    # three forward passes replace 1 - 0.9³ of the old variance
    assert 1e-4 < smallest.apart < (1 - 0.9**3) / 63 + 1e-4
    assert smallest.check.error is not None
    assert smallest.check.error.relative < 1e-5
    assert "n / (n - 1)" in found._repr_html_()
    assert len(digits.training([samples], ["SGD"], 1).courses[0].statistics) == 0


@pytest.mark.parametrize("change", [{"momentum": 0.9}, {"momentum": 0.11}, {"eps": 1e-3}])
def test_a_wrong_setting_shows(
    change: dict[str, float], digits: Migration, samples: np.ndarray
) -> None:
    norm = batch_norms(digits.mapping)[3]
    layer = digits.convert().get_submodule(norm.path)
    for name, value in change.items():
        setattr(layer, name, value)
    found = digits.training([samples], ["SGD"], 2, batch_norm="train")
    assert not found.passed
    if "momentum" in change:
        failed = {one.path for one in found.courses[0].statistics if one.check.failed}
        assert failed == {norm.path}
        assert f"of {norm.path} is" in found.summary


def test_gradients_through_the_statistics_of_the_batch(
    digits: Migration, samples: np.ndarray
) -> None:
    found = digits.gradients([samples], batch_norm="train")
    assert found.passed, found.summary
    stored = digits.gradients([samples])
    name = stored.of("parameter")[0].name
    scales = [
        next(check.alone.error.scale for check in one.checks if check.name == name)  # type: ignore[union-attr]
        for one in (found, stored)
    ]
    assert scales[0] != pytest.approx(scales[1], rel=0.01)
    norm = batch_norms(digits.mapping)[3]
    digits.convert().get_submodule(norm.path).eps = 0.05
    broken = digits.gradients([samples], batch_norm="train")
    assert {path for check in broken.checks if check.failed for path in check.paths} == {norm.path}


LAYERS = {"fc": "nn.Linear(6, 5)", "bn": "nn.BatchNorm1D(5, momentum=0.7)"}


@pytest.mark.parametrize(
    ("expression", "layers"),
    [
        ("fc2(bn(fc(x)))", {**LAYERS, "fc2": "nn.Linear(5, 3)"}),
        ("bn(conv(x.reshape([-1, 2, 3, 1])))",
         {"conv": "nn.Conv2D(2, 4, 1, data_format='NCHW')", "bn": "nn.BatchNorm2D(4)"}),
        ("bn(x.reshape([-1, 1, 2, 3]))",
         {"bn": "nn.BatchNorm2D(3, data_format='NHWC', epsilon=0.01)"}),
        ("bn(fc(x)) + bn(fc(x * 2))", LAYERS),
    ],
    ids=["rank2", "rank4", "nhwc", "twice"],
)  # fmt: skip
def test_forms_agree(
    expression: str, layers: dict[str, str], oracle: PaddleProcess, tmp_path: Path,
    worker: PaddleRuntime,
) -> None:  # fmt: skip
    one = case("any", expression, x=f32("B", 6), **layers)
    _exported(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    inputs = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    found = migration.training([inputs], steps=3, batch_norm="train")
    assert found.passed, found.summary
    assert all(one.check.verdict != "unchecked" for one in found.courses[0].statistics)
    assert migration.gradients([inputs], batch_norm="train").passed


def test_batches_of_several_sizes_are_told(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    one = case("any", "bn(fc(x)).sum() + bn(fc(x[:2] * 2)).sum()", x=f32("B", 6), **LAYERS)
    _exported(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    inputs = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    found = migration.training([inputs], ["SGD"], 2, batch_norm="train")
    means = [one.check for one in found.courses[0].statistics if one.key == "running_mean"]
    variances = [one.check for one in found.courses[0].statistics if one.key == "running_var"]
    assert {check.verdict for check in means} <= {"exact", "rounding"}
    assert all("several sizes" in check.problem for check in variances)
    assert found.passed, found.summary


def test_what_cannot_train_is_told(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    one = case("any", "bn(fc(x))", x=f32("B", 6), **LAYERS)
    _exported(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    single = np.ones((1, 6), np.float32)
    with pytest.raises(InputError, match="one value a channel"):
        migration.training([single], batch_norm="train")
    with pytest.raises(InputError, match="no batch_norm='batch'"):
        migration.gradients([single], batch_norm="batch")
    _exported(case("any", "fc(x)", x=f32("B", 6), fc="nn.Linear(6, 5)"), oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    for check in (migration.gradients, migration.training):
        with pytest.raises(InputError, match="no batch norm that could train"):
            check([single], batch_norm="train")
    assert not any(isinstance(part, nn.BatchNorm1d) for part in migration.convert().modules())
    assert torch.is_grad_enabled()
