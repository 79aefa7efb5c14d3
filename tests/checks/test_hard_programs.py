"""Programs that fooled verdicts: NaN, flat regions, sums of nearly equal terms, masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import torch

import workbench as wb
from workbench.targets.pytorch.builder import build


class _Logarithm(paddle.nn.Layer):  # type: ignore[misc]
    """NaN inside the model: Paddle's relu on a CPU makes a number of it."""

    def forward(self, x: Any) -> Any:
        return paddle.nn.functional.relu(paddle.log(x)) * 2.0


def test_a_number_of_paddles_where_ours_is_nan_is_wrong(tmp_path: Path) -> None:
    spec = [paddle.static.InputSpec([4, 8], "float32")]
    paddle.jit.save(_Logarithm(), str(tmp_path / "m" / "inference"), input_spec=spec)
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    with wb.load(tmp_path / "m") as migration:
        assert migration.verify([np.abs(x) + 0.5]).passed
        found = migration.verify([x])
        relu = next(layer for layer in found.layers if "relu" in layer.ops[0])
        assert found.failed
        assert found.first_mismatch is not None
        assert found.first_mismatch.path == relu.path
        assert "NaN where Paddle has a number" in relu.why


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
