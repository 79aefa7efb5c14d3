"""The report of models that are unusually small: one row, any rank, any dtype, nothing computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, boolean, c64, case, f16, f32, f64, i64, values
from tests.oracle.check import run_paddle
from tests.report.page import Page
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

LINEAR = "nn.Linear(4, 3)"
CASES = {
    "a number": case("", "x.sum()", x=f32("B", 3)),
    "a vector": case("", "x.sum(1)", x=f32("B", 3)),
    "a vector of one": case("", "x + 1", x=f32(1)),
    "a vector in float64": case("", "x * 2", x=f64("B")),
    "half precision": case("", "x * 2", x=f16("B")),
    "complex": case("", "x * 2", x=c64("B")),
    "nothing in it": case("", "x * 2", x=values(np.zeros((0, 3)))),
    "an empty vector": case("", "x[2:]", x=values(np.zeros(2))),
    "an empty input of a layer": case("", "m(x)", x=values(np.zeros((0, 4))), m=LINEAR),
    "integers only": case("", "x + x", x=i64("B", 3)),
    "bool only": case("", "paddle.logical_not(x)", x=boolean("B", 3)),
    "a layer on a vector": case("", "m(x)", x=f32(4), m=LINEAR),
    "a bare parameter": case("", "m.weight * 1, x + 1", x=f32("B"), m=LINEAR),
    "nothing but a parameter": case("", "m.weight, x", x=f32("B"), m=LINEAR),
    "an input handed through": case("", "x", x=f32("B", 3)),
    "not a number": case("", "paddle.log(x - 9)", x=f32("B")),
    "a branch": case("", "y", x=f32("B"), setup="if x.sum() > 0:\n    y = x\nelse:\n    y = -x"),
}


def loaded(one: Case, oracle: PaddleProcess, worker: PaddleRuntime, folder: Path) -> wb.Migration:
    run_paddle(one, oracle, folder)
    migration = wb.load(folder)
    migration._runtime = worker
    return migration


@pytest.mark.parametrize("name", CASES)
def test_report_of_a_very_small_model(
    name: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    one = CASES[name]
    migration = loaded(one, oracle, worker, tmp_path)
    migration.verify([list(one.arrays(run).values()) for run in range(one.runs)])
    for lang in ("en", "zh"):
        Page(migration.report(tmp_path / "report.html", lang).read_text("utf-8"))
    for row in migration.mapping.walk():  # the same page must be possible for any row at fault
        _put_at_fault(migration, row.path)
        Page(migration.report(tmp_path / "report.html").read_text("utf-8"))


def _put_at_fault(migration: wb.Migration, path: str) -> None:
    """As if the module had been changed at this row."""
    found = migration.verification
    assert found is not None
    runs = [
        replace(
            run,
            layers=tuple(
                replace(layer, changed="was changed" if layer.path == path else "")
                for layer in run.layers
            ),
        )
        for run in found.runs
    ]
    migration.verification = replace(found, runs=tuple(runs))


def test_a_bare_parameter_that_was_changed(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    migration = loaded(CASES["a bare parameter"], oracle, worker, tmp_path)
    (row,) = (row for row in migration.mapping.walk() if row.is_parameter)
    with torch.no_grad():
        migration.convert().get_parameter(row.path).add_(1)
    found = migration.verify()
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == row.path
    page = migration.report(tmp_path / "report.html").read_text("utf-8")
    assert row.path in page
