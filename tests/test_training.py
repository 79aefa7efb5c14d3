"""Training parity: the losses of a few steps agree, faults of the backward pass show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.errors import InputError
from workbench.paddle_side.process import PaddleProcess
from workbench.training import Course, TrainingParity


def test_losses_agree_and_warnings_tell_what_differs(data: Path, worker: PaddleProcess) -> None:
    migration = wb.load(data / "digits_classifier")
    migration._process = worker
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
