"""Attention in Paddle's layouts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attention on (batch, sequence, heads, size); a causal mask ends at the last key.

    `attn_mask` is added to the scores. Fewer heads of key and value are shared by the queries'.
    """
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    if is_causal:
        rows, columns = query.shape[2], key.shape[2]
        allowed = torch.ones(rows, columns, dtype=torch.bool, device=query.device)
        hidden = ~allowed.tril(columns - rows)
        causal = torch.zeros_like(hidden, dtype=query.dtype).masked_fill(hidden, float("-inf"))
        attn_mask = causal if attn_mask is None else attn_mask + causal
    out = F.scaled_dot_product_attention(query, key, value, attn_mask, scale=scale, enable_gqa=True)
    return out.transpose(1, 2)


def packed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_ends: Tensor,
    key_ends: Tensor,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attention within each of the sequences that lie one after another in (total, heads, size)."""
    queries = query.tensor_split(query_ends[1:-1].cpu())
    keys = key.tensor_split(key_ends[1:-1].cpu())
    values = value.tensor_split(key_ends[1:-1].cpu())
    parts = [
        attention(q[None], k[None], v[None], None, is_causal, scale)[0]
        for q, k, v in zip(queries, keys, values, strict=True)
    ]
    return torch.cat(parts)


def variable_length_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Tensor,
    key_lengths: Tensor,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention on (batch, heads, sequence, size) up to each length; rows after it are 0."""
    rows = torch.arange(query.shape[2], device=query.device)
    columns = torch.arange(key.shape[2], device=query.device)
    hidden = columns >= key_lengths.reshape(-1, 1, 1, 1)
    mask = torch.zeros_like(hidden, dtype=query.dtype).masked_fill(hidden, float("-inf"))
    if attn_mask is not None:
        mask = mask + attn_mask
    out = F.scaled_dot_product_attention(query, key, value, mask, scale=scale, enable_gqa=True)
    inside = rows.unsqueeze(-1) < lengths.reshape(-1, 1, 1, 1)
    return torch.where(inside, out, 0)


def softmax_upper_triangle(x: Tensor) -> Tensor:
    """Softmax over the last axis with everything right of the diagonal masked out."""
    hidden = torch.ones(x.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
    return x.masked_fill(hidden, float("-inf")).softmax(-1)


def rotary_embedding(
    tensors: tuple[Tensor, ...],
    sin: Tensor | None = None,
    cos: Tensor | None = None,
    position_ids: Tensor | None = None,
    interleaved: bool = True,
    time_major: bool = False,
    base: float = 10000.0,
) -> tuple[Tensor, ...]:
    """Rotate pairs of (batch, sequence, heads, size): neighbours if interleaved, else halves."""
    first = tensors[0].transpose(0, 1) if time_major else tensors[0]
    steps, size = first.shape[1], first.shape[3]
    if sin is None or cos is None:
        exponent = torch.arange(0, size, 2, device=first.device) / size
        angle = torch.outer(torch.arange(steps, device=first.device), base**-exponent)
        angle = angle.repeat_interleave(2, 1)
        sin, cos = angle.sin().to(first.dtype), angle.cos().to(first.dtype)
    sin, cos = sin.reshape(-1, size), cos.reshape(-1, size)
    if position_ids is None:
        sin, cos = sin[:steps].unsqueeze(1), cos[:steps].unsqueeze(1)
    else:
        sin, cos = sin[position_ids].unsqueeze(2), cos[position_ids].unsqueeze(2)
    turned = []
    for x in tensors:
        x = x.transpose(0, 1) if time_major else x
        if interleaved:
            other = torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)
        else:
            other = torch.cat((-x[..., size // 2 :], x[..., : size // 2]), -1)
        x = x * cos + other * sin
        turned.append(x.transpose(0, 1) if time_major else x)
    return tuple(turned)
