"""Adding term after term: what it does to a result, and that it excuses no fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.small_programs import ProgramMaker
from workbench.mapping import Row
from workbench.passes import run_passes
from workbench.rules.apply import make_mapping
from workbench.term_by_term import measured

#: Nearly equal numbers are all rounded to the same side.
NEAR = (0.5386 + 4e-4 * np.random.default_rng(0).standard_normal((2, 4, 96, 96))).astype(np.float32)


def row(name: str, shape: tuple[int, ...], made: tuple[int, ...], **attributes: Any) -> Row:
    make = ProgramMaker()
    x = make.input("x", *shape)
    program = make.program(make.op(f"pd_op.{name}", {"x": x}, made, **attributes))
    return make_mapping(run_passes(program)).rows[-1]


def relative(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("keepdim", [True, False])
def test_a_mean_is_off_as_far_as_sequential_addition_is(keepdim: bool) -> None:
    made = (2, 4, 1, 1) if keepdim else (2, 4)
    one = row("mean", NEAR.shape, made, axis=[2, 3], keepdim=keepdim)
    noise = measured(one, [torch.from_numpy(NEAR)], torch.zeros(made), 0.5)
    flat = NEAR.reshape(8, -1)
    sequential = np.add.accumulate(flat, 1)[:, -1].astype(np.float64) / flat.shape[1]
    error = np.abs(sequential - flat.mean(1, dtype=np.float64)).max()
    assert noise == pytest.approx(error, rel=1e-3)
    # far more than what adding in pairs loses; what was made does not matter
    assert noise > 20 * np.abs(flat.mean(1) - flat.mean(1, dtype=np.float64)).max()
    assert measured(one, [torch.from_numpy(NEAR)], torch.full(made, 9.0), 0.5) == noise


@pytest.mark.parametrize(
    ("name", "shape", "made", "attributes"),
    [
        ("cumsum", (4, 9216), (4, 9216), {"axis": -1}),
        ("logcumsumexp", (4, 9216), (4, 9216), {"axis": 1}),
        ("p_norm", (4, 9216), (4,), {"porder": 2.0, "axis": -1}),
        ("softmax", (4, 9216), (4, 9216), {"axis": -1}),
        ("layer_norm", (2, 4, 96, 96), (2, 4, 96, 96), {"begin_norm_axis": 1, "epsilon": 1e-5}),
        ("instance_norm", (2, 4, 96, 96), (2, 4, 96, 96), {"epsilon": 1e-5}),
        ("group_norm", (2, 4, 96, 96), (2, 4, 96, 96), {"groups": 2, "epsilon": 1e-5}),
    ],
)
def test_noise_is_there_and_small(
    name: str, shape: tuple[int, ...], made: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    one = row(name, shape, made, **attributes)
    given = torch.from_numpy(NEAR.reshape(-1)[: int(np.prod(shape))].reshape(shape).copy())
    noise = measured(one, [given], torch.zeros(made), 1.0)
    assert noise is not None
    assert 1e-7 < noise < 0.3
    calm = torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    other = measured(one, [calm], torch.zeros(made), 1.0)
    assert other is not None
    assert other < 1e-3


def test_other_operators_and_dtypes_are_not_measured() -> None:
    one = row("relu", (4, 4), (4, 4))
    assert measured(one, [torch.ones(4, 4)], torch.ones(4, 4), 1.0) is None
    mean = row("mean", (4, 4), (4,), axis=[1], keepdim=False)
    assert measured(mean, [torch.ones(4, 4).half()], torch.ones(4).half(), 1.0) is None
    assert measured(mean, [torch.ones(4, 4)], torch.ones(4), 1.0) == 0
    assert measured(mean, [torch.ones(4, 4)], torch.ones(3), 1.0) == 0  # a shape that does not fit
