"""What a layer alone is allowed: accumulated rounding, NaN, overflow; and what it is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.accumulation import (
    NAN_READ,
    NOTHING_LEFT,
    finite_noise,
    moved_products,
    nan_told,
    without_nan,
)
from workbench.builder import build
from workbench.judging import compare


def _one_by_one(products: np.ndarray) -> np.ndarray:
    """Sums over the last axis, one float32 addition after another."""
    return np.cumsum(products.astype(np.float32), -1, dtype=np.float32)[..., -1]


@pytest.mark.parametrize("terms", [64, 2304, 18432])
@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_noise_of_products_covers_adding_one_by_one(terms: int, mean: float) -> None:
    random = np.random.default_rng(terms)
    x = random.normal(mean, 1, (6, terms)).astype(np.float32)
    layer = nn.Linear(terms, 64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(random.normal(mean, 1, (64, terms))))
        layer.bias.zero_()
        result = layer(torch.from_numpy(x))
    weight = layer.weight.detach().numpy()
    naive = _one_by_one(x[:, None] * weight[None])
    exact = x.astype(np.float64) @ weight.T.astype(np.float64)
    error = float(np.abs(naive - exact).max())
    moved = moved_products(None, result, (torch.from_numpy(x),), {}, layer)
    noise = float((moved - result).abs().max())
    assert error / 8 < noise < error * 4


def _node(target: Any) -> Any:
    return SimpleNamespace(op="call_function", target=target)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_noise_is_the_same_for_layers_and_functions(groups: int, transposed: bool) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(4, 6, 3, stride=2, groups=groups)
    x = torch.randn(2, 4, 9, 9)
    with torch.no_grad():
        result = layer(x)
        function = nn.functional.conv_transpose2d if transposed else nn.functional.conv2d
        operands = (x, layer.weight, layer.bias)
        kwargs = {"stride": 2, "groups": groups}
        one = moved_products(None, result, (x,), {}, layer)
        other = moved_products(_node(function), result, operands, kwargs, None)
    assert torch.equal(one, other)
    assert not torch.equal(one, result)


def test_other_nodes_are_not_moved() -> None:
    x = torch.randn(3, 3)
    assert moved_products(_node(torch.add), x, (x, x), {}, None) is x
    assert moved_products(None, x, (x,), {}, nn.ReLU()) is x
    half = x.half()
    assert moved_products(_node(torch.matmul), half, (half, half), {}, None) is half


def test_nan_that_only_one_framework_has_is_left_out() -> None:
    nan = float("nan")
    ours, theirs = torch.tensor([1.0, nan, nan]), torch.tensor([2.0, 0.0, nan])
    kept = without_nan(ours, theirs)
    assert kept is not None
    assert compare(*kept, None).failed  # the first element still differs
    assert without_nan(theirs, theirs) is None
    assert nan_told(("pd_op.relu",), [theirs]) == NAN_READ
    assert not nan_told(("pd_op.nan_to_num",), [theirs])
    assert not nan_told(("pd_op.relu",), [torch.ones(2)])
    assert nan_told(("pd_op.softmax",), [torch.tensor([-torch.inf])]) == NOTHING_LEFT
    assert not nan_told(("pd_op.softmax",), [torch.ones(2)])
    assert not nan_told(("pd_op.relu",), [torch.tensor([-torch.inf])])


def test_overflow_in_ours_does_not_excuse_other_elements() -> None:
    ours = torch.tensor([float("inf"), 1.0])
    theirs = torch.tensor([float("inf"), 1.1])
    wide = torch.tensor([1e39, 1.0], dtype=torch.float64)
    assert compare(ours, theirs, finite_noise(ours, wide)).failed
    agreed = torch.tensor([float("inf"), 1.0])
    assert not compare(ours, agreed, finite_noise(ours, wide)).failed
    assert compare(ours, torch.tensor([7.0, 1.0]), finite_noise(ours, wide)).failed


class _Logarithm(paddle.nn.Layer):  # type: ignore[misc]
    """NaN inside the model: Paddle's relu on a CPU makes a number of it."""

    def forward(self, x: Any) -> Any:
        return paddle.nn.functional.relu(paddle.log(x)) * 2.0


def test_nan_inside_the_model_is_told_and_not_called_wrong(tmp_path: Path) -> None:
    spec = [paddle.static.InputSpec([4, 8], "float32")]
    paddle.jit.save(_Logarithm(), str(tmp_path / "m" / "inference"), input_spec=spec)
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    with wb.load(tmp_path / "m") as migration:
        found = migration.verify([x])
        relu = next(layer for layer in found.layers if "relu" in layer.ops[0])
        assert found.outcome == "not proven", found.summary
        assert relu.alone.verdict == "unchecked"
        assert "NaN" in relu.alone.problem
        wrong = migration.mapping.edit(relu.path, target="torch.sigmoid")
        migration.mapping = wrong
        assert migration.verify([x]).first_mismatch.path == relu.path  # type: ignore[union-attr]


