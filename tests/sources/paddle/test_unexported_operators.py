"""Operators that Paddle 3.3 on the CPU cannot export: rules against the documented formulas."""

from __future__ import annotations

import pytest
import torch

from tests.single_operator import convert, random


@pytest.mark.parametrize(("transpose_x", "transpose_y"), [(False, False), (True, True)])
def test_legacy_matmul(transpose_x: bool, transpose_y: bool) -> None:
    x, y = random(3, 4), random(4, 5)
    attributes = {"transpose_x": transpose_x, "transpose_y": transpose_y, "alpha": 0.5}
    found = convert(
        "pd_op.legacy_matmul",
        {"x": x.t() if transpose_x else x, "y": y.t() if transpose_y else y},
        attributes,
        (3, 5),
    )
    torch.testing.assert_close(found, x @ y * 0.5)


def test_soft_relu() -> None:
    x = torch.tensor([-60.0, -1.0, 0.0, 1.0, 60.0])
    found = convert("pd_op.soft_relu", {"x": x}, {"threshold": 40.0})
    expected = torch.log(1 + torch.exp(x.clamp(-40, 40).double())).float()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["max", "min"])
def test_extreme_with_index(name: str) -> None:
    x = random(3, 4)
    attributes = {"dim": 1, "keepdim": True, "flatten": False}
    found = convert(f"pd_op.{name}_with_index", {"x": x}, attributes, (3, 1))
    assert torch.equal(found, getattr(x, f"a{name}")(1, keepdim=True))
    attributes = {"dim": 0, "keepdim": False, "flatten": True}
    found = convert(f"pd_op.{name}_with_index", {"x": x}, attributes, ())
    assert torch.equal(found, getattr(x, name)())


@pytest.mark.parametrize("padding_idx", [-1, 2])
def test_lookup_table(padding_idx: int) -> None:
    table, index = random(5, 4), torch.tensor([[1], [2], [4]])
    expected = table[index[:, 0]]
    if padding_idx >= 0:
        expected[1] = 0
    attributes = {"padding_idx": padding_idx}
    found = convert("pd_op.lookup_table", {"w": table, "ids": index}, attributes, (3, 4))
    assert torch.equal(found, expected)
