"""Inputs that reveal what plain samples hide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.small_programs import ProgramMaker
from workbench.paddle_side.process import PaddleProcess
from workbench.program import Program
from workbench.revealing import revealing_inputs


def _vision() -> Program:
    make = ProgramMaker()
    return make.program(make.relu(make.conv(make.input("image", -1, 3, -1, -1), "c", 4)))


def _tokens() -> Program:
    make = ProgramMaker()
    ids = make.input("input_ids", -1, -1, dtype="int64")
    table = make.parameter("table", 50, 8)
    return make.program(make.op("pd_op.embedding", {"x": ids, "weight": table}, (-1, -1, 8)))


def test_images() -> None:
    found = {sample.told: sample.arrays[0] for sample in revealing_inputs(_vision(), nan=True)}
    assert {"", "second size", "odd sizes", "another seed"} < set(found)
    assert found["second size"].shape != found[""].shape
    assert found["odd sizes"].shape[0] == 3
    assert np.abs(found["large values"]).max() > 100
    assert (found["mostly negative values"] < 0).mean() > 0.8
    assert len(np.unique(found["many equal values"])) < 50
    assert np.isnan(found["with NaN"]).sum() == 1
    assert not any(np.isnan(array).any() for told, array in found.items() if told != "with NaN")
    assert all(array.dtype == np.float32 for array in found.values())


def test_tokens() -> None:
    found = {sample.told: sample.arrays[0] for sample in revealing_inputs(_tokens())}
    assert not found["padded"][:, 8:].any()
    assert set(np.unique(found["ends of the vocabulary"])) == {0, 1, 48, 49}
    assert all(array.min() >= 0 and array.max() < 50 for array in found.values())


@pytest.mark.slow
def test_a_thorough_verification_passes_and_sees_more(data: Path, worker: PaddleProcess) -> None:
    migration = wb.load(data / "legacy_classifier")
    migration._process = worker
    found = migration.verify(thorough=True)
    assert found.passed, found.summary
    assert {"second size", "large values", "many equal values"} <= {run.told for run in found.runs}
    scales = {run.told: run.layers[0].alone.error for run in found.runs}
    large, plain = scales["large values"], scales[""]
    assert large is not None
    assert plain is not None
    assert large.scale > 10 * plain.scale
