"""A real sample with a fault planted in one layer: the report must name it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import workbench as wb
from tests.report.page import Page

pytestmark = pytest.mark.slow


def test_report_of_a_real_model_with_a_planted_fault(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        module = migration.convert()
        layers = [row.path for row in migration.mapping if row.target == "nn.Conv2d"]
        faulty = layers[len(layers) // 2]
        with torch.no_grad():
            module.get_submodule(faulty).weight[0] *= -1
        migration.verify()
        path = migration.report(tmp_path / "report.html")
    first = Page(path.read_text("utf-8")).text.partition("What this rests on")[0]
    assert "✕ Failed" in first
    assert f"First layer at fault{faulty}" in "".join(first.split("\n"))
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert found["verdict"]["failed_alone"] == [faulty]
    assert found["source"]["files"][0]["name"] == "inference.json"
    assert found["environment"]["paddle"]
