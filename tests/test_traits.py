"""What the checks must know of a row is data of its rule: no words of a note switch a check off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import workbench as wb
from tests.small_programs import ProgramMaker, classifier
from workbench.conversion.context import Context, call
from workbench.core.calls import Trait
from workbench.core.mapping import Mapping
from workbench.editing.replacing import Replacement, replace_scopes

NOTES = ("random", "random: not comparable", "Paddle's own mistake: it adds one")


def drawing() -> Mapping:
    """A leaky ReLU whose slopes are drawn."""
    make = ProgramMaker()
    x = make.input("x", 4, 4)
    drawn = make.op("pd_op.rrelu", {"x": x}, (4, 4), lower=0.1, upper=0.3, is_test=False)
    return make.mapping(make.relu(drawn))


@pytest.mark.parametrize("note", NOTES)
def test_a_note_switches_no_check_off(note: str, tmp_path: Path) -> None:
    edited = classifier().edit("head.fc", note=note)
    assert edited["head.fc"].is_comparable
    again = classifier().apply(edited.save(tmp_path / "mapping.yaml"))
    assert again["head.fc"].notes[-1] == note
    assert again["head.fc"].is_comparable


def test_what_a_rule_declares_stays_whatever_the_notes_say() -> None:
    row = next(row for row in drawing().rows if row.op and row.op.short_name == "rrelu")
    assert row.traits == {Trait.RANDOM}
    assert not row.is_comparable
    assert replace(row, notes=()).is_random
    edited = drawing().edit(row.path, note="compared by hand")
    assert edited[row.path].is_random


def test_a_rule_of_ones_own_declares_its_traits(data: Path) -> None:
    migration = wb.load(data / "digits_classifier")

    @migration.rule("pd_op.relu", "pd_op.hardswish")
    def mine(op: Context, x: object) -> object:
        """As it is."""
        op.mistaken("it takes the root twice")
        return call("F.relu", x)

    rows = [row for row in migration.mapping.walk() if "own mistake" in row.note]
    assert rows
    assert all(row.is_mistaken and not row.is_random for row in rows)


def test_one_module_for_rows_that_draw_draws() -> None:
    make = ProgramMaker()
    x = make.input("x", 4, 4)
    drawn = make.op(
        "pd_op.rrelu", {"x": x}, (4, 4), "/Net/Noise/", lower=0.1, upper=0.3, is_test=False
    )
    mapping = make.mapping(make.linear(drawn, "fc", 4, "/Net/Noise/Linear/"))
    scope = next(row.path for row in mapping.rows if row.is_layer).rpartition(".")[0]
    made = replace_scopes(
        mapping, Replacement(scope, "nn.Linear", {"in_features": 4, "out_features": 4},
                             {"weight": "fc.weight", "bias": "fc.bias"}),
    )  # fmt: skip
    (row,) = [row for row in made.rows if row.target == "nn.Linear"]
    assert row.is_random
