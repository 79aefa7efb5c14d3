"""Training parity: the losses of a few steps agree, faults of the backward pass show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.checks.test_gradients import _exported
from tests.oracle.case import case, f32
from workbench.checks.results.training import Course, TrainingParity
from workbench.core.errors import InputError
from workbench.sources.paddle.client.predict import predict
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.client.reference import record
from workbench.sources.paddle.runtime import PaddleRuntime


def test_losses_agree_and_warnings_tell_what_differs(data: Path, worker: PaddleRuntime) -> None:
    migration = wb.load(data / "digits_classifier")
    migration._runtime = worker
    samples = np.load(data / "digits_classifier" / "samples.npz")["in_0"][:4]
    module = migration.convert()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    found = migration.training([samples], steps=3)
    assert all((before[key] == now).all() for key, now in module.state_dict().items())
    with pytest.raises(InputError, match="no optimiser 'Adagrad'"):
        migration.training([samples], ["Adagrad"])
    assert found.passed, found.summary
    assert [course.optimiser for course in found.courses] == ["SGD", "Momentum", "AdamW"]
    for course in found.courses:
        assert len(course.torch) == 4
        assert course.torch[3] < course.torch[0]
        assert course.updates < 1e-3
        assert all(
            bound < 1e-3 * loss for bound, loss in zip(course.tolerance, course.torch, strict=True)
        )
    assert any("biased variance" in warning for warning in found.warnings)
    assert any("nn.Dropout" in warning for warning in found.warnings)
    assert len(found.frame()) == 12
    assert "Momentum" in found._repr_html_()


def _course(**changes: object) -> Course:
    plain = Course("SGD", (("learning_rate", 0.1),), (1.0, 0.5), (1.0, 0.5), (1e-6, 1e-6), 1e-7)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("losses", "passed"),
    [((1.0, 0.5), True), ((1.0, 0.5000005), True), ((1.0, 0.51), False),
     ((1.0, float("nan")), False), ((1.0, float("inf")), False)],
)  # fmt: skip
def test_verdict(losses: tuple[float, ...], passed: bool) -> None:
    found = TrainingParity(("x [1]",), (_course(torch=losses),))
    assert found.passed is passed
    assert found.summary.startswith("passed" if passed else "failed")
    assert not TrainingParity((), ()).passed


NOISY = "fc(x + paddle.randn([4, 6]) * paddle.uniform([6], 'float32', 0.5, 1.5))"


def test_random_numbers_are_the_same_in_every_run(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    one = case("any", NOISY, x=f32(4, 6), fc="nn.Linear(6, 6)")
    _exported(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    inputs = list(one.arrays(0).values())
    (first,), (second,) = predict(worker, migration.program, [inputs, inputs])
    output = migration.program.outputs[0]
    assert (first == second).all()
    assert (first == record(worker, migration.program, inputs, [output]).array(output)).all()
    assert migration.gradients(inputs).passed
    found = migration.training(inputs, steps=2)
    assert found.passed, found.summary
    assert found.courses[0].torch[2] < found.courses[0].torch[0]


def test_dropout_that_is_on_is_refused(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    one = case("any", "F.dropout(fc(x), 0.3)", x=f32(4, 6), fc="nn.Linear(6, 6)")
    _exported(one, oracle, tmp_path)
    document = json.loads((tmp_path / "inference.json").read_text())
    for op in document["program"]["regions"][0]["blocks"][0]["ops"]:
        for attribute in op["A"] if op["#"] == "1.dropout" else ():
            if attribute["N"] == "is_test":
                attribute["AT"]["D"] = False
    (tmp_path / "inference.json").write_text(json.dumps(document))
    migration = wb.load(tmp_path)
    migration._runtime = worker
    with pytest.raises(InputError, match="drops values at random"):
        migration.training(list(one.arrays(0).values()))


def test_losses_over_many_elements_agree(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    """A sum of 400,000 squares in float32 would differ by more than the steps do."""
    one = case("any", "x * act._weight + 1", x=f32(20, 20000), act="nn.PReLU()")
    _exported(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    found = migration.training(list(one.arrays(0).values()), ["SGD"], 2)
    assert found.passed, found.summary
    assert found.courses[0].tolerance[0] < 1e-4 * found.courses[0].torch[0]
