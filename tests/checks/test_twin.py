"""Rules that are wrong by what float32 cannot see, and programs widened in every dtype."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, case, f16, f32, i64
from tests.oracle.check import run_paddle
from workbench.app.migration import Migration
from workbench.core.calls import Call, Dtype, Layer
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.runtime import PaddleRuntime

Change = Callable[[Any], Any]


def _setting(**changed: Any) -> Change:
    """A rule that gives other settings."""

    def change(made: Call | Layer) -> Call | Layer:
        if isinstance(made, Layer):
            return replace(made, arguments={**made.arguments, **changed})
        return replace(made, kwargs={**made.kwargs, **changed})

    return change


def _rounded(dtype: str, back: str = "") -> Change:
    """A rule that leaves a layer in half precision."""

    def change(made: Call | Layer) -> Any:
        half = replace(made, args=(Call(".to", (made.args[0], Dtype(dtype))), *made.args[1:]))
        return Call(".to", (half, Dtype(back or "float32")))

    return change


def _scaled(factor: float) -> Change:
    return lambda made: Call("operator.mul", (made, factor))


NORM = case("layer_norm", "F.layer_norm(x, [8], epsilon=1e-5)", x=f32("B", 8))
#: Faults in rules that a float32 comparison does not see, with the operator whose rule is wrong.
FAULTS: dict[str, tuple[Case, str, Change]] = {
    "epsilon off by a thousandth": (NORM, "layer_norm", _setting(eps=1.001e-5)),
    "slope off by a millionth": (
        case("leaky_relu", "F.leaky_relu(x, 0.1)", x=f32("B", 8)), "leaky_relu",
        _setting(negative_slope=0.1000001),
    ),
    "ReLU in bfloat16": (
        case("relu", "F.relu(x) * 2", x=f32("B", 8)), "relu", _rounded("bfloat16"),
    ),
    "a layer in float16": (
        case("tanh", "paddle.tanh(x)", x=f32("B", 8)), "tanh", _rounded("float16"),
    ),
    "scores beside a mask": (
        case("add", "paddle.nn.functional.softmax((x @ y) * 0.5 + m)", x=f32(4, 8), y=f32(8, 6),
             m=f32(4, 6), setup="m = paddle.where(m > 0, paddle.zeros_like(m), "
             "paddle.full_like(m, -1e9))"),
        "matmul", _scaled(1.000001),
    ),
}  # fmt: skip


def wrong_rule(migration: Migration, name: str, change: Change) -> None:
    """Make the rule for an operator wrong in this migration."""
    original = DEFAULT.find(f"pd_op.{name}")
    assert original is not None

    function = original.function

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        return replace(made, call=change(made.call)) if hasattr(made, "call") else change(made)

    migration.rules.rule(f"pd_op.{name}")(wrapped)
    migration._make_anew()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_rule_is_found_in_its_row(
    fault: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    built, name, change = FAULTS[fault]
    run_paddle(built, oracle, tmp_path)
    inputs = list(built.arrays(0).values())
    migration = wb.load(tmp_path)
    migration._runtime = worker
    assert migration.verify(inputs).passed
    wrong_rule(migration, name, change)
    found = migration.verify(inputs)
    assert not found.passed
    assert [layer.ops for layer in found.root_causes] == [(f"pd_op.{name}",)], found.summary


PROGRAMS = {
    "float16": case("float16", "x.reshape([-1]) * 3", x=f16("B", 4), rtol=1e-2),
    "half inside": case(
        "cast", "(x.astype('float16') * 3).astype('float32') + x", x=f32("B", 4), rtol=1e-2
    ),
    "constants": case(
        "full", "x + paddle.full([4], 0.1) * paddle.arange(0, 4, dtype='float32') + paddle.eye(4)",
        x=f32(4, 4),
    ),
    "a loop": case(
        "while", "y", x=f32(2, 3), n=i64(1, low=2, high=4),
        setup="y = x\nk = paddle.zeros([1], 'int64')\nwhile k < n:\n"
        "    y = F.tanh(y) * 1.1\n    k = k + 1",
    ),
    "an operator without a float64 kernel": case(
        "fake_quantize_dequantize_abs_max",
        "paddle.tanh(paddle._C_ops.fake_quantize_dequantize_abs_max(x, 8, 1)[0] * 2)", x=f32(4, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_every_dtype_pass_in_float64(
    name: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    run_paddle(PROGRAMS[name], oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    found = migration.verify(list(PROGRAMS[name].arrays(0).values()))
    assert found.passed, found.summary
    reference = migration.references[0]
    assert reference.wide is not None, found.notes
    kept = [layer.ops[0] for layer in found.layers if layer.coarse]
    quantised = any("fake_quantize" in op for op in kept)
    assert quantised == ("kernel" in name)
    assert quantised or not kept or name == "half inside"  # computed another way in half precision
    wide = [d for d in reference.wide.dtypes.values() if d.startswith(("float", "bfloat"))]
    assert wide.count("float64") >= len(wide) - 1


def test_edits_are_widened_as_they_stand(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    run_paddle(NORM, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    (row,) = (row for row in migration.mapping if row.layer or row.call)
    migration.mapping = migration.mapping.edit(row.path, arguments={"eps": 1e-5})
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    assert migration.verify([x]).passed  # Paddle holds 9.99999974e-06
    migration.mapping = migration.mapping.edit(row.path, arguments={"eps": 1.01e-5})
    assert not migration.verify([x]).passed


def test_the_outputs_are_those_that_the_file_fetches(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    run_paddle(case("exp", "paddle.exp(x), paddle.tanh(x)", x=f32("B", 4)), oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    assert migration.verify([x]).passed
    block = migration.program.block
    program = migration.program.with_block(replace(block, results=block.results[::-1]))
    migration.program = program
    migration.mapping = replace(migration.mapping, program=program)
    found = migration.verify([x])
    assert not found.passed
    assert all("is another value" in output.check.problem for output in found.outputs)
    assert torch.is_grad_enabled()
