"""Probes: faults that no activation shows, and rows inside branches and loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, case, f32, i64, values
from workbench.checks.probes import probed
from workbench.checks.probes.record import Prober
from workbench.checks.results.checks import VERDICTS, LayerCheck
from workbench.checks.results.verification import Verification
from workbench.core.calls import Call
from workbench.core.errors import PaddleProcessError
from workbench.core.mapping import Row
from workbench.report.coverage import coverage
from workbench.sources.paddle.client.process import PaddleProcess

Open = Callable[[Case], wb.Migration]

LOOP = case(
    "while", "y", x=f32(2, 4, low=0.1, high=1.0), fc="nn.Linear(4, 4)", n=values([3], "int64"),
    setup=(
        "i = paddle.zeros([1], 'int64')\ny = x\n"
        "while i < n:\n    y = F.leaky_relu(fc(y), 0.2) * 0.5\n    i = i + 1"
    ),
)  # fmt: skip
BRANCH = case(
    "if", "y", x=f32(2, 4, low=0.1, high=1.0),
    setup=(
        "if x.sum() > 0:\n    y = F.relu6(x) * 2\n"
        "else:\n    y = F.hardtanh(x - 1, -0.5, 0.5) + 3"
    ),
)  # fmt: skip
#: No input of the model makes the clip reach its bounds.
BOUND = case("clip", "paddle.clip(F.sigmoid(x) * 2, -3.0, 5.0) + 1", x=f32("B", 6))


def _inputs(exported: Case) -> list[np.ndarray]:
    return list(exported.arrays(0).values())


def _row(migration: wb.Migration, op: str) -> Row:
    return next(row for row in migration.mapping.walk() if op in row.ops)


def _layer(found: Verification, path: str) -> LayerCheck:
    return next(layer for layer in found.layers if layer.path == path)


def _probed(migration: wb.Migration, inputs: list[np.ndarray]) -> Verification:
    """A plain verification with all rows probed: no other inputs than these help."""
    found = migration.verify([inputs])
    module, references = migration.convert(), migration.references
    return probed(migration.mapping, module, found, references, migration.paddle, True)[0]


def test_a_bound_that_no_activation_reaches_is_found_in_its_row(opened: Open) -> None:
    migration = opened(BOUND)
    right = migration.verify(_inputs(BOUND), thorough=True)
    assert right.passed, right.summary
    row = _row(migration, "pd_op.clip")
    assert _layer(right, row.path).probe.verdict in ("exact", "rounding")
    migration.mapping = migration.mapping.edit(row.path, arguments={"max": 4.0})
    assert migration.verify(_inputs(BOUND)).passed  # nothing shows it
    found = migration.verify(_inputs(BOUND), thorough=True)
    assert not found.passed
    assert [layer.path for layer in found.root_causes] == [row.path]
    assert "on probing inputs" in found.summary
    assert found.diagnosis[0].path == row.path
    assert found.diagnosis[0].how == "tried"
    frame = found.frame().set_index("path")
    assert frame.loc[row.path, "probe_verdict"] == "wrong"
    assert frame.loc[row.path, "alone_verdict"] in ("exact", "rounding")


def _verdicts(layer: LayerCheck) -> tuple[str, str]:
    return layer.alone.verdict, layer.probe.verdict


@pytest.mark.parametrize(
    ("exported", "wrong"),
    [
        (case("leaky_relu", "F.leaky_relu(x, 0.2)", x=f32(3, 5, low=0.5)), {"negative_slope": 0.3}),
        (case("clip", "paddle.clip(x, -3.0, 3.0)", x=f32(3, 5, low=-1, high=1)), {"max": 4.0}),
        (case("pool2d", "F.max_pool2d(x, 3, 1, 1)", x=f32(1, 2, 5, 5, low=0.5)), None),
        (case("elu", "F.elu(x, 0.7)", x=f32(3, 5, low=0.5)), {"alpha": 1.0}),
        (case("gelu", "F.gelu(x, True)", x=f32(3, 5, low=-1e-4, high=1e-4)),
         {"approximate": "none"}),
        (case("hardswish", "F.hardswish(x)", x=f32(3, 5, low=-1, high=1)), None),
    ],
    ids=lambda item: item.ops[0] if isinstance(item, Case) else "",
)  # fmt: skip
def test_settings_that_the_inputs_hide(
    exported: Case, wrong: dict[str, Any] | None, opened: Open
) -> None:
    migration = opened(exported)
    found = _probed(migration, _inputs(exported))
    assert found.passed, found.summary
    row = _row(migration, exported.ops[0])
    assert _layer(found, row.path).probe.verdict in ("exact", "rounding")
    if wrong is None:
        return
    migration.mapping = migration.mapping.edit(row.path, arguments=wrong)
    found = _probed(migration, _inputs(exported))
    assert not _layer(found, row.path).alone.failed
    assert _layer(found, row.path).probe.failed
    assert [layer.path for layer in found.root_causes] == [row.path]


@pytest.mark.parametrize(
    ("exported", "op", "wrong"),
    [
        (LOOP, "pd_op.leaky_relu", {"negative_slope": 0.1}),
        (BRANCH, "pd_op.relu6", None),
        (BRANCH, "pd_op.hardtanh", {"max_val": 0.75}),
    ],
    ids=["loop", "branch that runs", "branch that does not run"],
)
def test_a_fault_inside_a_block_is_found_in_its_row(
    exported: Case, op: str, wrong: dict[str, Any] | None, opened: Open
) -> None:
    inputs = _inputs(exported)
    migration = opened(exported)
    right = migration.verify([inputs] if len(inputs) > 1 else inputs)
    assert right.passed, right.summary
    row = _row(migration, op)
    assert not any(row is outer for outer in migration.mapping.rows)
    inner = [r for r in migration.mapping.walk() if r.path.startswith(row.path.rpartition(".")[0])]
    layers = [_layer(right, r.path) for r in inner if r.op and not r.blocks]
    checked = [VERDICTS[max(map(VERDICTS.index, _verdicts(layer)))] for layer in layers]
    assert set(checked) <= {"exact", "rounding"}
    states = {one.path: one.state for one in coverage(migration.mapping, right)}
    assert states[row.path] == "proven"
    changes = {"target": "F.silu"} if wrong is None else {"arguments": wrong}
    migration.mapping = migration.mapping.edit(row.path, **changes)
    found = migration.verify([inputs] if len(inputs) > 1 else inputs)
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == row.path
    assert [layer.path for layer in found.root_causes] == [row.path]


def test_an_integer_that_no_input_holds(opened: Open) -> None:
    exported = case("equal", "paddle.where(x == 7, y, -y)", x=i64(4, 6, high=3), y=f32(4, 6))
    migration = opened(exported)
    found = _probed(migration, [*_inputs(exported)])
    assert found.passed, found.summary
    row = _row(migration, "pd_op.equal")
    assert _layer(found, row.path).probe.verdict == "exact"
    migration.mapping = migration.mapping.edit(row.path, arguments={"b": 8})
    found = _probed(migration, [*_inputs(exported)])
    assert not _layer(found, row.path).alone.failed
    assert [layer.path for layer in found.root_causes] == [row.path]


def test_large_elementwise_operands_are_cropped_alike(opened: Open) -> None:
    exported = case(
        "where", "paddle.where(x > z, paddle.full([1, 90, 80], -9.0), F.relu6(y * z)) + y",
        x=f32(1, 90, 80), y=f32(3, 90, 80), z=f32(90, 1),
    )  # fmt: skip
    migration = opened(exported)
    found = _probed(migration, _inputs(exported))
    assert found.passed, found.summary
    assert not found.notes
    # the constant of `where` has its own size, so that its operands keep theirs
    for name, elements in (("relu6", 3 * 16**2), ("multiply", 3 * 16**2), ("where", 3 * 90 * 80)):
        check = _layer(found, _row(migration, f"pd_op.{name}").path).probe
        assert check.error is not None
        assert check.error.elements == elements


def test_random_rows_are_left_alone(opened: Open) -> None:
    exported = case("uniform", "F.relu6(x + paddle.rand([4, 8]))", x=f32(4, 8))
    migration = opened(exported)
    found = migration.verify(_inputs(exported), thorough=True)
    assert found.passed, found.summary
    assert _layer(found, _row(migration, "pd_op.uniform").path).probe.verdict == "unchecked"
    assert _layer(found, _row(migration, "pd_op.relu6").path).probe.verdict == "exact"


def test_what_paddle_refuses_costs_only_itself(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = case("bce_loss", "F.relu6(F.binary_cross_entropy(x, y, reduction='none') * 9)",
                    x=f32(4, 8, low=0.1, high=0.9), y=f32(4, 8, low=0.0, high=1.0))  # fmt: skip
    migration = opened(exported)
    found = _probed(migration, _inputs(exported))
    assert found.passed, found.summary
    # Paddle's kernel refuses numbers outside [0, 1]: those sets are left out, the rest counts
    assert _layer(found, _row(migration, "pd_op.bce_loss").path).probe.verdict == "rounding"
    assert _layer(found, _row(migration, "pd_op.relu6").path).probe.verdict == "exact"

    ask = PaddleProcess.ask

    def dying(self: PaddleProcess, command: str, **arguments: Any) -> Any:
        if command == "probe" and "bce_loss" in Path(arguments["program"]).read_text():
            self.close()
            raise PaddleProcessError("The Paddle process died.")
        return ask(self, command, **arguments)

    monkeypatch.setattr(PaddleProcess, "ask", dying)
    found = _probed(migration, _inputs(exported))
    assert found.passed
    assert any("1 row could not be probed" in note for note in found.notes)
    assert _layer(found, _row(migration, "pd_op.bce_loss").path).probe.verdict == "unchecked"


def test_an_answer_that_does_not_repeat_accuses_nobody(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = opened(BOUND)
    row = _row(migration, "pd_op.clip")
    migration.mapping = migration.mapping.edit(row.path, arguments={"max": 4.0})
    monkeypatch.setattr(Prober, "repeats", lambda self, recorded: False)
    assert migration.verify(_inputs(BOUND), thorough=True).passed


def test_a_changed_module_is_not_probed(opened: Open) -> None:
    migration = opened(LOOP)
    with torch.no_grad():
        next(migration.convert().parameters()).mul_(1.5)
    found = migration.verify([_inputs(LOOP)])
    assert not found.passed
    assert {layer.probe.verdict for layer in found.layers} == {"unchecked"}


def test_probes_are_kept_in_the_file_and_compared(opened: Open, tmp_path: Path) -> None:
    migration = opened(BOUND)
    right = migration.verify(_inputs(BOUND), thorough=True)
    saved = right.save(tmp_path / "right.json")
    again = Verification.load(saved)
    assert [x.probe for x in again.layers] == [x.probe for x in right.layers]
    row = _row(migration, "pd_op.clip")
    migration.mapping = migration.mapping.edit(row.path, arguments={"max": 4.0})
    migration.verify(_inputs(BOUND), thorough=True)
    changed = migration.compare(saved).of("worse")
    assert row.path in [change.path for change in changed]
    report = migration.report(tmp_path / "report.html").read_text("utf-8")
    assert "on probing inputs" in report
    assert "layers were also run alone in both frameworks" in report
    chinese = migration.report(tmp_path / "zh.html", lang="zh").read_text("utf-8")
    assert "以专门选取的数值单独运行" in chinese


def test_a_rule_that_drops_its_setting_is_found(opened: Open) -> None:
    migration = opened(BOUND)

    @migration.rule("pd_op.clip")
    def clip(op: Any, x: Any, min_: Any = None, max_: Any = None) -> Call:
        """Forgets the upper bound."""
        return Call("torch.clamp", (x,), {"min": -3.0})

    found = migration.verify(_inputs(BOUND), thorough=True)
    assert [layer.path for layer in found.root_causes] == [_row(migration, "pd_op.clip").path]
