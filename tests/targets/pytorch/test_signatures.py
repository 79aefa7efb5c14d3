"""Signatures read from torch, and which targets may be chosen by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_programs import classifier
from workbench.core.errors import MappingError
from workbench.editing.choices import catalog, check_target, suggestions
from workbench.targets.pytorch.signatures import signature_of


@pytest.mark.parametrize(
    ("target", "name", "value", "told"),
    [
        ("nn.Conv2d", "stride", 2, ""),
        ("nn.Conv2d", "stride", (1, 2), ""),
        ("nn.Conv2d", "padding", "same", ""),
        ("nn.Conv2d", "padding_mode", "zeros", ""),
        ("nn.Conv2d", "bias", 1, "bias takes True or False, not 1"),
        ("nn.LSTM", "bidirectional", True, ""),
        ("nn.LSTM", "hidden", 3, "did you mean 'hidden_size'?"),
        ("nn.LayerNorm", "normalized_shape", (3, 4), ""),
        ("nn.AvgPool2d", "divisor_override", None, ""),
        ("F.gelu", "approximate", "tanh", ""),
        ("F.pad", "pad", (1, 1), ""),
        ("F.interpolate", "size", (2, 2), ""),
        ("F.max_pool2d", "ceil_mode", 2, "takes True or False"),
        ("torch.mean", "dim", 1, ""),
        (".mean", "keepdim", "yes", "takes True or False"),
        (".mean", "keep", True, "did you mean 'keepdim'?"),
        ("torch.add", "alpha", 2, ""),
        ("nn.MultiheadAttention", "bias", 3, "takes True or False"),
    ],
)
def test_problems(target: str, name: str, value: Any, told: str) -> None:
    assert told in signature_of(target).problem(name, value)
    assert told or not signature_of(target).problem(name, value)


def test_defaults_and_places() -> None:
    assert signature_of("nn.BatchNorm2d")["eps"].default == 1e-5  # type: ignore[union-attr]
    assert signature_of("nn.Linear")["in_features"].required  # type: ignore[union-attr]
    assert signature_of(".transpose").positional == ("dim0", "dim1")
    assert signature_of("F.conv2d").positional[:3] == ("input", "weight", "bias")


def test_every_target_of_the_catalog_has_a_signature() -> None:
    for target in catalog():
        if not target.startswith("ops."):
            assert signature_of(target).target == target


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system", "torch.load", "torch.hub.load", "torch.from_file", "operator.call",
        "operator.attrgetter", "nn.Module", "nn.init.zeros_", ".__class__", ".numpy", ".tolist.x",
        "fn.torch", "os.system", "nn", "", "nn.", "torch.nn.Linear", "F.torch",
    ],
)  # fmt: skip
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(MappingError):
        check_target(target)


def test_suggestions_are_plausible() -> None:
    mapping = classifier()
    relu = suggestions(mapping["block.re_lu"], mapping.walk())
    assert relu[0] == "nn.ReLU"
    assert {"F.relu", "torch.relu", "nn.GELU", "nn.LeakyReLU"} <= set(relu)
    conv = suggestions(mapping["block.conv2d"], mapping.walk())
    assert {"nn.Conv2d", "F.conv2d", "nn.ConvTranspose2d"} <= set(conv)
    assert suggestions(mapping["head.mystery"]) == []
