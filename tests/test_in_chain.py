"""Rounding in the chain: when its sum explains a value, and when a second run must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import case, f32
from tests.oracle.check import run_paddle
from workbench.in_chain import ChainChecks
from workbench.paddle_side.process import PaddleProcess
from workbench.verification import Verification

#: Twenty layers that pass errors on as they are.
CALM = "for _ in range(20):\n    x = paddle.tanh(x) * 1.1 + x.mean(-1, keepdim=True) * 0.1"
#: The same, and then what is left of two nearly equal numbers.
CANCELS = CALM + "\nx = (x * 3.0 - x * 2.9999) - x * 0.0001 + x.sin() * 1e-7"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows at which a second run was started."""
    rows: list[str] = []
    original = ChainChecks._caught_up

    def caught_up(self: ChainChecks, row: Any) -> Any:
        rows.append(row.path)
        return original(self, row)

    monkeypatch.setattr(ChainChecks, "_caught_up", caught_up)
    return rows


def verified(
    setup: str, oracle: PaddleProcess, folder: Path
) -> tuple[wb.migration.Migration, Verification]:
    """A chain of layers, whose verification passes."""
    run_paddle(case("chain", "x", x=f32("B", 64), setup=setup), oracle, folder)
    migration = wb.load(folder)
    random = np.random.default_rng(0)
    found = migration.verify([random.normal(size=(32, 64)).astype(np.float32)])
    assert found.passed, found.summary
    return migration, found


def test_rounding_that_adds_up_needs_no_second_run(
    started: list[str], oracle: PaddleProcess, tmp_path: Path
) -> None:
    migration, found = verified(CALM, oracle, tmp_path)
    migration.close()
    assert not started
    last = found.layers[-1].chain
    assert last.error is not None
    # 60 layers add up to less than ten of their roundings, and to more than one
    assert 16 < last.tolerance / last.error.scale / np.finfo(np.float32).eps < 300


def test_rounding_that_a_layer_enlarges_is_measured(
    started: list[str], oracle: PaddleProcess, tmp_path: Path
) -> None:
    migration, found = verified(CANCELS, oracle, tmp_path)
    migration.close()
    assert len(started) == 1
    output = found.outputs[0].check
    assert output.error is not None
    assert output.error.relative > 1e-3


def test_a_fault_is_told_from_rounding_in_the_chain(
    started: list[str], oracle: PaddleProcess, tmp_path: Path
) -> None:
    with verified(CALM, oracle, tmp_path)[0] as migration:
        row = next(row for row in migration.mapping if row.target == "torch.tanh")
        migration.mapping = migration.mapping.edit(row.path, target="torch.sin")
        found = migration.verify([np.linspace(-1, 1, 64, dtype=np.float32)[None]])
        assert [layer.path for layer in found.root_causes] == [row.path]
        assert len(started) == 1
        later = found.layers[-1]
        assert later.chain.failed
        assert not later.alone.failed
    assert torch.is_grad_enabled()
