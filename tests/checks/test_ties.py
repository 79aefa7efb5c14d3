"""Positions of equal numbers: another order is no fault, a wrong position is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import case, f32
from tests.oracle.check import run_paddle
from workbench.checks.layers.verify import check_references
from workbench.checks.results.verification import Verification
from workbench.checks.rounding.ties import TIES
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.reference import Reference

NUMBERS = np.array([[5, 5, 5, 1, 0, 0], [3, 2, 2, 1, 0, -1]], np.float32)
PROGRAMS = {
    "topk": "paddle.topk(x, 3)[1]",
    "topk of another axis": "paddle.topk(x, 3, axis=0)[1]",
    "kthvalue": "paddle.kthvalue(x, 6)[1]",
}
OPS = ("topk", "kthvalue")


def _ties(ours: np.ndarray) -> np.ndarray:
    """The three equal numbers of the first row in another order; of the k-th, another of them."""
    moved = ours.copy()
    moved[0] = np.roll(ours[0], 1) if ours.ndim == 2 else (ours[0] + 1) % 3
    return moved


def _fault(ours: np.ndarray) -> np.ndarray:
    """A number that is not equal."""
    moved = ours.copy()
    moved.flat[-1] = 5
    return moved


def _folders(reference: Reference) -> list[Path]:
    """Where Paddle's values lie: as the program runs, and in float64."""
    assert reference.wide is not None
    return [reference.folder, reference.wide.folder]


@pytest.mark.parametrize("name", list(PROGRAMS))
@pytest.mark.parametrize(("change", "verdict"), [(_ties, "unchecked"), (_fault, "wrong")])
def test_only_positions_of_equal_numbers_may_differ(
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    verdict: str,
    oracle: PaddleProcess,
    tmp_path: Path,
) -> None:
    turned = "axis" in name
    x = np.ascontiguousarray(NUMBERS.T) if turned else NUMBERS
    run_paddle(case("topk", PROGRAMS[name], x=f32(*x.shape)), oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        assert not migration.verify([x]).failed
        module, references = migration.convert(), migration.references
        ours = module(torch.from_numpy(x)).numpy()
        value = next(v for row in migration.mapping for v in row.values if v.dtype == "int64")
        theirs = change(ours.T).T if turned else change(ours)
        for folder in _folders(references[0]):
            np.save(folder / f"v{value.id}.npy", np.ascontiguousarray(theirs))
            np.save(folder / "fetched0.npy", np.ascontiguousarray(theirs))
        found = Verification(check_references(migration.mapping, module, references))
    alone = next(layer.alone for layer in found.layers if layer.ops[0].endswith(OPS))
    assert alone.verdict == verdict, alone
    assert (alone.problem == TIES) == (verdict == "unchecked")
    assert found.failed == (verdict != "unchecked")


@pytest.mark.parametrize("tied", [True, False])
def test_boxes_of_equal_scores_may_be_kept_in_another_order(
    tied: bool, oracle: PaddleProcess, tmp_path: Path
) -> None:
    boxes = "paddle.vision.ops.matrix_nms(x, y, 0.1, 0.0, 8, 8, background_label=-1)[0]"
    run_paddle(case("matrix_nms", boxes, x=f32(1, 4, 4), y=f32(1, 2, 4)), oracle, tmp_path)
    corners = np.array([[0, 0, 4, 4], [1, 1, 5, 5], [0, 2, 6, 6], [8, 8, 9, 9]], np.float32)
    scores = np.linspace(0.2, 0.9, 8, dtype=np.float32)
    scores = np.where(scores > 0.5, np.float32(0.75), scores) if tied else scores
    with wb.load(tmp_path) as migration:
        migration.verify([corners[None], scores.reshape(1, 2, 4)])
        module, references = migration.convert(), migration.references
        row = next(row for row in migration.mapping if row.ops == ("pd_op.matrix_nms",))
        for folder in _folders(references[0]):
            kept = np.load(folder / f"v{row.values[0].id}.npy")
            np.save(folder / f"v{row.values[0].id}.npy", kept[::-1].copy())
            np.save(folder / "fetched0.npy", kept[::-1].copy())
        found = Verification(check_references(migration.mapping, module, references))
    assert found.failed != tied
    alone = next(layer.alone for layer in found.layers if layer.path == row.path)
    assert (alone.problem == TIES) == tied
