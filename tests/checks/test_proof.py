"""What was compared with nothing that could show an error is not proven, and never passed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.oracle.case import Case, case, f32
from tests.oracle.check import run_paddle
from tests.small_programs import ProgramMaker
from workbench.app.cli import FAILED, NOT_PROVEN, OK, main
from workbench.checks.results.checks import Check, LayerCheck, OutputCheck, Run
from workbench.checks.results.proof import REASONS
from workbench.checks.results.verification import Verification
from workbench.checks.values.fixed import fixed_values
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

GOOD = Check("exact")
NOTHING = Check("unchecked")


def _layer(check: Check = GOOD, **more: object) -> LayerCheck:
    return LayerCheck("fc", ("pd_op.relu",), "F.relu", (2,), "float32", check, check, **more)  # type: ignore[arg-type]


def _output(check: Check = GOOD, **more: object) -> OutputCheck:
    return OutputCheck("y", (2,), "float32", check, **more)  # type: ignore[arg-type]


def _found(*runs: tuple[LayerCheck, OutputCheck]) -> Verification:
    return Verification(tuple(Run(("x [2]",), (layer,), (end,)) for layer, end in runs))


@pytest.mark.parametrize(
    ("layer", "end", "reason"),
    [
        (_layer(), _output(NOTHING), "not_run"),
        (_layer(), _output(health=("constant",)), "constant"),
        (_layer(), _output(health=("NaN",)), "NaN"),
        (_layer(), _output(health=("empty",)), "empty"),
        (_layer(), _output(Check("unchecked", problem="equal scores")), "unjudged"),
        (_layer(), _output(NOTHING, traits=("random",)), "random"),
        (_layer(NOTHING, traits=("mistaken",)), _output(), "mistaken"),
        (_layer(NOTHING, ran=False), _output(), "not_run"),
        (_layer(health=("vanishing scale 1e-12",)), _output(), "vanishing"),
    ],
)
def test_each_gap_has_its_reason(layer: LayerCheck, end: OutputCheck, reason: str) -> None:
    found = _found((layer, end))
    assert found.outcome == "not proven"
    assert not found.passed
    assert not found.failed
    assert [one.reason for one in found.unproven] == [reason]
    assert REASONS[reason][0] in found.summary
    assert found.first_mismatch is None


def test_another_run_or_a_probe_proves() -> None:
    poor = _layer(health=("constant",)), _output(health=("constant",))
    assert _found(poor, (_layer(), _output())).passed
    assert _found((_layer(NOTHING, ran=False, probe=GOOD), _output())).passed


def test_what_has_no_values_of_its_own_is_proven_by_the_outputs() -> None:
    assert _found((_layer(NOTHING), _output())).passed
    assert len(_found((_layer(NOTHING), _output(NOTHING))).unproven) == 2


def test_a_layer_that_draws_is_told() -> None:
    found = _found((_layer(NOTHING, traits=("random",)), _output()))
    assert found.passed
    assert "1 of them not compared, since they draw random numbers" in found.summary
    assert not _found((_layer(NOTHING, traits=("random",)), _output(NOTHING))).passed


def test_what_differs_has_failed_whatever_else_is_not_proven() -> None:
    found = _found((_layer(Check("wrong", problem="shape")), _output(NOTHING)))
    assert found.outcome == "failed"
    assert Verification(()).outcome == "not proven"


def test_a_constant_of_the_program_is_no_gap() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    zeros = make.op("pd_op.full_like", {"x": x, "value": None}, (-1, 4))
    one = make.op("pd_op.full", {}, (4,), value=1.0, dtype="float32")
    fixed = fixed_values(make.mapping(make.relu(zeros), make.relu(one), make.relu(x)))
    assert {zeros, one} <= fixed
    assert len(fixed) == 4


#: Program, batch, outcome, what the summary says.
PROGRAMS: dict[str, tuple[Case, tuple[int, ...], str, str]] = {
    "plain": (case("exp", "paddle.exp(x)", x=f32("B", 4)), (2, 4), "passed", "1 of 1 outputs"),
    "a shape": (
        case("shape64", "paddle.shape(x), paddle.exp(x)", x=f32("B", 4)), (2, 4), "passed", "2 of 2"
    ),
    "integers": (case("argmax", "x.argmax(-1)", x=f32("B", 4)), (2, 4), "passed", ""),
    "booleans": (case("greater_than", "x > 0", x=f32("B", 4)), (2, 4), "passed", ""),
    "masked logits": (
        case("where", "paddle.where(x > 0, x, paddle.full_like(x, -float('inf')))", x=f32("B", 4)),
        (2, 4), "passed", "",
    ),
    "random": (
        case("uniform", "paddle.uniform([2, 3]) + x.sum()", x=f32("B", 4)), (2, 4), "passed",
        "1 of them not compared, since they draw random numbers",
    ),
    "drawn": (
        case("uniform", "paddle.uniform([2, 3]), x * 2", x=f32("B", 4)), (2, 4), "not proven",
        "it draws random numbers",
    ),
    "dead": (
        case("multiply", "F.relu(x - 99) * 2 + 1", x=f32("B", 4)), (2, 4), "not proven",
        "output 1: its reference is one number throughout, give real inputs",
    ),
    "NaN": (case("log", "paddle.log(x - 9)", x=f32("B", 4)), (2, 4), "not proven", "holds NaN"),
    "an empty batch": (case("exp", "paddle.exp(x)", x=f32(0, 4)), (0, 4), "not proven", "empty"),
    "nothing found": (
        case("nonzero", "paddle.nonzero(x > 99)", x=f32("B", 4)), (2, 4), "not proven",
        "nothing was found, give a real picture",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path) -> None:
    one, shape, outcome, told = PROGRAMS[name]
    run_paddle(one, oracle, tmp_path)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    found = migration.verify([x])
    assert found.outcome == outcome, found.summary
    assert told in found.summary


def test_a_layer_behind_a_dead_relu_is_proven_by_a_probe(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    one = case("sigmoid", "x + F.sigmoid(F.relu(x - 99))", x=f32("B", 4))
    run_paddle(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    x = [np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)]
    found = migration.verify([x])
    assert found.passed, found.summary
    migration.mapping = migration.mapping.edit("sigmoid", target="F.hardsigmoid")
    found = migration.verify([x])
    assert found.failed
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == "sigmoid"


@pytest.mark.parametrize(("scale", "code"), [(1.0, OK), (0.0, NOT_PROVEN)])
def test_the_exit_code_says_that_nothing_was_proven(
    scale: float,
    code: int,
    oracle: PaddleProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_paddle(case("exp", "F.relu(x) * 2", x=f32(2, 4)), oracle, tmp_path)
    np.savez(tmp_path / "x.npz", x=np.full((2, 4), -1, np.float32) + 2 * scale * np.eye(2, 4))
    given = [str(tmp_path), "--inputs", str(tmp_path / "x.npz")]
    assert main(["verify", *given]) == code
    assert ("not proven" in capsys.readouterr().out) == (code == NOT_PROVEN)
    assert main(["migrate", *given, "--out", str(tmp_path / "out")]) == code
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert ('class="verdict unproven"' in page) == (code == NOT_PROVEN)
    text = (tmp_path / "out" / "manifest.json").read_text("utf-8")
    assert ('"outcome": "not proven"' in text) == (code == NOT_PROVEN)


def test_a_fault_wins_over_what_is_not_proven(oracle: PaddleProcess, tmp_path: Path) -> None:
    run_paddle(case("exp", "F.relu(x - 99), paddle.exp(x)", x=f32(2, 4)), oracle, tmp_path)
    edits = "format: 1\nrows:\n  exp: {target: torch.expm1}\n"
    (tmp_path / "mapping.yaml").write_text(edits)
    np.savez(tmp_path / "x.npz", x=np.ones((2, 4), np.float32))
    given = [str(tmp_path), "--inputs", str(tmp_path / "x.npz")]
    assert main(["verify", *given, "--mapping", str(tmp_path / "mapping.yaml")]) == FAILED
