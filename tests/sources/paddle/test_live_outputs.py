"""Outputs of a live layer that Paddle's export loses."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
import torch
from paddle.nn import functional as F  # noqa: N812
from paddle.static import InputSpec

import workbench as wb
from workbench.core.errors import ModelFileError


class Sum(paddle.nn.Layer):  # type: ignore[misc]
    """An input plus a number, beside other outputs."""

    def forward(self, x, y):  # type: ignore[no-untyped-def]
        """Four outputs."""
        return x * 2, y - 1, F.relu(x) + 0.5, x + 3


class Both(paddle.nn.Layer):  # type: ignore[misc]
    """The input itself too."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        """Two outputs."""
        return x, x + 1


def test_an_input_plus_a_number_is_returned_as_the_layer_does() -> None:
    layer = Sum()
    spec = [InputSpec([2, 3], "float32", name) for name in ("x", "y")]
    arrays = [np.random.default_rng(n).normal(size=(2, 3)).astype(np.float32) for n in range(2)]
    with wb.load(layer, input_spec=spec) as migration:
        ours = migration.convert()(*map(torch.from_numpy, arrays))
        theirs = layer(*map(paddle.to_tensor, arrays))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6)
        found = migration.verify(arrays)
        assert found.passed
        assert len(found.layers) == 5


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(ModelFileError, match=r"the input x plus a number"):
        wb.load(Both(), input_spec=[InputSpec([2, 3], "float32", "x")])
