"""Operators that CPU Paddle cannot export or run: rules against the documented formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.single_operator import RANDOM, below, convert, naive, random


@pytest.mark.parametrize("keys", [5, 7])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_flash_attention(keys: int, causal: bool, masked: bool) -> None:
    """(batch, sequence, heads, size), causal to the last key."""
    q, k, v = random(2, 5, 4, 8), random(2, keys, 4, 8), random(2, keys, 4, 8)
    mask = random(2, 1, 5, keys) if masked else None
    operands = {"q": q, "k": k, "v": v, "fixed_seed_offset": None, "attn_mask": mask}
    found = convert("pd_op.flash_attn", operands, {"causal": causal, "is_test": True})
    total = (0 if mask is None else mask) + (below(5, keys) if causal else 0)
    expected = naive(q, k, v, total if isinstance(total, Tensor) else None)
    torch.testing.assert_close(found, expected)


def test_flash_attention_shared_keys() -> None:
    """Fewer key heads than query heads."""
    q, k, v = random(2, 5, 4, 8), random(2, 5, 2, 8), random(2, 5, 2, 8)
    found = convert("pd_op.flash_attn", {"q": q, "k": k, "v": v}, {"causal": False})
    expected = naive(q, k.repeat_interleave(2, 2), v.repeat_interleave(2, 2))
    torch.testing.assert_close(found, expected)


def test_flash_attention_packed() -> None:
    """Queries, keys and values in one tensor."""
    qkv = random(2, 5, 3, 4, 8)
    found = convert("pd_op.flash_attn_qkvpacked", {"qkv": qkv}, {"causal": True}, (2, 5, 4, 8))
    torch.testing.assert_close(found, naive(*qkv.unbind(2), below(5, 5)))


@pytest.mark.parametrize("causal", [False, True])
def test_flash_attention_unpadded(causal: bool) -> None:
    """Sequences one after another."""
    q, k, v = random(9, 4, 8), random(11, 4, 8), random(11, 4, 8)
    ends, key_ends = torch.tensor([0, 4, 9]), torch.tensor([0, 5, 11])
    operands = {"q": q, "k": k, "v": v, "cu_seqlens_q": ends, "cu_seqlens_k": key_ends}
    attributes = {"causal": causal, "scale": 0.3}
    found = convert("pd_op.flash_attn_unpadded", operands, attributes)
    parts = [
        naive(
            q[None, a:b], k[None, c:d], v[None, c:d], below(b - a, d - c) if causal else None, 0.3
        )
        for a, b, c, d in ((0, 4, 0, 5), (4, 9, 5, 11))
    ]
    torch.testing.assert_close(found, torch.cat(parts, 1)[0])


def test_memory_efficient_attention() -> None:
    """An additive bias and a scale."""
    q, k, v, bias = random(2, 5, 4, 8), random(2, 6, 4, 8), random(2, 6, 4, 8), random(2, 4, 5, 6)
    operands = {"query": q, "key": k, "value": v, "bias": bias}
    attributes = {"causal": False, "dropout_p": 0.0, "scale": 0.2, "is_test": True}
    found = convert("pd_op.memory_efficient_attention", operands, attributes)
    torch.testing.assert_close(found, naive(q, k, v, bias, 0.2))


def test_variable_length_attention() -> None:
    """The example of Paddle's documentation, and shorter sequences."""
    q, k, v, mask = random(2, 4, 5, 8), random(2, 4, 6, 8), random(2, 4, 6, 8), random(2, 1, 5, 6)
    lengths, key_lengths = torch.tensor([[5], [3]]), torch.tensor([[6], [4]])
    operands = {"query": q, "key": k, "value": v, "seq_lens": lengths, "kv_seq_lens": key_lengths,
                "mask": mask}  # fmt: skip
    attributes = {"scale": 0.2, "causal": False, "pre_cache_length": 0}
    name = "pd_op.variable_length_memory_efficient_attention"
    found = convert(name, operands, attributes).transpose(1, 2)
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    torch.testing.assert_close(found[:1], naive(q[:1], k[:1], v[:1], mask[:1], 0.2))
    expected = naive(q[1:, :3], k[1:, :4], v[1:, :4], mask[1:, :, :3, :4], 0.2)
    torch.testing.assert_close(found[1:, :3], expected)


def test_softmax_upper_triangle() -> None:
    """Softmax on and below the diagonal."""
    x = random(2, 3, 5, 5)
    found = convert("pd_op.fused_softmax_mask_upper_triangle", {"X": x}, {})
    torch.testing.assert_close(found, (x + below(5, 5)).softmax(-1))


@pytest.mark.parametrize("neox", [True, False])
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("time_major", [True, False])
def test_rotary_embedding(neox: bool, positions: bool, time_major: bool) -> None:
    """Neox style, in Paddle's words, turns neighbours; the other turns the halves."""
    q, angle = random(2, 5, 4, 6), random(9, 3)
    angle = angle.repeat_interleave(2, 1) if neox else torch.cat((angle, angle), 1)
    ids = torch.from_numpy(RANDOM.integers(0, 9, (2, 5))) if positions else None
    at = angle[:5].expand(2, -1, -1) if ids is None else angle[ids]
    at = at.unsqueeze(2)
    pairs = (q[..., 0::2], q[..., 1::2]) if neox else (q[..., :3], q[..., 3:])
    half = at[..., 0::2] if neox else at[..., :3]
    turned = (
        pairs[0] * half.cos() - pairs[1] * half.sin(), pairs[1] * half.cos() + pairs[0] * half.sin()
    )  # fmt: skip
    expected = torch.stack(turned, -1).flatten(-2) if neox else torch.cat(turned, -1)
    operands = {"q": q.transpose(0, 1) if time_major else q, "k": None, "v": None,
                "sin": angle.sin(), "cos": angle.cos(), "position_ids": ids}  # fmt: skip
    attributes = {"use_neox_rotary_style": neox, "time_major": time_major}
    found = convert("pd_op.fused_rotary_position_embedding", operands, attributes)
    torch.testing.assert_close(found.transpose(0, 1) if time_major else found, expected)


def test_rms_norm() -> None:
    """Divided by the root of the mean square, times the weight."""
    x, weight = random(2, 5, 8), random(8)
    found = convert("pd_op.rms_norm", {"x": x, "scale": weight},
                    {"normalized_shape": (8,), "epsilon": 1e-3})  # fmt: skip
    expected = x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt() * weight
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_dequantize_linear(axis: int) -> None:
    """Scaled by scale / qmax, where Paddle 3.3.1 by mistake quantises."""
    x = torch.from_numpy(RANDOM.integers(-128, 127, (3, 4, 5))).float()
    scale = random(1 if axis < 0 else x.shape[axis])
    attributes = {"quant_axis": axis, "qmax": 127, "is_test": True}
    found = convert("pd_op.dequantize_linear", {"x": x, "scale": scale}, attributes)
    wide = scale if axis < 0 else scale.reshape([-1] + [1] * (2 - axis))
    torch.testing.assert_close(found, x * wide / 127)


def test_channel_wise_quantize() -> None:
    """Each channel by its greatest absolute value."""
    x = random(3, 4)
    attributes = {"bit_length": 8, "round_type": 1, "quant_axis": 0, "is_test": False}
    found, scale = convert("pd_op.fake_channel_wise_quantize_abs_max", {"x": x}, attributes)
    torch.testing.assert_close(scale, x.abs().amax(1))
    torch.testing.assert_close(found, (x / scale[:, None] * 127).round())
