"""Sections of the report beyond the layers: shown when run, escaped, in the JSON too."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.page import Page
from tests.report.samples import HOSTILE, Migrated, check, model, verified
from workbench.checks.results.checks import Check, Finding
from workbench.checks.results.gradients import GradientCheck, GradientParity
from workbench.checks.results.training import Course, StatisticsCheck, TrainingParity
from workbench.checks.tasks.task import Disagreement, TaskParity
from workbench.report.parity_fragments import (
    comparison_html,
    gradients_html,
    task_html,
    training_html,
)
from workbench.report.report import write_report


@dataclass
class Full(Migrated):
    """A migration of which everything was run."""

    gradient_parity: Any = None
    task_parity: Any = None
    training_parity: Any = None
    comparison: Any = None
    timings: tuple[str, ...] = field(default=())


def _gradients(names: tuple[str, ...], faulty: int = -1) -> GradientParity:
    checks = [
        GradientCheck(
            name, ("parameter", "input", "value")[number % 3], (name,), (8, 8),
            check(0.5 if number == faulty else 3e-7), check(0.5 if number == faulty else 4e-7),
        )
        for number, name in enumerate(names)
    ]  # fmt: skip
    return GradientParity(("x [2, 8]",), 0, tuple(checks), (names[0],), 1.0)


def _full(names: tuple[str, ...]) -> Full:
    mapping = model(names)
    before = verified(mapping)
    now = verified(mapping, {2: 0.5})
    finding = Finding(names[2], f"cause {names[0]}", 0.5, 1e-7, 1e-6, {"eps": names[1]})
    now = replace(now, diagnosis=(finding,))
    different = Disagreement(names[0], names[1], names[2])
    task = TaskParity(
        names[0],
        0.9,
        0.89,
        0.99,
        100,
        (0.945, 0.998),
        (different,),
        names[1],
        (),
        names[2],
        ((names[0], names[3]),),
    )
    course = Course(
        names[0],
        (("lr", 0.1),),
        (1.0, 0.5),
        (1.0, 0.6),
        (1e-6, 1e-6),
        0.2,
        (StatisticsCheck(names[2], names[3], check(0.1), 0.1, 1.5),),
    )
    training = TrainingParity((names[1],), (course,), (names[2],))
    return Full(
        mapping, now, training_parity=training, gradient_parity=_gradients(names, 1),
        task_parity=task,
        comparison=now.compare(before), timings=(f"torch {names[0]}",),
    )  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_sections_are_shown_and_escaped(lang: str, tmp_path: Path) -> None:
    path = write_report(_full(HOSTILE), tmp_path / "report.html", lang)  # type: ignore[arg-type]
    page = Page(path.read_text("utf-8"))
    ids = {value for name, value in page.attributes if name == "id"}
    assert {"gradients", "training", "task", "comparison", "benchmark", "coverage"} <= ids
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "img" not in page.tags
    assert len(page.scripts) == 1
    told = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert told["gradients"]["differing"] == 1
    assert told["task"]["same"] == 99
    assert told["comparison"]["counts"]["worse"] >= 1
    assert told["diagnosis"][0]["command"].startswith("m.mapping")


def test_cause_stands_on_the_first_screen(tmp_path: Path) -> None:
    names = tuple(f"block.{number}" for number in range(6))
    path = write_report(_full(names), tmp_path / "report.html")  # type: ignore[arg-type]
    first = Page(path.read_text("utf-8")).text.partition("What this rests on")[0]
    assert "Cause: cause block.0" in first
    assert "m.mapping.edit('block.2', eps='block.1')" in first


def test_what_was_not_run_is_not_shown(tmp_path: Path) -> None:
    mapping = model(["a", "b", "c"])
    path = write_report(Migrated(mapping, verified(mapping)), tmp_path / "report.html")  # type: ignore[arg-type]
    page = Page(path.read_text("utf-8"))
    ids = {value for name, value in page.attributes if name == "id"}
    assert not {"gradients", "training", "task", "comparison", "benchmark"} & ids


def test_gradients_that_differ_alone_come_first() -> None:
    names = tuple(f"p{number}" for number in range(40))
    found = _gradients(names, 30)
    travelled = replace(found.checks[3], chain=Check("wrong", check(0.1).error, 1e-6))
    found = replace(found, checks=(*found.checks[:3], travelled, *found.checks[4:]))
    assert found.first_mismatch is not None
    assert found.first_mismatch.name == "p30"
    assert not found.passed


def test_notebook_forms_are_escaped() -> None:
    full = _full(HOSTILE)
    for text in (
        gradients_html(full.gradient_parity),
        task_html(full.task_parity),
        training_html(full.training_parity),
        comparison_html(full.comparison),
    ):
        page = Page(text)
        assert not {"script", "img", "svg"} & page.tags
        assert not [name for name, _ in page.attributes if name.startswith("on")]
