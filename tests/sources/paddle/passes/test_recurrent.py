"""Transposes around a recurrent layer and zero states fold into it."""

from __future__ import annotations

from tests.small_programs import ProgramMaker, mapped
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value
from workbench.sources.paddle.passes.recurrent import recurrent


def gru(make: ProgramMaker, x: Value, state: Value) -> Value:
    """A GRU on time-major input."""
    weights = tuple(
        make.parameter(name, *shape)
        for name, shape in (("w_0", (12, 3)), ("w_1", (12, 4)), ("b_0", (12,)), ("b_1", (12,)))
    )
    inputs = {"x": x, "pre_state": (state,), "weight_list": weights}
    out = make.op("pd_op.rnn", inputs, (*x.shape[:2], 4), mode="GRU", input_size=3, hidden_size=4,
                  num_layers=1, is_bidirec=False, is_test=True)  # fmt: skip
    return out


def swapped(make: ProgramMaker, x: Value) -> Value:
    """Batch and time exchanged."""
    shape = (x.shape[1], x.shape[0], x.shape[2])
    return make.op("pd_op.transpose", {"x": x}, shape, perm=(1, 0, 2))


def arguments(program: Program) -> tuple[dict[str, object], int]:
    """Arguments of the layer, and how many values it is called with."""
    (row,) = [row for row in mapped(recurrent(program)).rows if row.target == "nn.GRU"]
    assert row.layer is not None
    return row.arguments, len(row.layer.args)


def test_batch_first() -> None:
    """Transposes on both sides, and a state of zeros."""
    make = ProgramMaker()
    x = make.input("x", -1, -1, 3)
    zeros = make.op("pd_op.full", {}, (1, -1, 4), value=0.0)
    out = swapped(make, gru(make, swapped(make, x), zeros))
    found, operands = arguments(make.program(out))
    assert (found["batch_first"], operands) == (True, 1)


def test_time_major() -> None:
    """Without transposes, with a state that is an input."""
    make = ProgramMaker()
    x, state = make.input("x", -1, -1, 3), make.input("state", 1, -1, 4)
    found, operands = arguments(make.program(gru(make, x, state)))
    assert (found["batch_first"], operands) == (False, 2)


def test_both_layouts_used() -> None:
    """The time-major output is read too: nothing folds."""
    make = ProgramMaker()
    x, state = make.input("x", -1, -1, 3), make.input("state", 1, -1, 4)
    inner = gru(make, swapped(make, x), state)
    found, _ = arguments(make.program(swapped(make, inner), inner))
    assert found["batch_first"] is False


def test_inside_a_block() -> None:
    """Every block is rewritten."""
    make = ProgramMaker()
    x, flag = make.input("x", -1, -1, 3), make.input("flag", 1, dtype="bool")
    zeros = make.op("pd_op.full", {}, (1, -1, 4), value=0.0)
    outer, blocks = make.ops, []
    for _ in range(2):
        make.ops = []
        out = swapped(make, gru(make, swapped(make, x), zeros))
        blocks.append(Block((), tuple(make.ops), (out,)))
    result = make.value((-1, -1, 4))
    make.ops = [
        *outer,
        Op("pd_op.if", {"cond": flag}, {"out": result}, {}, "9", blocks=tuple(blocks)),
    ]
    found = [op for op in recurrent(make.program(result)).walk() if op.name == "pd_op.rnn"]
    assert [op.attributes.get("batch_first") for op in found] == [True, True]
