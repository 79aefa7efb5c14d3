"""Small networks of our own, one per family: converted with no hand edit, every layer within
rounding on inputs of two sizes, the generated source equal to the module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.core.errors import PaddleProcessError
from workbench.export.bundle_check import check_bundle
from workbench.sources.paddle.client.process import PaddleProcess

#: Network → for each input: declared shape, shapes of two runs; a float shape has float32 values.
NETWORKS: dict[str, list[tuple[list[int], list[Any], str]]] = {
    "Detector": [
        ([-1, 3, -1, -1], [(1, 3, 64, 64), (2, 3, 48, 80)], "float32"),
        ([-1, 2], [(1, 2), (2, 2)], "positive"),
    ],
    "WindowAttention": [([-1, 3, -1, -1], [(2, 3, 64, 80), (1, 3, 52, 44)], "float32")],
    "Decoder": [
        ([-1, -1], [(2, 5), (1, 3)], "tokens"),
        ([], [4, 7], "int64"),
    ],
    "Translator": [
        ([-1, -1, 8], [(2, 7, 8), (3, 9, 8)], "float32"),
        ([-1], [[7, 4], [9, 1, 5]], "int64"),
    ],
    "Frames": [([-1, -1, 8], [(2, 5, 8), (1, 7, 8)], "float32")],
    "Branches": [([-1, 3, -1, -1], [(2, 3, 32, 40), (1, 3, 33, 31)], "float32")],
    "Forecast": [([-1, -1, 4], [(2, 24, 4), (3, 31, 4)], "float32")],
    "Segmenter": [([-1, 3, -1, -1], [(1, 3, 40, 56), (2, 3, 64, 96)], "float32")],
    "Generator": [([-1, 12], [(2, 12), (3, 12)], "float32")],
    "Video": [([-1, 3, -1, 32, 32], [(1, 3, 4, 32, 32), (2, 3, 6, 32, 32)], "float32")],
}


def _values(given: Any, kind: str, random: np.random.Generator) -> np.ndarray:
    if kind == "int64":
        return np.array(given, np.int64)
    if kind == "tokens":
        return random.integers(0, 40, given)
    if kind == "positive":
        return random.uniform(0.5, 2.0, given).astype(np.float32)
    return random.normal(size=given).astype(kind)


@pytest.mark.parametrize("name", NETWORKS)
def test_architecture(name: str, oracle: PaddleProcess, tmp_path: Path) -> None:
    dtypes = {"tokens": "int64", "positive": "float32"}
    specs = [[shape, dtypes.get(kind, kind)] for shape, _, kind in NETWORKS[name]]
    request = {"name": name, "specs": specs, "folder": str(tmp_path)}
    try:
        oracle.ask("export_architecture", **request)
    except PaddleProcessError:  # Paddle's tracer crashes now and then
        oracle.close()
        oracle.ask("export_architecture", **request)
    random = np.random.default_rng(5)
    runs = [
        [_values(given[run], kind, random) for _, given, kind in NETWORKS[name]] for run in (0, 1)
    ]
    with wb.load(tmp_path) as migration:
        assert migration.mapping.unsupported == ()
        found = migration.verify(runs)
        assert found.passed, found.summary
        assert all(output.health == () for output in found.outputs)
        made = migration.export(tmp_path / "out")  # runs the source and compares, bit for bit
    assert made.verified
    checked = check_bundle(made.folder)
    assert checked.passed, checked.problems
