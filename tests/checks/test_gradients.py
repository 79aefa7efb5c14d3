"""Gradient parity: correct conversions agree, what changes the backward pass only is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.oracle.case import Case, case, f32, i64
from workbench.app.migration import Migration
from workbench.checks.gradients.pieces import undo
from workbench.core.calls import Weight
from workbench.core.errors import InputError
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime


def _loaded(folder: Path, worker: PaddleRuntime) -> Migration:
    migration = wb.load(folder)
    migration._runtime = worker
    return migration


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_classifier", "crnn_recognizer"])
def test_samples_agree(name: str, data: Path, worker: PaddleRuntime) -> None:
    migration = _loaded(data / name, worker)
    samples = np.load(data / name / "samples.npz")["in_0"][:4]
    found = migration.gradients([samples])
    trainable = sum(p.requires_grad for p in migration.convert().parameters())
    assert found.passed, found.summary
    assert {check.chain.verdict for check in found.checks} <= {"exact", "rounding"}
    assert [check.shape for check in found.of("input")] == [samples.shape]
    assert len(found.of("parameter")) >= trainable // 2
    frame = found.frame()
    assert (frame["chain_max_abs"] <= frame["chain_tolerance"]).all()
    assert "within rounding" in found._repr_html_()


class _Halved(torch.autograd.Function):
    """The identity forward, half the gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0] * 0.5


def test_a_fault_of_the_backward_pass_is_blamed_on_its_layer(
    data: Path, worker: PaddleRuntime
) -> None:
    migration = _loaded(data / "digits_classifier", worker)
    module = migration.convert()
    relu = next(
        node for node in module.graph.nodes
        if node.op == "call_module" and isinstance(module.get_submodule(node.target), nn.ReLU)
    )  # fmt: skip
    layer = module.get_submodule(relu.target)
    layer.register_forward_hook(lambda _, inputs, output: _Halved.apply(output))
    samples = np.load(data / "digits_classifier" / "samples.npz")["in_0"][:2]
    assert not any(layer.alone.failed for layer in migration.verify([samples]).layers)
    found = migration.gradients([samples])
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.paths == (str(relu.meta["row"]),)
    assert [check.paths for check in found.checks if check.failed] == [(relu.meta["row"],)]
    assert relu.meta["row"] in found.summary


def _exported(one: Case, oracle: PaddleProcess, folder: Path) -> None:
    for run in range(2):
        np.savez(folder / f"feed{run}.npz", **one.arrays(run))
    request = {
        "expression": one.expression, "layers": one.layers, "setup": one.setup,
        "inputs": {name: [spec.declared, spec.dtype] for name, spec in one.inputs.items()},
        "grad": False, "runs": 1, "scale": one.scale,
    }  # fmt: skip
    oracle.ask("export", case=request, folder=str(folder))


LINEAR = {"fc": "nn.Linear(6, 6)"}


@pytest.mark.parametrize(
    ("expression", "layers", "notes"),
    [
        ("F.leaky_relu(F.relu(fc(x)))", LINEAR, ()),
        ("paddle.clip(F.relu(fc(x)), 0.0, 1.0)", LINEAR, ()),
        ("paddle.fft.fft(fc(x)).abs() + paddle.fft.rfft(fc(x), 10).real()", LINEAR, ()),
        ("fc(x) * paddle.full([6], 0.3) + paddle.linspace(0, 1, 6)[:6]", LINEAR, ()),
        ("gru(x.reshape([-1, 2, 6]))[0]", {"gru": "nn.GRU(6, 5, 2, direction='bidirect')"}, ()),
        ("paddle.matmul(emb(x.astype('int64').abs()), emb.weight, transpose_y=True)",
         {"emb": "nn.Embedding(9, 6, padding_idx=0)"}, ("drift apart",)),
    ],
    ids=["kink", "bound", "fft", "created", "gru", "tied"],
)  # fmt: skip
def test_layers_agree(
    expression: str, layers: dict[str, str], notes: tuple[str, ...],
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime,
) -> None:  # fmt: skip
    one = case("any", expression, x=f32("B", 6), **layers)
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    found = migration.gradients(list(one.arrays(0).values()))
    assert found.passed, found.summary
    assert len(found.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, found.notes, strict=True))


