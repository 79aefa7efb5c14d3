"""Inputs that reveal what plain samples hide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.oracle.case import case, f32
from tests.oracle.check import run_paddle
from tests.small_programs import ProgramMaker
from workbench.checks.layers import verify
from workbench.checks.values import revealing_inputs as revealing
from workbench.checks.values.revealing_inputs import Sample, revealing_inputs
from workbench.core.errors import PaddleProcessError
from workbench.core.mapping import Mapping
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime


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
def test_a_thorough_verification_passes_and_sees_more(data: Path, worker: PaddleRuntime) -> None:
    migration = wb.load(data / "legacy_classifier")
    migration._runtime = worker
    found = migration.verify(thorough=True)
    assert found.passed, found.summary
    assert {"second size", "large values", "many equal values"} <= {run.told for run in found.runs}
    scales = {run.told: run.layers[0].alone.error for run in found.runs}
    large, plain = scales["large values"], scales[""]
    assert large is not None
    assert plain is not None
    assert large.scale > 10 * plain.scale


def test_only_the_inputs_of_the_person_must_fit(oracle: PaddleProcess, tmp_path: Path) -> None:
    one = case("matmul", "paddle.matmul(x, y)", x=f32("B", "N"), y=f32("N", 3))
    run_paddle(one, oracle, tmp_path)
    random = np.random.default_rng(0)
    given = [random.normal(size=size).astype(np.float32) for size in ((2, 7), (7, 3))]
    square = np.ones((2, 5), np.float32), np.ones((4, 3), np.float32)
    with wb.load(tmp_path) as migration:
        unfit = [Sample("", list(square)), Sample("another", list(square))]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(revealing, "revealing_inputs", lambda *_, **__: unfit)
            found = migration.verify(given, thorough=True)
            assert found.passed
            assert [run.told for run in found.runs] == ["given", "another size"]
            assert sum("does not take" in note for note in found.notes) == 2
            with pytest.raises(PaddleProcessError):
                migration.verify(thorough=True)


def test_a_second_size_that_the_model_cannot_take_is_left_out(
    oracle: PaddleProcess, tmp_path: Path
) -> None:
    one = case("matmul", "paddle.matmul(x, y)", x=f32("B", "N"), y=f32("N", 3))
    run_paddle(one, oracle, tmp_path)
    fit, unfit = (
        [np.ones(size, np.float32) for size in sizes]
        for sizes in (((2, 7), (7, 3)), ((2, 5), (4, 3)))
    )
    with wb.load(tmp_path) as migration, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            revealing, "plain_inputs", lambda *_, **__: [Sample("", fit), Sample("", unfit)]
        )
        found = migration.verify()
        assert len(found.runs) == 1
        assert any("does not take sample inputs [2, 5], [4, 3]" in note for note in found.notes)


def test_runs_for_which_the_disk_has_no_room_are_left_out(
    data: Path, worker: PaddleRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = wb.load(data / "digits_classifier")
    migration._runtime = worker
    monkeypatch.setattr(verify, "_free", lambda: 1_000_000)
    found = migration.verify()
    assert found.passed
    assert len(found.runs) == 1
    assert any("Set TMPDIR" in note and "0.0 GB left" in note for note in found.notes)


def test_torch_is_not_blamed_for_refusing_an_empty_tensor(
    oracle: PaddleProcess, tmp_path: Path
) -> None:
    one = case("conv1d", "conv(x)", x=f32(2, 3, "W"), conv="nn.Conv1D(3, 4, 1)")
    run_paddle(one, oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        found = migration.verify([np.zeros((2, 3, 0), np.float32)])
        assert found.outcome == "not proven"
        assert any("empty tensor" in layer.alone.problem for layer in found.layers)


def test_half_precision_that_a_cpu_lacks_is_not_blamed_on_the_inputs() -> None:
    """Paddle's answer stands for any operator without a float16 kernel."""
    value = Value(1, (-1, 4), "float16", "x")
    made = Value(2, (-1, 4), "float16")
    op = Op("pd_op.tanh", {"x": value}, {"out": made}, {}, "1")
    program = Program(Block((), (op,), (made,)), (value,), (made,), {})
    error = PaddleProcessError("Paddle failed on 'run': no kernel")
    told = verify._refused(Mapping(program, ()), error, "sample inputs [2, 4]")
    assert "float16" in told.message
    assert "float32" in told.hint
    wide = replace(program, block=Block((), (), (value,)), outputs=(value,))
    assert "sample inputs do not suit" in verify._refused(Mapping(wide, ()), error, "").hint
