"""The module as it will run: measured by Paddle's own rounding, excused where it agrees alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from tests.oracle.case import Case, case, f32
from workbench.app.migration import Migration
from workbench.checks.layers.as_run import DECIDED

#: Twenty layers that pass errors on, and then what is left of two nearly equal numbers.
CANCELS = (
    "for _ in range(20):\n    x = paddle.tanh(x) * 1.1 + x.mean(-1, keepdim=True) * 0.1\n"
    "x = (x * 3.0 - x * 2.9999) - x * 0.0001 + x.sin() * 1e-7"
)

Open = Callable[[Case], Migration]


def test_rounding_that_a_layer_enlarges_is_paddles_own_too(opened: Open) -> None:
    migration = opened(case("chain", "x", x=f32("B", 64), setup=CANCELS))
    x = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
    found = migration.verify([x])
    assert found.passed, found.summary
    output = found.outputs[0].check
    assert output.error is not None
    assert output.error.relative > 1e-3
    assert max(layer.alone.error.relative for layer in found.layers if layer.alone.error) < 1e-9


def test_a_fault_travels_down_the_chain_and_accuses_its_own_layer(opened: Open) -> None:
    setup = "x = paddle.tanh(x)\nfor _ in range(3):\n    x = x * 1.1 + 0.2"
    migration = opened(case("chain", "x", x=f32("B", 8), setup=setup))
    row = next(row for row in migration.mapping if row.target == "torch.tanh")
    migration.mapping = migration.mapping.edit(row.path, target="torch.sin")
    found = migration.verify([np.linspace(-1, 1, 8, dtype=np.float32)[None]])
    assert [layer.path for layer in found.root_causes] == [row.path]
    last = found.layers[-1]
    assert last.chain.failed
    assert not last.alone.failed
    assert found.outputs[0].check.failed
    assert torch.is_grad_enabled()


def test_a_decision_at_the_border_is_excused_and_what_follows_is_checked(opened: Open) -> None:
    """Half of the comparisons fall on the other side in the real dtype, as rounding has it."""
    setup = "m = x.mean(-1, keepdim=True)\nm = m - m.mean()\nk = (m * 1e8).floor()\ny = k * 2 + 1"
    migration = opened(case("floor", "y, paddle.exp(x)", x=f32("B", 512), setup=setup))
    x = np.random.default_rng(1).uniform(0.1, 1, (64, 512)).astype(np.float32)
    found = migration.verify([x])
    assert found.passed, found.summary
    floor = next(layer for layer in found.layers if layer.ops == ("pd_op.floor",))
    assert floor.alone.verdict in ("exact", "rounding")
    assert floor.chain.problem in ("", DECIDED)
    after = next(layer for layer in found.layers if layer.ops == ("pd_op.exp",))
    assert after.chain.verdict in ("exact", "rounding")


def test_nan_where_paddle_has_a_number_is_wrong(opened: Open) -> None:
    migration = opened(case("abs", "paddle.sqrt(paddle.abs(x)) + 1", x=f32("B", 4)))
    row = next(row for row in migration.mapping if row.ops == ("pd_op.abs",))
    x = np.array([[1, 2, -3, 4]], np.float32)
    assert migration.verify([x]).passed
    migration.mapping = migration.mapping.edit(row.path, target="torch.clone")
    found = migration.verify([x])
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == row.path
    assert "NaN where Paddle has a number" in found.outputs[0].check.problem