def test_a_mean_of_nearly_equal_terms_is_no_fault_and_a_wrong_one_is(tmp_path: Path) -> None:
    class Mean(paddle.nn.Layer):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return paddle.mean(x, [2, 3], keepdim=True)

    spec = [paddle.static.InputSpec([1, 2, 256, 256], "float32")]
    paddle.jit.save(Mean(), str(tmp_path / "m" / "inference"), input_spec=spec)
    with wb.load(tmp_path / "m") as migration:
        x = np.full((1, 2, 256, 256), 0.5383, np.float32)
        found = migration.verify([x])
        assert found.outcome == "not proven"
        assert "one number throughout" in found.summary
        row = migration.mapping.rows[0]
        migration.mapping = migration.mapping.edit(row.path, target=".sum")
        assert migration.verify([x]).failed


class _Masked(paddle.nn.Layer):  # type: ignore[misc]
    """Attention in which one query may look nowhere."""

    def forward(self, x: Any, mask: Any) -> Any:
        scores = paddle.matmul(x, x, transpose_y=True) + mask
        return paddle.matmul(paddle.nn.functional.softmax(scores), x)


def test_a_softmax_of_nothing_gives_what_paddle_gives(tmp_path: Path) -> None:
    spec = [
        paddle.static.InputSpec([16, 4], "float32"),
        paddle.static.InputSpec([16, 16], "float32"),
    ]
    paddle.jit.save(_Masked(), str(tmp_path / "m" / "inference"), input_spec=spec)
    mask = np.where(np.tri(16, dtype=bool), 0, -np.inf).astype(np.float32)
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    with wb.load(tmp_path / "m") as migration:
        assert migration.verify([x, mask]).verdict != "unchecked"
        mask[3] = -np.inf
        found = migration.verify([x, mask])
        assert found.passed, found.summary
        softmax = next(layer for layer in found.layers if "softmax" in layer.path)
        assert softmax.alone.verdict == "rounding"
        row = migration.mapping["softmax"]
        assert "equal shares" in row.note
        plain = migration.mapping.edit("softmax", target="F.softmax")
        assert torch.isnan(build(plain)(torch.from_numpy(x), torch.from_numpy(mask))[3]).all()
        migration.mapping = migration.mapping.edit("softmax", arguments={"dim": 0})
        assert migration.verify([x, mask]).failed


def test_normalisation_of_repeated_numbers_has_the_rounding_of_its_sums(tmp_path: Path) -> None:
    class Norm(paddle.nn.Layer):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return paddle.nn.functional.instance_norm(x)

    spec = [paddle.static.InputSpec([2, 4, 96, 192], "float32")]
    paddle.jit.save(Norm(), str(tmp_path / "m" / "inference"), input_spec=spec)
    x = np.round(np.random.default_rng(0).normal(0.5, 1, (2, 4, 96, 192)) * 2).astype(np.float32)
    x[:, 0] = 0.1
    x[:, 0, 0, 0] = 0.2
    with wb.load(tmp_path / "m") as migration:
        found = migration.verify([x / 2])
        assert found.passed, found.summary
        (row,) = (row for row in migration.mapping.rows if "instance_norm" in row.path)
        migration.mapping = migration.mapping.edit(row.path, arguments={"eps": 1e-4})
        assert not migration.verify([x / 2]).passed


def test_a_wrong_epsilon_over_a_flat_region_is_found(tmp_path: Path) -> None:
    """Paddle is off by 2e-5 here and the fault by 3e-4: what is measured must not be stretched."""

    class Norm(paddle.nn.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = paddle.nn.Conv2D(3, 16, 5, padding=2)
            self.norm = paddle.nn.InstanceNorm2D(16)

        def forward(self, x: Any) -> Any:
            return self.norm(self.conv(x))

    paddle.seed(5)
    spec = [paddle.static.InputSpec([2, 3, 128, 128], "float32")]
    paddle.jit.save(Norm(), str(tmp_path / "m" / "inference"), input_spec=spec)
    x = np.random.default_rng(0).normal(size=(2, 3, 128, 128)).astype(np.float32)
    x[..., 40:] = 0.25
    with wb.load(tmp_path / "m") as migration:
        assert migration.verify([x]).passed
        (row,) = (row for row in migration.mapping.rows if "instance_norm" in row.path)
        migration.mapping = migration.mapping.edit(row.path, arguments={"eps": 1e-4})
        found = migration.verify([x])
        assert found.first_mismatch is not None
        assert found.first_mismatch.path == row.path
