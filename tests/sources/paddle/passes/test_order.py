"""The order of passes follows from what they require and ensure, and what they promise holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workbench.conversion.passes import COMMON_SHAPE, Pass, State, run_in_order, unmet
from workbench.core.errors import ModelFileError
from workbench.core.program import Block, Program
from workbench.core.values import LIST
from workbench.sources.paddle.load import load_program
from workbench.sources.paddle.passes import PASSES, run_passes


def test_every_requirement_is_met_before() -> None:
    assert unmet(PASSES) == []


def test_another_order_or_a_pass_too_few_is_told() -> None:
    late = tuple(reversed(PASSES))
    assert any(line.startswith("shape_arithmetic: ") for line in unmet(late))
    left_out = tuple(one for one in PASSES if one.name != "control")
    assert unmet(left_out) == [f"{late}: {State.TIDY_CONTROL}" for late in ("traits", "the end")]
    assert len(unmet([])) == len(COMMON_SHAPE)


def test_a_pass_that_fails_is_named() -> None:
    def stumbles(program: Program) -> Program:
        raise KeyError("x")

    with pytest.raises(ModelFileError, match="stumbles failed on it"):
        run_in_order([Pass(stumbles)], Program(Block((), (), ()), (), (), {}))


def _samples(data: Path) -> list[Path]:
    return sorted(path.parent for path in data.glob("*/inference.json"))


def test_what_is_ensured_holds_for_the_samples(data: Path) -> None:
    found = _samples(data)
    assert len(found) >= 3
    for folder in found:
        program = run_passes(load_program(folder).program)
        made = [value for op in program.walk() for value in op.outputs.values()]
        assert len(made) == len(set(made)), f"{folder.name}: a value is made twice"
        lists = [op.name for op in program.walk() if any(v.dtype == LIST for v in op.operands)]
        assert lists == [], f"{folder.name}: lists are left"
        again = run_passes(replace(program))
        assert len(again.ops) == len(program.ops), f"{folder.name}: a second time changes nothing"
