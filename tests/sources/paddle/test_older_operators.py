"""Operators of Paddle 1, which Paddle 3 cannot translate: their followers compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.core.errors import ModelFileError
from workbench.sources.paddle.client.environment import LEGACY
from workbench.sources.paddle.client.process import PaddleProcess

Shapes = dict[str, tuple[int, ...]]
IMAGE = {"X": (2, 3, 5, 6)}
FLAT = {"Out": "float32", "XShape": "float32"}


@pytest.fixture(scope="module")
def older() -> Iterator[PaddleProcess]:
    """Paddle, writing programs of one old operator."""
    with PaddleProcess("tests.oracle.older", LEGACY, timeout=120) as process:
        yield process


def export(
    process: PaddleProcess, folder: Path, kind: str, inputs: Shapes, outputs: dict[str, str],
    declared: Shapes | None = None, **attributes: Any,
) -> list[torch.Tensor]:  # fmt: skip
    """Save the program; returns what was fed."""
    random = np.random.default_rng(3)
    arrays = [random.random(shape, np.float32) for shape in inputs.values()]
    for slot, array in zip(inputs, arrays, strict=True):
        np.save(folder / f"in_{slot}.npy", array)
    process.ask(
        "export", kind=kind, inputs=declared or inputs, outputs=outputs, attributes=attributes,
        folder=str(folder),
    )  # fmt: skip
    return [torch.from_numpy(array) for array in arrays]


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "attributes"),
    [
        ("nearest_interp", IMAGE, {"Out": "float32"}, {"scale": 2.0, "align_corners": False}),
        ("nearest_interp", IMAGE, {"Out": "float32"}, {"scale": 3.0, "align_corners": True}),
        ("bilinear_interp", IMAGE, {"Out": "float32"}, {"scale": 2.0, "align_corners": False}),
        ("bilinear_interp", IMAGE, {"Out": "float32"},
         {"out_h": 7, "out_w": 4, "align_corners": False, "align_mode": 0}),
        ("bilinear_interp", IMAGE, {"Out": "float32"}, {"out_h": 9, "out_w": 11}),
        ("flatten2", IMAGE, FLAT, {"axis": 0}),
        ("flatten2", IMAGE, FLAT, {"axis": 1}),
        ("flatten2", IMAGE, FLAT, {"axis": 2}),
        ("flatten2", IMAGE, FLAT, {"axis": 4}),
        ("top_k", {"X": (3, 5)}, {"Out": "float32", "Indices": "int64"}, {"k": 2}),
        ("expand", {"X": (3, 5)}, {"Out": "float32"}, {"expand_times": [2, 3]}),
        ("crop", {"X": (2, 4, 6)}, {"Out": "float32"},
         {"offsets": [0, 1, 2], "shape": [2, 2, 3]}),
        ("crop", {"X": (4, 6), "Y": (2, 3)}, {"Out": "float32"}, {"offsets": [0, 1]}),
        ("multiclass_nms", {"BBoxes": (1, 12, 4), "Scores": (1, 3, 12)}, {"Out": "float32"},
         {"background_label": -1, "score_threshold": 0.1, "nms_top_k": 20, "nms_threshold": 0.4,
          "keep_top_k": 9}),
    ],
)  # fmt: skip
def test_older_operator(
    kind: str, inputs: Shapes, outputs: dict[str, str], attributes: dict[str, Any],
    older: PaddleProcess, tmp_path: Path,
) -> None:  # fmt: skip
    feed = export(older, tmp_path, kind, inputs, outputs, **attributes)
    with wb.load(tmp_path) as migration:
        found = migration.convert()(*feed)
    found = found if isinstance(found, tuple) else (found,)
    for number, tensor in enumerate(found):
        expected = torch.from_numpy(np.load(tmp_path / f"out_{number}.npy"))
        torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-6)


def test_what_has_no_exact_follower_is_named(older: PaddleProcess, tmp_path: Path) -> None:
    """The old operator takes coordinates from the sizes, the new one from the scale."""
    export(older, tmp_path, "nearest_interp", IMAGE, {"Out": "float32"}, scale=1.5)
    with pytest.raises(ModelFileError, match="nearest_interp of an older Paddle"):
        wb.load(tmp_path)
