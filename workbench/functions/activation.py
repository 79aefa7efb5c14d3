"""Activation helpers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def swiglu(x: Tensor) -> Tensor:
    """SiLU of the first half of the last axis, times the second half."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value
