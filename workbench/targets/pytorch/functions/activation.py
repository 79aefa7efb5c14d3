"""Activation helpers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """Logarithm of softmax, cut at 64 below the largest, as Paddle computes on the CPU."""
    result = F.log_softmax(x, dim)
    return result.maximum(result.amax(dim, keepdim=True) - 64) if x.numel() else result


def softmax(x: Tensor, dim: int) -> Tensor:
    """Softmax over the last axis, and what Paddle makes of a row that a mask made −inf throughout.

    On a CPU it gives equal shares where the length is a multiple of eight, NaN elsewhere and in
    float64: its vectorised code takes NaN for 64 below the largest.
    """
    result = F.softmax(x, dim)
    if x.dtype == torch.float64:
        return result
    length = torch.ones_like(x).sum(dim, keepdim=True)
    share = torch.where(length.remainder(8) == 0, 1 / length, torch.nan)
    masked = result.isnan() & ~x.isnan().any(dim, keepdim=True)
    return torch.where(masked, share, result)


def swiglu(x: Tensor) -> Tensor:
    """SiLU of the first half of the last axis, times the second half."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value
