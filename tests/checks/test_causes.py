"""Causes of structure: what was left out, added, mixed up in a layer, or returned in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.checks.test_twin import wrong_rule
from tests.oracle.case import Case, case, f32
from workbench.app.migration import Migration
from workbench.checks.diagnosis import diagnose_all
from workbench.checks.diagnosis.confusions import confusions
from workbench.conversion.book import RuleBook
from workbench.core.arguments import calls_in
from workbench.core.calls import Call, Dtype, Layer
from workbench.editing.calls import main_call, swap

Open = Callable[[Case], Migration]
Change = Callable[[Any], Any]


def _first(made: Call | Layer) -> Any:
    return Call(".clone", (made.args[0],))


def _twice(made: Call | Layer) -> Any:
    return Call("operator.add", (made, made.args[1]))


def _half(made: Call | Layer) -> Any:
    cast = Call(".to", (made.args[0], Dtype("bfloat16")))
    return Call(".to", (replace(made, args=(cast, *made.args[1:])), Dtype("float32")))


def _inner(made: Call | Layer) -> Any:
    """The value inside, returned as it is."""
    found = made
    while isinstance(found, (Call, Layer)):
        found = next(arg for arg in found.args if not isinstance(arg, (int, float)))
    return Call(".clone", (found,))


def _add_at(made: Call | Layer) -> Any:
    return swap(made, main_call(made), replace(main_call(made), target=".index_copy"))


def _other_item(made: Call | Layer) -> Any:
    return Call("operator.getitem", (made.args[0], (slice(None), 1)))


def _mode(made: Call | Layer) -> Any:
    return replace(made, kwargs={**made.kwargs, "mode": "bilinear"})


def _no_state(made: Call | Layer) -> Any:
    layer = next(part for part in calls_in(made) if isinstance(part, Layer))
    return swap(made, layer, replace(layer, args=layer.args[:1]))


def _relu_gates(made: Call | Layer) -> Any:
    layer = next(part for part in calls_in(made) if isinstance(part, Layer))
    arguments = {**layer.arguments, "nonlinearity": "relu"}
    return swap(made, layer, replace(layer, arguments=arguments))


def _late(made: Call | Layer) -> Any:
    """Wrong from the fifth column on."""
    tail = Call("operator.getitem", (made, (Ellipsis, slice(4, None))))
    head = Call("operator.getitem", (made, (Ellipsis, slice(0, 4))))
    return Call("torch.cat", ([head, tail * 1.5],), {"dim": -1})


CAUSES: dict[str, tuple[Case, str, Change, str]] = {
    "an operand dropped": (
        case("add", "paddle.tanh(x) + y", x=f32("B", 8), y=f32("B", 8)), "add", _first,
        "nothing is done here|was dropped",
    ),
    "an operand twice": (
        case("add", "paddle.tanh(x) + y", x=f32("B", 8), y=f32("B", 8)), "add", _twice,
        "added once too often",
    ),
    "left out": (case("softmax", "F.softmax(x)", x=f32("B", 8)), "softmax", _first,
                 "nothing is done here"),
    "bfloat16": (case("tanh", "paddle.tanh(x)", x=f32("B", 8)), "tanh", _half, "bfloat16"),
    "some columns": (case("tanh", "paddle.tanh(x)", x=f32("B", 8)), "tanh", _late,
                     "indices from 4 on"),
    "polarity": (case("scale", "1 - paddle.tanh(x)", x=f32("B", 8)), "scale", _inner,
                 "Paddle gives 1 - x"),
    "added in place of overwritten": (
        case("index_add", "paddle.index_add(x, paddle.to_tensor([0, 2]), 1, y)", x=f32(3, 5),
             y=f32(3, 2)), "index_add", _add_at, ".index_copy in place of .index_add",
    ),
    "another item": (case("slice", "paddle.tanh(x)[:, 0]", x=f32("B", 8)), "slice", _other_item,
                     "Paddle acts as with (:, 0)"),
    "mode of a resize": (
        case("nearest_interp", "F.interpolate(x, size=[5, 5])", x=f32("B", 2, 8, 8)),
        "nearest_interp", _mode, "bilinear here, Paddle acts as with nearest",
    ),
    "start state": (
        case("rnn", "l(x, (y, y))[0]", x=f32("B", 5, 6), y=f32(1, "B", 6), l="nn.LSTM(6, 6)"),
        "rnn", _no_state, "the start state",
    ),
    "activation of the gates": (
        case("rnn", "l(x)[0]", x=f32("B", 5, 6), l="nn.SimpleRNN(6, 6)"), "rnn", _relu_gates,
        "relu here, Paddle acts as with tanh",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", CAUSES)
def test_a_wrong_rule_has_a_cause(fault: str, opened: Open) -> None:
    exported, name, change, told = CAUSES[fault]
    migration = opened(exported)
    wrong_rule(migration, name, change)
    found = migration.verify(list(exported.arrays(0).values()))
    assert [name in " ".join(layer.ops) for layer in found.root_causes] == [True]
    causes = _causes(migration)
    assert any(part in causes for part in told.split("|")), causes


LSTM = case(
    "rnn", "l(x)[0]", x=f32("B", 5, 6),
    l="nn.LSTM(6, 6, direction='bidirect')",
)  # fmt: skip


def _causes(migration: Migration) -> str:
    """The causes, as if nobody knew what the rule should be: the rule itself is wrong."""
    found = migration.verification
    assert found is not None
    given = migration.mapping, found, migration.references, migration.convert()
    return " ".join(finding.cause for finding in diagnose_all(*given, rules=RuleBook()))


def _directions(made: Any) -> Any:
    """Forward weights run backwards."""
    layer = next(part for part in calls_in(made) if isinstance(part, Layer))
    weights = dict(layer.weights)
    for key in [key for key in weights if key.endswith("_reverse")]:
        plain = key.removesuffix("_reverse")
        weights[key], weights[plain] = weights[plain], weights[key]
    return swap(made, layer, replace(layer, weights=weights))


def test_directions_of_a_recurrent_layer(opened: Open) -> None:
    migration = opened(LSTM)
    wrong_rule(migration, "rnn", _directions)
    found = migration.verify(list(LSTM.arrays(0).values()))
    assert found.failed
    assert "directions are swapped" in _causes(migration)


def test_outputs_in_another_order_are_told(opened: Open) -> None:
    migration = opened(case("exp", "paddle.exp(x), paddle.tanh(x)", x=f32("B", 4)))
    block = migration.program.block
    migration.program = migration.program.with_block(replace(block, results=block.results[::-1]))
    migration.mapping = replace(migration.mapping, program=migration.program)
    found = migration.verify([np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)])
    assert found.failed
    assert "another order" in found.diagnosis[0].cause


def test_nothing_is_tried_where_native_code_does_not_look(opened: Open) -> None:
    """Torchvision's deformable convolution reads beyond its offsets when a setting does not fit."""
    built = case(
        "deformable_conv", "paddle.vision.ops.deform_conv2d(x, y, w, stride=1, padding=1)",
        x=f32(1, 2, 6, 6), y=f32(1, 18, 6, 6), w=f32(3, 2, 3, 3),
    )  # fmt: skip
    migration = opened(built)
    row = next(row for row in migration.mapping if row.ops == ("pd_op.deformable_conv",))
    assert list(confusions(migration.mapping, row)) == []
    wrong_rule(migration, "deformable_conv", lambda made: Call("operator.mul", (made, 1.5)))
    found = migration.verify(list(built.arrays(0).values()))
    assert [layer.path for layer in found.root_causes] == [row.path]
    assert "the number 1.5 here, Paddle acts as with 1" in _causes(migration)
