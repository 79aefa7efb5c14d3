"""Thresholds of a non-maximum suppression: boxes are made for them; ties excuse nothing there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.oracle.case import case, f32
from tests.oracle.check import run_paddle
from workbench.app.migration import Migration
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

OPTIONS = "0.1, 60, 40, 0.5, True, 1.0, 0"
NMS = case(
    "multiclass_nms3", f"paddle._C_ops.multiclass_nms3(x, s, None, {OPTIONS})[0] * 1.0",
    x=f32(1, 80, 4), s=f32(1, 3, 80),
)  # fmt: skip


@pytest.fixture
def detector(oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path) -> Migration:
    """A program that keeps boxes."""
    run_paddle(NMS, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    return migration


def _inputs(ties: bool) -> list[np.ndarray]:
    """Boxes of which some overlap; with `ties` many scores are equal."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 300, (1, 80, 2))
    boxes = np.concatenate([corner, corner + random.uniform(20, 90, (1, 80, 2))], -1)
    scores = random.uniform(0, 1, (1, 3, 80))
    scores = np.round(scores * 8) / 8 if ties else scores
    return [boxes.astype(np.float32), scores.astype(np.float32)]


FAULTS: list[dict[str, Any]] = [
    {"nms_threshold": 0.3}, {"nms_threshold": 0.51}, {"nms_threshold": 0.49},
    {"background_label": 1}, {"score_threshold": 0.11}, {"normalized": False},
    {"nms_top_k": 30}, {"keep_top_k": 39},
]  # fmt: skip


@pytest.mark.parametrize("ties", [False, True])
def test_thresholds_that_are_right_pass(detector: Migration, ties: bool) -> None:
    found = detector.verify(_inputs(ties))
    assert not found.failed, found.summary
    row = next(row for row in detector.mapping if row.ops == ("pd_op.multiclass_nms3",))
    layer = next(layer for layer in found.layers if layer.path == row.path)
    assert layer.probe.verdict in ("exact", "rounding")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_wrong_threshold_is_found_although_scores_tie(
    detector: Migration, fault: dict[str, Any]
) -> None:
    row = next(row for row in detector.mapping if row.ops == ("pd_op.multiclass_nms3",))
    detector.mapping = detector.mapping.edit(row.path, arguments=fault)
    found = detector.verify(_inputs(ties=True))
    assert found.failed, found.summary
    assert [layer.path for layer in found.root_causes] == [row.path]
