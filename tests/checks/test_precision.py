"""Reduced precision: what tensor cores make of a model, with tolerances of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import case, f32
from tests.oracle.check import run_paddle
from workbench.checks.layers.precision import PRECISIONS, products_with
from workbench.core.errors import InputError
from workbench.sources.paddle.client.process import PaddleProcess


@pytest.mark.parametrize("name", list(PRECISIONS))
def test_numbers_are_rounded_to_the_nearest(name: str) -> None:
    precision = PRECISIONS[name]
    x = torch.rand(50_000) + 0.5
    error = ((precision.round(x) - x) / x).abs().max()
    assert 0.9 * precision.unit < error <= precision.unit
    assert torch.equal(precision.round(precision.round(x)), precision.round(x))


def test_tf32_rounds_ties_to_even_and_leaves_what_is_not_finite() -> None:
    step = 2.0**-10
    x = torch.tensor([1 + step / 2, 1 + 1.5 * step, -1 - step / 2, torch.inf, -torch.inf, 0.0])
    wanted = torch.tensor([1, 1 + 2 * step, -1, torch.inf, -torch.inf, 0.0])
    assert torch.equal(PRECISIONS["tf32"].round(x), wanted)
    assert torch.isnan(PRECISIONS["tf32"].round(torch.tensor([torch.nan]))).all()


def test_bfloat16_is_what_autocast_computes() -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(64, 32), torch.randn(8, 64)
    node = type("Node", (), {"op": "call_module"})
    precision = PRECISIONS["bfloat16"]
    with torch.no_grad():
        ours = products_with(precision.round, precision.round)(node, None, (x,), {}, layer)
        with torch.autocast("cpu", torch.bfloat16):
            theirs = layer(x).float()
        full = layer(x)
    assert (ours - theirs).abs().max() <= 2**-7 * full.abs().max()
    assert (ours - full).abs().mean() == pytest.approx((theirs - full).abs().mean(), rel=0.5)


@pytest.mark.parametrize("name", list(PRECISIONS))
def test_a_right_model_passes_and_differs_more_than_in_float32(name: str, data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        with pytest.raises(InputError, match="Nothing was verified"):
            migration.check_precision(name)
        full = migration.verify()
        found = migration.check_precision(name)
        assert found.passed, found.summary
        assert migration.verification is full
    error, before = (v.outputs[0].check.error for v in (found, full))
    assert error is not None
    assert before is not None
    assert error.relative > 20 * before.relative
    products = {"pd_op.conv2d", "pd_op.depthwise_conv2d", "pd_op.matmul"}
    ratios = [layer.alone.ratio for layer in found.layers if products & set(layer.ops)]
    assert 0.02 < max(ratios) < 0.5


@pytest.mark.parametrize("name", list(PRECISIONS))
def test_a_fault_larger_than_the_format_explains_is_found(name: str, data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        migration.verify()
        row = [row for row in migration.mapping if row.ops == ("pd_op.conv2d",)][3]
        conv = migration.convert().get_submodule(row.path)
        with torch.no_grad():
            conv.weight[0] *= -1  # type: ignore[operator,index]
        found = migration.check_precision(name)
        assert found.first_mismatch is not None
        assert found.first_mismatch.path == row.path


def test_numbers_out_of_the_range_of_float16_are_told(
    oracle: PaddleProcess, tmp_path: Path
) -> None:
    run_paddle(
        case("matmul", "paddle.matmul(x, y) * 1e-6", x=f32(4, 8), y=f32(8, 4)), oracle, tmp_path
    )
    random = np.random.default_rng(0)
    large = [random.uniform(290, 310, shape).astype(np.float32) for shape in ((4, 8), (8, 4))]
    with wb.load(tmp_path) as migration:
        assert migration.verify(large).passed
        found = migration.check_precision("float16")
        assert not found.passed
        assert "too large for float16" in found.summary
        assert migration.check_precision("bfloat16").passed


def test_an_unknown_precision_is_told(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        migration.verify()
        with pytest.raises(InputError, match="no precision 'int8'"):
            migration.check_precision("int8")
