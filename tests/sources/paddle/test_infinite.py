"""Only a softmax that an infinite mask may reach is told what Paddle makes of masked rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.small_programs import ProgramMaker
from workbench.core.values import Value

INF = float("inf")
SHAPE = (2, 4, 16)


def _full(make: ProgramMaker, number: float) -> Value:
    return make.op("pd_op.full", {}, SHAPE, value=number, dtype="float32")


def _add(make: ProgramMaker, x: Value, y: Value) -> Value:
    return make.op("pd_op.add", {"x": x, "y": y}, SHAPE)


def _scaled(make: ProgramMaker, x: Value, number: float) -> Value:
    factor = make.op("pd_op.full", {}, (1,), value=number, dtype="float32")
    return make.op("pd_op.scale", {"x": x, "scale": factor}, SHAPE, bias=0.0)


def _target(build: Callable[[ProgramMaker, Value], Value]) -> str:
    """What the softmax of the scores becomes that `build` makes of a layer's result."""
    make = ProgramMaker()
    scores = build(make, make.linear(make.input("x", *SHAPE), "fc", 16))
    mapping = make.mapping(make.op("pd_op.softmax", {"x": scores}, scores.shape, axis=-1))
    return mapping.rows[-1].target


def _stored(make: ProgramMaker, number: float) -> Value:
    found = make.parameter("mask", *SHAPE)
    array = np.full(SHAPE, number, "float32")
    make.parameters["mask"] = type(make.parameters["mask"])(
        "mask", SHAPE, "float32", False, lambda: array
    )
    return found


def _mask(make: ProgramMaker) -> Value:
    return make.input("mask", *SHAPE)


PLAIN: dict[str, Callable[[ProgramMaker, Value], Value]] = {
    "scores": lambda m, x: x,
    "scaled": lambda m, x: _scaled(m, x, 0.125),
    "-1e9": lambda m, x: _add(m, x, _full(m, -1e9)),
    "lowest": lambda m, x: _add(m, x, _full(m, -3.4028235e38)),
    "lowest times a mask": lambda m, x: _add(m, x, _scaled(m, _mask(m), -3.4028235e38)),
    "stored -1e4": lambda m, x: _add(m, x, _stored(m, -1e4)),
    "kept above the lowest": lambda m, x: m.op(
        "pd_op.maximum", {"x": _add(m, x, _full(m, -INF)), "y": _full(m, -3e38)}, SHAPE
    ),
}
MASKED: dict[str, Callable[[ProgramMaker, Value], Value]] = {
    "-inf": lambda m, x: _add(m, x, _full(m, -INF)),
    "two of the lowest": lambda m, x: _add(m, _add(m, x, _full(m, -3e38)), _full(m, -3e38)),
    "stored -inf": lambda m, x: _add(m, x, _stored(m, -INF)),
    "where": lambda m, x: m.op(
        "pd_op.where",
        {"condition": m.input("c", *SHAPE, dtype="bool"), "x": x, "y": _full(m, -INF)},
        SHAPE,
    ),
    "fed": lambda m, x: _add(m, x, _mask(m)),
    "fed and moved": lambda m, x: _add(m, x, m.op("pd_op.expand", {"x": _mask(m)}, SHAPE)),
    "overflow of float32": lambda m, x: _add(m, x, _scaled(m, _full(m, 1e30), -1e10)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_an_ordinary_softmax_stays_plain(name: str) -> None:
    assert _target(PLAIN[name]) == "F.softmax"


@pytest.mark.parametrize("name", MASKED)
def test_an_infinite_mask_is_seen_from_the_graph(name: str) -> None:
    assert _target(MASKED[name]) == "fn.softmax"
