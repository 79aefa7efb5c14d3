"""The pretended accelerator finds tensors that were left on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workbench as wb
from tests.oracle.accelerator import moved
from workbench.checks.values.inputs import sample_inputs
from workbench.targets.pytorch.codegen.source import generate


class Forward(nn.Module):
    """A module around a function."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Call it."""
        return self.function(x)  # type: ignore[no-any-return, operator]


@pytest.mark.parametrize("name", ["crnn_recognizer", "transformer_encoder"])
def test_samples_move(name: str, data: Path) -> None:
    """The module and its source leave nothing on the CPU; autocast takes them as well."""
    with wb.load(data / name) as migration:
        module = migration.convert()
        scope: dict[str, Any] = {"__file__": "model.py", "__name__": "model"}
        exec(compile(generate(migration.mapping, "Sample"), "model.py", "exec"), scope)
        written = scope["Model"]().eval()
        written.load_state_dict(module.state_dict())
        arrays = sample_inputs(migration.program)
    inputs = [torch.from_numpy(array) for array in arrays]
    expected = module(*inputs)
    for one in (module, written):
        torch.testing.assert_close(moved(one, inputs), expected, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        rough = written(*inputs)
    assert (rough.float() - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + torch.arange(3), "same device"),
        (lambda x: torch.stack([x[0], torch.zeros(3)]), "same device"),
        (lambda x: torch.arange(3), "is on the CPU"),
        (lambda x: x.cpu(), "is on the CPU"),
    ],
)
def test_tensor_left_behind(function: object, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        moved(Forward(function), [torch.ones(2, 3)])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.arange(3, device=x.device) * torch.tensor(2.0),
        lambda x: x[:, torch.tensor([2, 0])] + x.sum().item(),
        lambda x: x.index_put((torch.tensor([0]),), x.new_zeros(3)).median(0).values,
        lambda x: x.quantile(0.5, dim=1).unsqueeze(1),
        nn.LSTM(3, 4),
        nn.GRU(3, 4),
    ],
)
def test_same_values(function: object) -> None:
    module = Forward(function).eval()
    x = torch.randn(2, 3)
    torch.testing.assert_close(moved(module, [x]), module(x))
