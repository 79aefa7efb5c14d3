"""Sizes that Paddle claims for dynamic dimensions after a transposed convolution."""

from __future__ import annotations

import pytest

from tests.small_programs import ProgramMaker
from workbench.sources.paddle.passes.transposed_sizes import transposed_sizes


@pytest.mark.parametrize("extra", [1, 2])
def test_claimed_sizes_become_dynamic(extra: int) -> None:
    """-1 + output_padding, in the result and in what is computed from it."""
    make = ProgramMaker()
    x = make.input("x", -1, 3, -1, 8)
    claimed = extra - 1
    inputs = {"x": x, "filter": make.parameter("w", 3, 4, 3, 3)}
    out = make.op("pd_op.conv2d_transpose", inputs, (-1, 4, claimed, 16),
                  output_padding=(extra, extra), data_format="NCHW")  # fmt: skip
    relu = make.relu(out)
    program = transposed_sizes(make.program(relu))
    assert [value.shape for value in program.outputs] == [(-1, 4, -1, 16)]
    assert program.ops[1].inputs["x"].shape == (-1, 4, -1, 16)


def test_static_sizes_stay() -> None:
    """Nothing is wrong with a static input."""
    make = ProgramMaker()
    inputs = {"x": make.input("x", -1, 3, 8, 8), "filter": make.parameter("w", 3, 4, 3, 3)}
    out = make.op("pd_op.conv2d_transpose", inputs, (-1, 4, 17, 17),
                  output_padding=(1, 1), data_format="NCHW")  # fmt: skip
    program = make.program(out)
    assert transposed_sizes(program) is program
