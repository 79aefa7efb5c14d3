"""Simulated quantisation: whole numbers that stay in a floating-point dtype."""

from __future__ import annotations

import torch
from torch import Tensor


def quantize(x: Tensor, scale: Tensor, limit: int, half_even: bool = True) -> Tensor:
    """`x / scale` in whole steps of 1 / limit, up to the limit.

    Ties go to the even step, or else away from 0; then -limit - 1 is not reached either.
    """
    steps = limit * torch.where(scale <= 1e-30, 1 / (scale + 1e-6), 1 / scale)
    if half_even:
        return (steps * x).round().clamp(-limit - 1, limit)
    whole = steps * torch.minimum(torch.maximum(x, -scale), scale)
    return (whole.abs() + 0.5).floor() * whole.sign()


def straight_through(x: Tensor, out: Tensor) -> Tensor:
    """`out`, whose gradient goes to `x` unchanged: so Paddle trains through rounding.

    Of no effect on the values; exported graphs hold nothing of it.
    """
    return out.detach() + (x - x.detach()).nan_to_num(0.0) if is_training(x) else out


def is_training(x: Tensor) -> bool:
    """True when gradients are wanted through `x`, and no graph is being exported."""
    exporting = torch.jit.is_tracing() or torch.compiler.is_exporting()  # type: ignore
    return x.requires_grad and torch.is_grad_enabled() and not exporting


def absolute_maximum(x: Tensor, axis: int | None = None) -> Tensor:
    """The greatest absolute value, of each channel when an axis is given; 1-D."""
    if axis is None:
        return x.abs().max().reshape(1)
    return x.abs().movedim(axis, 0).flatten(1).amax(1)


def quantize_by_maximum(
    x: Tensor, limit: int, axis: int | None = None, half_even: bool = False,
    dequantize: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Quantised `x` (or what that stands for) and its scale, the greatest absolute value."""
    scale = absolute_maximum(x.detach() if dequantize and is_training(x) else x, axis)
    wide = scale if axis is None else scale.reshape([-1] + [1] * (x.dim() - 1 - axis))
    out = quantize(x, wide, limit, half_even)
    return (straight_through(x, out * wide / limit) if dequantize else out), scale


def dequantize_log(x: Tensor, table: Tensor) -> Tensor:
    """Look 8-bit codes up in a table of magnitudes; negative codes give negative numbers."""
    index = x.to(torch.int64)
    return torch.where(index < 0, -table[(index + 128) % 128], table[index % 128])
