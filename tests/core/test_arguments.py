"""The visitor of arguments reaches every kind, and makes each again as it was."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.core.arguments import calls_in, map_argument, parts, values_of, walk, with_values
from workbench.core.calls import Call, Device, Dtype, Layer, Result
from workbench.core.integers import Count, Dim, IntOp, Item
from workbench.core.values import Value

X, Y, Z = (Value(number, (2, 3), "float32", name) for number, name in enumerate("xyz"))
INNER = Call("torch.relu", (X,))
KINDS: list[Any] = [
    Dim(X, 1), Item(X, 2), Count(X), IntOp("*", Dim(X, 0), 2), Device(X), (X, 1), [X], {"key": X},
    slice(None, Dim(X, 0)), INNER, Call("torch.cat", ([X, X],), {"out": {"a": X}}),
    Layer("nn.ReLU", (X,), {"inplace": False}, {}, {"size": [Dim(X, 0)]}), Result(INNER, {}),
]  # fmt: skip


@pytest.mark.parametrize("argument", KINDS, ids=lambda one: type(one).__name__)
def test_every_kind(argument: Any) -> None:
    assert map_argument(argument, lambda part: part) == argument
    assert parts(argument)
    assert set(values_of(argument)) == {X}
    moved = with_values(argument, {X: Y})
    assert type(moved) is type(argument)
    assert set(values_of(moved)) == {Y}
    assert with_values(moved, {Y: X}) == argument


@pytest.mark.parametrize("leaf", [1, 2.5, "same", None, Dtype("int64"), ...])
def test_leaves_stay(leaf: Any) -> None:
    assert parts(leaf) == ()
    assert map_argument(leaf, lambda _: "changed") is leaf


def test_the_order_of_a_walk() -> None:
    outer = Call("torch.add", (INNER, slice(0, Dim(Z, 0))), {"alpha": Call("torch.sum", (Y,))})
    assert [part for part in walk(outer) if isinstance(part, Value)] == [X, Z, Y]
    assert [part.target for part in calls_in(outer)] == ["torch.relu", "torch.sum", "torch.add"]
    assert Z not in list(walk(outer, without=(Dim,)))
