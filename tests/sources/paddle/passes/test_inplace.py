"""Which operand an in-place operator overwrites."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.small_programs import ProgramMaker, mapped
from workbench.sources.paddle.passes import run_passes
from workbench.sources.paddle.passes.inplace import STATISTICS
from workbench.sources.paddle.signatures import Signature, operators
from workbench.targets.pytorch.builder import build

QUANTISER = "pd_op.fake_quantize_dequantize_moving_average_abs_max_"


def _written(one: Signature) -> set[str]:
    """Inputs that have an output of their name: what the operator writes back."""
    return {
        name
        for name in one.inputs
        if {f"{name}_out", f"{name}_outs", name.replace("in_", "out_", 1)} & set(one.outputs)
    }


def test_operators_that_only_write_back_states_are_listed() -> None:
    """Else later readers of the first input would be pointed to the result."""
    found = {
        name
        for name, one in operators().items()
        if name.endswith("_") and not {"param", "params"} & set(one.inputs)
        if (written := _written(one)) and one.inputs[0] not in written
    }
    assert found - STATISTICS <= {"pd_op.update_loss_scaling_"}  # it does write its gradients


def test_a_quantiser_overwrites_its_scale_and_not_its_input() -> None:
    """The residual beside a quantised layer reads the plain values."""
    make = ProgramMaker()
    x = make.input("x", 2, 3)
    scale = make.parameter("scale", 1)
    quantised = make.op(
        QUANTISER, {"x": x, "in_scale": scale, "in_accum": None, "in_state": None}, (2, 3),
        bit_length=8, is_test=True, moving_rate=0.9, round_type=0,
    )  # fmt: skip
    y = make.op("pd_op.add", {"x": quantised, "y": x}, (2, 3))
    program = run_passes(make.program(y))
    module = build(mapped(program))
    given = torch.tensor([[0.31, -0.27, 5.0], [0.0, 1.0, -9.0]])
    rounded = (module(given) - given).detach()
    assert not torch.equal(rounded, given)
    step = abs(float(make.parameters["scale"].load()[0])) / 127
    np.testing.assert_allclose(rounded.numpy() / step, np.round(rounded.numpy() / step), atol=1e-3)


@pytest.mark.parametrize("name", sorted(STATISTICS))
def test_names_are_those_of_paddle(name: str) -> None:
    assert name in operators()
