"""Small programs made by hand, for tests that need a mapping but neither files nor Paddle."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.conversion.apply import make_mapping
from workbench.core.program import Block, Op, Parameter, Program
from workbench.core.values import Value
from workbench.editing.editable import EditableMapping, editable
from workbench.sources.paddle.passes.traits import traits
from workbench.sources.paddle.rules import DEFAULT


def mapped(program: Program) -> EditableMapping:
    """What our rules make of a program."""
    return editable(make_mapping(traits(program), DEFAULT))


class ProgramMaker:
    """Adds ops one by one; each method gives the new value."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.ops: list[Op] = []
        self.parameters: dict[str, Parameter] = {}
        self.values: dict[str, Value] = {}
        self.inputs: list[Value] = []
        self._ids = 0

    def value(self, shape: tuple[int, ...], dtype: str = "float32", **names: str) -> Value:
        """A new value."""
        self._ids += 1
        return Value(self._ids, shape, dtype, **names)

    def input(self, name: str, *shape: int, dtype: str = "float32") -> Value:
        """An input of the model."""
        made = self.value(shape, dtype, name=name)
        self.inputs.append(made)
        return made

    def parameter(self, name: str, *shape: int, dtype: str = "float32") -> Value:
        """A stored parameter; the same name gives the same value."""
        if name not in self.values:
            array = self.random.normal(size=shape).astype(dtype) / 4
            self.parameters[name] = Parameter(name, shape, dtype, True, lambda: array)
            self.values[name] = self.value(shape, dtype, parameter=name)
        return self.values[name]

    def op(
        self, name: str, inputs: Dict[str, Any], shape: tuple[int, ...], scope: str = "",
        dtype: str = "float32", **attributes: Any,
    ) -> Value:  # fmt: skip
        """An op with one output."""
        out = self.value(shape, dtype)
        made = Op(name, inputs, {"out": out}, attributes, str(len(self.ops)), scope)
        self.ops.append(made)
        return out

    def linear(self, x: Value, name: str, size: int, scope: str = "", bias: bool = True) -> Value:
        """A fully connected layer, as the linear pass makes it."""
        inputs = {
            "x": x,
            "weight": self.parameter(f"{name}.w_0", x.shape[-1], size),
            "bias": self.parameter(f"{name}.b_0", size) if bias else None,
        }
        shape = (*x.shape[:-1], size)
        return self.op("workbench.linear", inputs, shape, scope, transpose_weight=False)

    def conv(self, x: Value, name: str, channels: int, scope: str = "", kernel: int = 3) -> Value:
        """A 2-D convolution that keeps the size."""
        weight = self.parameter(f"{name}.w_0", channels, x.shape[1], kernel, kernel)
        return self.op(
            "pd_op.conv2d", {"input": x, "filter": weight}, (x.shape[0], channels, *x.shape[2:]),
            scope, strides=(1, 1), paddings=(kernel // 2,) * 2, padding_algorithm="EXPLICIT",
            dilations=(1, 1), groups=1, data_format="NCHW",
        )  # fmt: skip

    def relu(self, x: Value, scope: str = "") -> Value:
        """max(x, 0)."""
        return self.op("pd_op.relu", {"x": x}, x.shape, scope)

    def program(self, *outputs: Value) -> Program:
        """The finished program."""
        block = Block((), tuple(self.ops), outputs)
        inputs = tuple(self.inputs)
        return traits(Program(block, inputs, outputs, self.parameters, framework="paddle"))

    def mapping(self, *outputs: Value) -> EditableMapping:
        """Its mapping."""
        return mapped(self.program(*outputs))


def classifier() -> EditableMapping:
    """Two convolutions with relu, an operator without a rule, and a square linear layer.

    Rows: `s`, `block.conv2d`, `block.re_lu`, `block_1.conv2d`, `block_1.relu`, `head.mystery`,
    `head.fc`.
    """
    make = ProgramMaker()
    x = make.input("image", -1, 3, 8, 8)
    x = make.relu(make.conv(x, "conv_0", 4, "/Net/Block/Conv2D/"), "/Net/Block/ReLU/")
    x = make.relu(make.conv(x, "conv_1", 4, "/Net/Block_1/Conv2D/"), "/Net/Block_1/")
    x = make.op("pd_op.mystery", {"x": x, "scale": make.parameter("s", 4)}, (-1, 4), "/Net/Head/")
    x = make.linear(x, "fc", 4, "/Net/Head/FC/")
    paths = ["s", "block.conv2d", "block.re_lu", "block_1.conv2d", "block_1.relu"]
    return named(make.mapping(x), [*paths, "head.mystery", "head.fc"])


def named(mapping: EditableMapping, paths: list[str]) -> EditableMapping:
    """The mapping with these paths, so that tests do not hang on how rows are named."""
    rows = zip(mapping.rows, paths, strict=True)
    return replace(mapping, rows=tuple(replace(row, path=path) for row, path in rows))


def branching() -> EditableMapping:
    """A linear layer, then an `if` with a relu in one branch and a sigmoid in the other.

    Rows: `fc`, `choose` with `choose.then_branch.relu` and `choose.else_branch.sigmoid`.
    """
    make = ProgramMaker()
    x, flag = make.input("x", -1, 4), make.input("flag", 1, dtype="bool")
    x = make.linear(x, "fc", 4)
    outer, make.ops = make.ops, []
    one = make.relu(x)
    then, make.ops = make.ops, []
    two = make.op("pd_op.sigmoid", {"x": x}, (-1, 4))
    other = make.ops
    blocks = (Block((), tuple(then), (one,)), Block((), tuple(other), (two,)))
    out = make.value((-1, 4))
    make.ops = [*outer, Op("pd_op.if", {"cond": flag}, {"out": out}, {}, "9", blocks=blocks)]
    mapping = make.mapping(out)
    first, choose = mapping.rows
    inner = [
        replace(block, rows=tuple(replace(row, path=path) for row in block.rows))
        for block, path in zip(
            choose.blocks, ("choose.then_branch.relu", "choose.else_branch.sigmoid"), strict=True
        )
    ]
    rows = (replace(first, path="fc"), replace(choose, path="choose", blocks=tuple(inner)))
    return replace(mapping, rows=rows)


def deep(rows: int) -> EditableMapping:
    """A chain of linear layers and relus: as many rows as asked, in scopes of ten."""
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    for number in range(rows // 2):
        scope = f"/Net/Stage_{number // 50}/Block_{number // 5}/"
        x = make.linear(x, f"fc_{number}", 4, f"{scope}Linear_{number}/")
        x = make.relu(x, f"{scope}ReLU_{number}/")
    return make.mapping(x)
