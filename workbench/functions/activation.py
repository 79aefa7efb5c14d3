"""Activation helpers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """Logarithm of softmax, cut at 64 below the largest, as Paddle computes on the CPU."""
    result = F.log_softmax(x, dim)
    return result.maximum(result.amax(dim, keepdim=True) - 64) if x.numel() else result


def swiglu(x: Tensor) -> Tensor:
    """SiLU of the first half of the last axis, times the second half."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value
