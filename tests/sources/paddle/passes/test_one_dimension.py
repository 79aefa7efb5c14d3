"""1-D convolutions and poolings become one row; what is not one stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_programs import ProgramMaker, mapped
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.paddle.passes.conv_bias import conv_bias
from workbench.sources.paddle.passes.one_dimension import one_dimension
from workbench.sources.paddle.passes.shape_arithmetic import shape_arithmetic


def axis_of(make: ProgramMaker, number: int) -> Value:
    """An axis as Paddle saves it."""
    return make.op("pd_op.full_int_array", {}, (1,), dtype="int64", value=(number,))


def unsqueezed(make: ProgramMaker, x: Value, axis: int) -> Value:
    """With a dimension of size 1 added."""
    shape = list(x.shape)
    shape.insert(axis, 1)
    return make.op("pd_op.unsqueeze", {"x": x, "axis": axis_of(make, axis)}, tuple(shape))


def squeezed(make: ProgramMaker, x: Value, axis: int) -> Value:
    """With a dimension of size 1 taken away."""
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return make.op("pd_op.squeeze", {"x": x, "axis": axis_of(make, axis)}, shape)


def rewritten(program: Program) -> list[str]:
    """Targets of the rows after the passes."""
    mapping = mapped(one_dimension(conv_bias(shape_arithmetic(program))))
    assert not mapping.unsupported
    return [row.target for row in mapping.rows]


def conv1d(make: ProgramMaker, x: Value, squeeze_axis: int = 2) -> Value:
    """`nn.Conv1D` as Paddle saves it."""
    kernel = make.parameter("conv.w_0", 4, x.shape[1], 3)
    inputs = {"input": unsqueezed(make, x, 2), "filter": unsqueezed(make, kernel, 2)}
    out = make.op(
        "pd_op.conv2d", inputs, (-1, 4, 1, -1), strides=(1, 2), paddings=(0, 1), groups=1,
        padding_algorithm="EXPLICIT", dilations=(1, 1), data_format="NCHW",
    )  # fmt: skip
    return squeezed(make, out, squeeze_axis)


def pool1d(make: ProgramMaker, x: Value, kind: str, **more: Any) -> Value:
    """A 1-D pooling as Paddle saves it."""
    size = make.op("pd_op.full_int_array", {}, (2,), dtype="int64", value=(1, 2))
    out = make.op("pd_op.pool2d", {"x": unsqueezed(make, x, 2), "kernel_size": size},
                  (-1, x.shape[1], 1, -1), strides=(1, 2), paddings=(0, 0), ceil_mode=False,
                  exclusive=True, data_format="NCHW", pooling_type=kind, global_pooling=False,
                  padding_algorithm="EXPLICIT", **{"adaptive": False, **more})  # fmt: skip
    return squeezed(make, out, 2)


def test_convolution() -> None:
    """One layer with the weight of the 1-D kernel."""
    make = ProgramMaker()
    out = conv1d(make, make.input("x", -1, 3, -1))
    assert rewritten(make.program(out)) == ["nn.Conv1d"]


def test_used_twice() -> None:
    """The 2-D result has another reader, so that it stays."""
    make = ProgramMaker()
    conv1d(make, make.input("x", -1, 3, -1))
    plane = make.ops[-3].outputs["out"]
    out = squeezed(make, plane, 2)
    assert "F.conv2d" in rewritten(make.program(out, plane))


def test_other_axis() -> None:
    """A squeeze of another dimension is not the end of a 1-D layer."""
    make = ProgramMaker()
    out = conv1d(make, make.input("x", -1, 3, -1), squeeze_axis=3)
    assert "F.conv2d" in rewritten(make.program(out))


@pytest.mark.parametrize(
    ("kind", "length", "adaptive", "target"),
    [
        ("avg", -1, False, "F.avg_pool1d"),
        ("max", 8, False, "F.max_pool1d"),
        ("avg", -1, True, "F.adaptive_avg_pool1d"),
        ("max", -1, False, ".squeeze"),
    ],
)
def test_pooling(kind: str, length: int, adaptive: bool, target: str) -> None:
    """One function; a maximum over a dynamic length stays 2-D, for `torch.export`."""
    make = ProgramMaker()
    out = pool1d(make, make.input("x", -1, 3, length), kind, adaptive=adaptive)
    assert rewritten(make.program(out))[-1] == target
