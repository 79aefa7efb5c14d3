"""Layers inside branches and loops are compared with Paddle one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.cases.control_flow import CASES
from tests.oracle.case import Case, case, f32
from tests.oracle.check import run_paddle
from workbench.checks.results.checks import LayerCheck
from workbench.checks.results.verification import Verification
from workbench.core.mapping import Mapping, Row, walk_rows
from workbench.sources.paddle.client.process import PaddleProcess

LOOP = """
y = x
i = paddle.zeros([1], 'int64')
while i < 3:
    y = paddle.tanh(fc(y)) * 1.5
    if y.max() > 0.2:
        y = paddle.clip(y, -0.9, 0.9)
    i = i + 1
"""


def _inside(mapping: Mapping) -> list[Row]:
    blocks = [block for row in mapping.rows for block in row.blocks]
    return [row for block in blocks for row in walk_rows(block.rows)]


def _checks(found: Verification, mapping: Mapping) -> dict[str, LayerCheck]:
    inside = {row.path for row in _inside(mapping)}
    return {layer.path: layer for layer in found.layers if layer.path in inside}


@pytest.mark.parametrize("one", CASES[::4], ids=lambda one: one.expression[:40])
def test_right_conversions_pass(one: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    run_paddle(one, oracle, tmp_path)
    feed = np.load(tmp_path / "feed0.npz")
    with wb.load(tmp_path) as migration:
        found = migration.verify([feed[name] for name in one.inputs])
    assert not found.failed, found.summary  # branches that were not taken are not proven


@pytest.fixture
def loop(oracle: PaddleProcess, tmp_path: Path) -> Path:
    """A loop with a layer, and a branch inside it."""
    made = case("while", "y", x=f32(2, 6), setup=LOOP.strip(), fc="nn.Linear(6, 6)")
    run_paddle(made, oracle, tmp_path)
    return tmp_path


def test_every_row_of_a_loop_and_of_a_branch_in_it_is_compared(loop: Path) -> None:
    x = np.load(loop / "feed0.npz")["x"]
    with wb.load(loop) as migration:
        found = migration.verify([x])
        checks = _checks(found, migration.mapping)
        assert found.passed, found.summary
        compared = {path for path, layer in checks.items() if layer.alone.verdict != "unchecked"}
        ops = {op for path in compared for op in checks[path].ops}
        assert {"pd_op.matmul", "pd_op.tanh", "pd_op.clip", "pd_op.if"} <= ops
        # the second run of the body starts from other values than the first
        key = next(key for key, runs in migration.references[0].blocks.items() if len(runs) == 2)
        first, second = migration.references[0].blocks[key]
        shared = [value for value in first.dtypes if value in second.dtypes]
        assert any(
            not np.array_equal(np.load(loop_file(first, v)), np.load(loop_file(second, v)))
            for v in shared
        )


def loop_file(reference: object, value: int) -> Path:
    """File of a value, by its number."""
    return reference.folder / f"v{value}{reference._ending}.npy"  # type: ignore[attr-defined,no-any-return]


def test_a_wrong_setting_in_a_branch_of_a_loop_is_found_in_its_row_and_mended(loop: Path) -> None:
    x = np.load(loop / "feed0.npz")["x"]
    with wb.load(loop) as migration:
        row = next(row for row in _inside(migration.mapping) if row.ops == ("pd_op.clip",))
        migration.mapping = migration.mapping.edit(row.path, arguments={"max": 0.5})
        found = migration.verify([x])
        assert [layer.path for layer in found.root_causes] == [row.path]
        mended = next(finding for finding in found.diagnosis if finding.path == row.path)
        assert mended.edit is not None
        migration.mapping = migration.mapping.edit(row.path, **mended.edit)
        assert migration.verify([x]).passed


def test_a_changed_weight_in_a_loop_is_found_in_its_row(loop: Path) -> None:
    x = np.load(loop / "feed0.npz")["x"]
    with wb.load(loop) as migration:
        row = next(row for row in _inside(migration.mapping) if row.weights)
        module = migration.convert()
        weight = next(p for name, p in module.named_parameters() if name.endswith("weight"))
        with torch.no_grad():
            weight[0, 0] += 1
        found = migration.verify([x])
        assert [layer.path for layer in found.root_causes] == [row.path]
        assert {layer.path for layer in found.root_causes if layer.alone.failed} == {row.path}


def test_a_loop_that_cannot_run_prints_no_stack(
    loop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.load(loop / "feed0.npz")["x"]
    with wb.load(loop) as migration:
        row = next(row for row in _inside(migration.mapping) if row.weights)
        layer = migration.convert().get_submodule(row.path)
        layer.weight = torch.nn.Parameter(torch.zeros(6, 5))  # type: ignore[assignment]
        capsys.readouterr()
        found = migration.verify([x])
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == row.path
    assert "Traceback" not in capsys.readouterr().err


def test_a_branch_that_is_decided_by_a_size_inside_a_loop(
    oracle: PaddleProcess, tmp_path: Path
) -> None:
    """Its rows stand in the loop's block, its values are made further inside."""
    setup = (
        "y = paddle.zeros_like(x)\ni = paddle.zeros([1], 'int64')\nwhile i < 3:\n"
        "    if paddle.shape(x)[1] > 2:\n        r = paddle.tanh(F.relu(x) * 2.0)\n"
        "    else:\n        r = x * 1.0\n    y = y + r\n    i = i + 1"
    )
    run_paddle(case("while", "y", x=f32("B", 4), setup=setup), oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        found = migration.verify([np.load(tmp_path / "feed0.npz")["x"]])
        assert found.passed, found.summary
        inside = _checks(found, migration.mapping)
        assert any("tanh" in path for path in inside)
        assert {check.alone.verdict for check in inside.values()} <= {"exact", "rounding"}