def test_what_paddle_detaches_is_detached(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    one = case("any", "fc(x).detach() * 2 + fc(x)", x=f32("B", 6), **LINEAR)
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    found = migration.gradients(list(one.arrays(0).values()))
    assert any(row.target == ".detach" for row in migration.mapping.rows)
    assert found.passed, found.summary
    assert not found.notes
    assert migration.training(list(one.arrays(0).values()), ["SGD"], 2).passed


def test_a_gradient_of_paddle_that_is_no_derivative_is_told(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    """Cross entropy's softmax output has no gradient in Paddle, though it passes one on."""
    text = "F.softmax_with_cross_entropy(fc(x), y, return_softmax=True)"
    one = case("any", text, x=f32("B", 6), y=i64("B", 1, low=0, high=6), **LINEAR)
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    found = migration.gradients(list(one.arrays(0).values()))
    assert found.passed, found.summary
    assert "not the derivative" in found.notes[0]
    assert "through cross_entropy" in found.notes[0]
    assert "not the derivative" in found.of("value")[0].alone.problem


def test_errors_in_words(oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime) -> None:
    one = case("any", "paddle.argmax(x, axis=1)", x=f32("B", 6))
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    with pytest.raises(InputError, match="no float output"):
        migration.gradients(list(one.arrays(0).values()))
    loop = case("any", "x", x=f32("B", 6), setup=LOOP, **LINEAR)
    _exported(loop, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    for check in (migration.gradients, migration.training):
        with pytest.raises(InputError, match=r"no gradient for pd_op\.while"):
            check(list(loop.arrays(0).values()))


LOOP = "i = paddle.zeros([1], 'int32')\nwhile i < 3:\n    x = paddle.tanh(fc(x))\n    i = i + 1"
NMS = "paddle.vision.ops.matrix_nms({}.reshape([1, -1, 4]), {}, 0.01, 0.01, 10, 5)[0]"


@pytest.mark.parametrize(
    ("expression", "layers", "barrier"),
    [
        (NMS.format("fc(x)", "F.softmax(fc_2(x).reshape([1, 3, -1]), 1)"),
         {"fc": "nn.Linear(6, 4)", "fc_2": "nn.Linear(6, 3)"}, "matrix_nms"),
        ("fc_2(y)", {"fc": "nn.Linear(6, 6)", "fc_2": "nn.Linear(6, 6)"}, "while"),
        ("fc_2(paddle.stack(a))", {"fc": "nn.Linear(6, 6)", "fc_2": "nn.Linear(6, 6)"}, "while"),
    ],
    ids=["nms", "loop", "array"],
)  # fmt: skip
def test_what_has_no_gradient_ends_the_comparison_there(
    expression: str, layers: dict[str, str], barrier: str,
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime,
) -> None:  # fmt: skip
    setup = "y = fc(x)\n" + LOOP.replace("fc(x)", "y").replace("x = ", "y = ")
    if "stack" in expression:
        setup = "y = fc(x)\na = []\nfor i in range(x.shape[0]):\n    a.append(y[i] * 2)"
    shape = f32("B" if "stack" in expression else 8, 6)
    one = case("any", expression, x=shape, setup=setup if barrier == "while" else "", **layers)
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    arrays = list(one.arrays(0).values())
    found = migration.gradients(arrays)
    assert found.passed, found.summary
    assert f"no gradient for pd_op.{barrier}" in found.notes[0]
    assert {check.alone.verdict for check in found.of("parameter")} <= {"exact", "rounding"}
    assert len(found.of("parameter")) == 4
    trained = migration.training(arrays, ["SGD"], 2)
    assert trained.passed, trained.summary
    assert any(f"pd_op.{barrier}" in warning for warning in trained.warnings)


def test_a_sum_of_many_terms_may_round_as_paddle_adds_them(
    oracle: PaddleProcess, tmp_path: Path, worker: PaddleRuntime
) -> None:
    """One gradient adds 200,000 products; a float32 and a float64 run of torch hide its noise."""
    one = case("any", "x * act._weight", x=f32(20, 10000), act="nn.PReLU()")
    _exported(one, oracle, tmp_path)
    migration = _loaded(tmp_path, worker)
    found = migration.gradients(list(one.arrays(0).values()))
    assert found.passed, found.summary
    (check,) = found.of("parameter")
    assert check.alone.error is not None
    assert check.alone.error.max_abs > 0
    assert check.alone.tolerance < 1e-3 * check.alone.error.scale


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.transposed(),
        lambda w: w.sliced(0, 1, 3).permuted(1, 0),
        lambda w: w.reshaped(2, 10).transposed(),
    ],
)
def test_steps_are_undone_as_their_transpose(change: Callable[[Weight], Weight]) -> None:
    """The sum of gradient · step(direction) equals the sum of undo(gradient) · direction."""
    random = np.random.default_rng(0)
    weight = change(Weight("w", (4, 5), "float32"))
    direction, gradient = random.normal(size=(4, 5)), random.normal(size=weight.final_shape)
    back = undo(weight, torch.from_numpy(gradient)).numpy()
    assert (back * direction).sum() == pytest.approx((gradient * weight.apply(direction)).sum())
