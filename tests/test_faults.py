"""The fault bench on one sample: every fault with an effect is found and put in its layer."""

from __future__ import annotations

from pathlib import Path

import pytest

import workbench as wb
from benchmarks.fault_kinds import module_faults, row_faults
from benchmarks.faults import Figures, Study, chosen

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["transformer_encoder", "legacy_classifier"])
def test_every_planted_fault_is_found_in_its_layer(name: str, data: Path) -> None:
    figures = Figures()
    with wb.load(data / name) as migration:
        study = Study(migration, data / name, figures)
        assert study.good.passed
        for fault in chosen(module_faults(study.module), 1):
            study.module_fault(fault)
        for row_fault in chosen(row_faults(study.mapping.rows), 1):
            study.row_fault(row_fault)
    count = figures.counts
    assert count["module effect"] > 15
    assert count["row effect"] > 5
    for level in ("module", "row"):
        assert count[f"{level} effect detected"] == count[f"{level} effect"], figures.missed
        assert count[f"{level} effect blamed"] == count[f"{level} effect"], figures.missed
    assert count["module hidden detected"] == count["module hidden"]
    assert count["whole equal"] == count["whole compared"] > 0
    assert count["row mended"] >= 0.9 * count["row diagnosed"]
