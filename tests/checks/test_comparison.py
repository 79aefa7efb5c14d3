"""Verifications are kept in files and compared: what changed since."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.samples import HOSTILE, check, model, verified, with_health
from workbench.checks.results.checks import Check
from workbench.checks.results.verification import Verification
from workbench.core.errors import InputError

NAMES = [f"block.{number}" for number in range(7)]


def _with(verification: Verification, number: int, alone: Check) -> Verification:
    runs = []
    for run in verification.runs:
        layers = list(run.layers)
        layers[number] = replace(layers[number], alone=alone)
        runs.append(replace(run, layers=tuple(layers)))
    return replace(verification, runs=tuple(runs))


def test_a_saved_verification_is_the_same(tmp_path: Path) -> None:
    found = with_health(verified(model([*NAMES, *HOSTILE]), {2: 0.5}), 1, "constant")
    found = _with(found, 3, Check("wrong", problem="boom", tolerance=math.inf))
    path = found.save(tmp_path / "deep" / "v.json")
    again = Verification.load(path)
    assert replace(again, runs=()) == replace(found, runs=())
    assert [layer.alone for layer in again.layers] == [layer.alone for layer in found.layers]
    assert again.compare(found).changes == ()
    json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)


def test_what_changed_is_told() -> None:
    mapping = model(NAMES)
    before = verified(mapping)
    now = _with(_with(before, 2, check(0.3)), 4, check(0.0))
    before = _with(before, 4, check(4e-6))
    found = now.compare(before)
    assert [(c.path, c.kind, c.place) for c in found.changes] == [
        ("block.2", "worse", "alone"),
        ("block.4", "better", "alone"),
    ]
    assert found.regressed
    assert found.same == len(NAMES) - 2
    assert found.summary.startswith("1 worse, 1 better; 5 as before.")
    assert list(found.frame()["path"]) == ["block.2", "block.4"]
    assert "block.2" in found._repr_html_()
    assert not before.compare(before).regressed


def test_layers_come_and_go() -> None:
    found = verified(model([*NAMES[:3], "other"])).compare(verified(model(NAMES[:4])))
    kinds = {change.path: change.kind for change in found.changes if change.place == "alone"}
    assert kinds == {"other": "new", "block.3": "gone"}


def test_noise_between_runs_is_no_change() -> None:
    before = _with(verified(model(NAMES)), 1, check(5e-8))
    assert before.compare(_with(before, 1, check(2e-7))).changes == ()


def test_one_that_is_not_compared_any_more_got_worse() -> None:
    before = verified(model(NAMES))
    (change,) = _with(before, 1, Check("unchecked")).compare(before).changes
    assert (change.path, change.kind) == ("block.1", "worse")


@pytest.mark.parametrize("text", ["", "[]", '{"format": "workbench-verification/9"}',
    '{"format": "workbench-verification/1", "verification": {"runs": [1]}}',
    '{"format": "workbench-verification/1"}'])  # fmt: skip
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(InputError):
        Verification.load(path)
    with pytest.raises(InputError):
        Verification.load(tmp_path / "none.json")
