"""Blocks that Paddle's inference passes make of several operators."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def position_encoding(x: Tensor, alpha: float, beta: float) -> Tensor:
    """`alpha x + beta p` with sines in the first half of the last axis, cosines in the second."""
    half = x.shape[2] // 2
    steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype).unsqueeze(1)
    power = torch.linspace(0 if half > 1 else 1, 1, half, device=x.device, dtype=x.dtype)
    angle = steps / torch.pow(10000.0, power)
    return alpha * x + beta * torch.cat((angle.sin(), angle.cos()), 1)


def residual_norm(
    x: Tensor, bias: Tensor | None, residual: Tensor | None, weight: Tensor | None,
    shift: Tensor | None, axis: int, eps: float, alpha: float = 1.0, mean_square: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Normalised `x + bias + alpha residual`, and that sum; only the sum without a weight."""
    total = x if bias is None else x + bias
    total = total if residual is None else total + alpha * residual
    if weight is None and shift is None:
        return total, total
    shape = total.shape[axis:]
    weight = weight if weight is None else weight.reshape(shape)
    shift = shift if shift is None else shift.reshape(shape)
    if not mean_square:
        return F.layer_norm(total, shape, weight, shift, eps), total
    out = F.rms_norm(total, shape, weight, eps)
    return (out if shift is None else out + shift), total


def residual_norm_statistics(
    x: Tensor, bias: Tensor | None, residual: Tensor | None, weight: Tensor | None,
    shift: Tensor | None, axis: int, eps: float, alpha: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """As `residual_norm`, with the mean and 1 / standard deviation of each normalised row."""
    out, total = residual_norm(x, bias, residual, weight, shift, axis, eps, alpha)
    rows = total.flatten(axis).flatten(0, axis - 1)
    variance, mean = torch.var_mean(rows, 1, correction=0)
    return out, total, mean, (variance + eps).rsqrt()


def multihead_matmul(
    x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor | None, heads: int, alpha: float
) -> Tensor:
    """Self-attention on (batch, sequence, width) with one weight (width, 3, width) for all."""
    qkv = x @ weight.flatten(1) + bias.flatten()
    qkv = qkv.reshape(*x.shape[:2], 3, heads, -1).transpose(1, 3)
    query, key, value = qkv.unbind(2)
    out = F.scaled_dot_product_attention(query, key, value, mask, scale=alpha)
    return out.transpose(1, 2).flatten(2)


def self_attention_block(
    x: Tensor, norm_weight: Tensor | None, norm_bias: Tensor | None, qkv_weight: Tensor,
    qkv_bias: Tensor | None, mask: Tensor | None, out_weight: Tensor, out_bias: Tensor | None,
    before: bool, add_residual: bool, eps: float,
) -> Tensor:  # fmt: skip
    """Layer norm before or after self-attention; `qkv_weight` is (3, heads, size, width)."""
    width = x.shape[-1]
    heads, size = qkv_weight.shape[1:3]
    out = F.layer_norm(x, (width,), norm_weight, norm_bias, eps) if before else x
    flat = None if qkv_bias is None else qkv_bias.flatten()
    qkv = F.linear(out, qkv_weight.reshape(-1, width), flat)
    query, key, value = qkv.reshape(*x.shape[:2], 3, heads, size).transpose(1, 3).unbind(2)
    out = F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).flatten(2)
    out = F.linear(out, out_weight.T, out_bias)
    out = x + out if add_residual else out
    return out if before else F.layer_norm(out, (width,), norm_weight, norm_bias, eps)
