"""What the checks must know of a row is data of its rule: no words of a note switch a check off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import workbench as wb
from tests.small_programs import ProgramMaker, classifier
from workbench.conversion.book import RuleBook
from workbench.conversion.context import Context, call
from workbench.core.mapping import Mapping
from workbench.core.program import Block
from workbench.core.traits import Role, Trait
from workbench.editing.replacing import Replacement, replace_scopes
from workbench.sources.paddle.passes.traits import traits

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


def test_an_op_carries_what_its_rule_states() -> None:
    make = ProgramMaker()
    x = make.input("x", 4, 4)
    make.op("pd_op.relu_", {"x": x}, (4, 4))
    program = make.program(make.op("pd_op.topk", {"x": x}, (4, 4)))
    relu, topk = program.ops
    assert relu.traits == {Trait.ELEMENTWISE, Trait.BOUNDED, Trait.IN_PLACE}
    assert Trait.DISTINCT_POSITIONS in topk.traits
    assert traits(program) is program  # nothing is built anew
    bare = replace(topk, traits=frozenset())
    outer = replace(relu, merged=(bare,), blocks=(Block((), (bare,), ()),))
    again = traits(replace(program, block=replace(program.block, ops=(outer,)))).ops[0]
    assert again.merged[0].traits == again.blocks[0].ops[0].traits == topk.traits


def test_what_passes_make_carries_traits_too(data: Path) -> None:
    program = wb.load(data / "digits_classifier").program
    assert all(op.traits for op in program.walk() if op.name == "workbench.linear")
    assert all(Trait.CONVOLUTION in op.traits for op in program.walk() if "conv" in op.name)


def test_a_rule_of_ones_own_keeps_the_traits_of_ours_unless_it_states_others() -> None:
    base = RuleBook()
    base.state("pd_op.a", "pd_op.b", traits=(Trait.LINEAR,), roles={Role.TABLE: "x"})
    book = RuleBook(base)
    book.rule("pd_op.a")(lambda op: call("torch.relu"))
    book.rule("pd_op.b", traits=(Trait.DECIDES,))(lambda op: call("torch.relu"))
    assert book.traits_of("pd_op.a_") == {Trait.LINEAR}
    assert book.nature("pd_op.a").roles == {Role.TABLE: "x"}
    assert book.own_nature("pd_op.a") is None
    assert book.traits_of("pd_op.b") == {Trait.DECIDES}
    assert not book.states("pd_op.c")


def test_what_a_rule_of_ones_own_states_is_of_its_rows(data: Path) -> None:
    migration = wb.load(data / "digits_classifier")

    @migration.rule("pd_op.hardswish", "pd_op.relu", traits=(Trait.RANDOM,))
    def mine(op: Context, x: object) -> object:
        """As it is."""
        return call("F.relu", x)

    rows = [row for row in migration.mapping.walk() if row.status == "custom"]
    assert rows
    assert all(row.is_random and not row.has(Trait.ELEMENTWISE) for row in rows)


def test_a_row_has_the_traits_of_the_ops_that_it_stands_for() -> None:
    row = next(row for row in classifier().rows if row.path == "head.fc")
    assert row.has(Trait.LINEAR)
    assert row.is_only(Trait.LINEAR)
    assert not row.has(Trait.DECIDES)
    assert row.op is not None
    plain = replace(row.op, traits=frozenset())
    mixed = replace(row, op=replace(row.op, merged=(row.op, plain)))
    assert mixed.has(Trait.LINEAR)
    assert not mixed.is_only(Trait.LINEAR)
    assert not replace(row, op=None).is_only(Trait.LINEAR)
