"""Attention operators. Those without a CPU kernel follow Paddle's documentation and tests."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import EVAL, Context, call, method
from workbench.core.calls import Call, Result
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import refuse, rule
from workbench.sources.paddle.rules.infinite import EQUAL_SHARES, gives_shares


def _attend(
    op: Context, q: Any, k: Any, v: Any, mask: Operand, causal: bool, scale: float | None = None
) -> Call:
    """Plain torch where torch's causal mask is Paddle's, which ends at the last key."""
    options: dict[str, Any] = {} if scale is None or scale < 0 else {"scale": scale}
    same = isinstance(q, Value) and isinstance(k, Value) and q.shape[1:3] == k.shape[1:3]
    if not same or q.shape[2] < 0 or (causal and (mask is not None or q.shape[1] < 0)):
        options |= {} if mask is None else {"attn_mask": mask}
        options |= {"is_causal": True} if causal else {}
        return call("fn.attention", q, k, v, **options)
    heads = (method(x, "transpose", 1, 2) for x in (q, k, v))
    options |= {} if mask is None else {"attn_mask": mask}
    options |= {"is_causal": True} if causal else {}
    return call("F.scaled_dot_product_attention", *heads, **options).method("transpose", 1, 2)


@rule("pd_op.flash_attn", traits=())
def flash_attn(
    op: Context,
    q: Value,
    k: Value,
    v: Value,
    attn_mask: Operand = None,
    dropout: float = 0.0,
    causal: bool = False,
    is_test: bool = True,
) -> Result:
    """Attention on (batch, sequence, heads, size); torch has the heads before the sequence."""
    op.require(is_test or not dropout, "the program drops out at inference", EVAL)
    return Result(_attend(op, q, k, v, attn_mask, causal), {"out": ()})


@rule("pd_op.flash_attn_qkvpacked", traits=())
def flash_attn_qkvpacked(
    op: Context,
    qkv: Value,
    attn_mask: Operand = None,
    dropout: float = 0.0,
    causal: bool = False,
    is_test: bool = True,
) -> Result:
    """Attention on (batch, sequence, queries per key + 2, key heads, size) in one tensor."""
    op.require(is_test or not dropout, "the program drops out at inference", EVAL)
    op.require(qkv.shape[2] == 3, "several queries share a key in the packed tensor")
    q, k, v = (method(qkv, "select", 2, i) for i in range(3))
    return Result(_attend(op, q, k, v, attn_mask, causal), {"out": ()})


@rule("pd_op.flash_attn_unpadded", traits=())
def flash_attn_unpadded(
    op: Context,
    q: Value,
    k: Value,
    v: Value,
    cu_seqlens_q: Value,
    cu_seqlens_k: Value,
    attn_mask: Operand = None,
    scale: float = -1.0,
    dropout: float = 0.0,
    causal: bool = False,
    is_test: bool = True,
) -> Result:
    """Attention within sequences that lie one after another; their ends come as tensors."""
    op.require(is_test or not dropout, "the program drops out at inference", EVAL)
    op.require(attn_mask is None, "a mask on packed sequences")
    options: dict[str, Any] = {"is_causal": causal} | ({"scale": scale} if scale > 0 else {})
    out = call("fn.packed_attention", q, k, v, cu_seqlens_q, cu_seqlens_k, **options)
    return Result(out, {"out": ()})


@rule("pd_op.memory_efficient_attention", traits=())
def memory_efficient_attention(
    op: Context,
    query: Value,
    key: Value,
    value: Value,
    bias: Operand = None,
    cu_seqlens_q: Operand = None,
    causal: bool = False,
    dropout_p: float = 0.0,
    scale: float = -1.0,
    is_test: bool = True,
) -> Result:
    """Attention on (batch, sequence, heads, size) with an additive bias."""
    op.require(is_test or not dropout_p, "the program drops out at inference", EVAL)
    op.require(cu_seqlens_q is None, "block-diagonal masks")
    op.require(
        not causal or query.shape[1] == key.shape[1] > 0,
        "a causal mask on queries and keys of different number",
    )
    return Result(_attend(op, query, key, value, bias, causal, scale), {"output": ()})


@rule("pd_op.variable_length_memory_efficient_attention", traits=())
def variable_length_attention(
    op: Context,
    query: Value,
    key: Value,
    value: Value,
    seq_lens: Value,
    kv_seq_lens: Value,
    mask: Operand = None,
    scale: float = -1.0,
    causal: bool = False,
    pre_cache_length: int = 0,
) -> Call:
    """Attention on (batch, heads, sequence, size), up to the length of each sequence."""
    op.require(not causal and not pre_cache_length, "a causal mask or a cache before the keys")
    options = {"attn_mask": mask} | ({"scale": scale} if scale > 0 else {})
    return call("fn.variable_length_attention", query, key, value, seq_lens, kv_seq_lens, **options)


@rule("pd_op.fused_softmax_mask", traits=())
def softmax_mask(op: Context, x: Value, mask: Value) -> Call:
    """Softmax of x + mask over the last axis."""
    scores = call("operator.add", x, mask)
    if not gives_shares(x, -1):
        return scores.method("softmax", -1)
    op.note(EQUAL_SHARES)
    return call("fn.softmax", scores, dim=-1)


@rule("pd_op.fused_softmax_mask_upper_triangle", traits=())
def softmax_mask_upper_triangle(op: Context, X: Value) -> Call:  # noqa: N803 - Paddle's name
    """Softmax over the last axis with everything right of the diagonal masked out."""
    return call("fn.softmax_upper_triangle", X)


@rule("pd_op.fused_rotary_position_embedding", traits=())
def rotary_embedding(
    op: Context,
    q: Value,
    k: Operand = None,
    v: Operand = None,
    sin: Operand = None,
    cos: Operand = None,
    position_ids: Operand = None,
    use_neox_rotary_style: bool = True,
    time_major: bool = False,
    rotary_emb_base: float = 10000.0,
) -> Result:
    """Rotary position embedding. What Paddle calls neox style rotates neighbours, not halves."""
    op.require(
        (sin is not None and cos is not None) or (use_neox_rotary_style and position_ids is None),
        "Paddle itself does not support this combination",
    )
    options: dict[str, Any] = {"interleaved": use_neox_rotary_style}
    options |= {"time_major": True} if time_major else {}
    options |= {"base": rotary_emb_base} if rotary_emb_base != 10000.0 else {}
    used = [
        (name, x)
        for name, x in (("out_q", q), ("out_k", k), ("out_v", v))
        if x is not None and op.used(name)
    ]
    turned = call(
        "fn.rotary_embedding", tuple(x for _, x in used), sin, cos, position_ids, **options
    )
    return Result(turned, {name: (i,) for i, (name, _) in enumerate(used)})


@rule("pd_op.self_dp_attention", traits=(Trait.FLOAT32_INSIDE,))
def self_attention(op: Context, x: Value, alpha: float = 1.0, head_number: int = 1) -> Call:
    """Self-attention on (batch, sequence, 3, heads, size), scaled by `alpha`."""
    q, k, v = (method(x, "select", 2, i) for i in range(3))
    return call("fn.attention", q, k, v, scale=alpha)


@rule("pd_op.multihead_matmul", traits=())
def multihead_matmul(
    op: Context,
    input_: Value,
    w: Value,
    bias: Value,
    bias_qk: Operand = None,
    transpose_q: bool = False,
    transpose_k: bool = True,
    transpose_v: bool = False,
    alpha: float = 1.0,
    head_number: int = 1,
) -> Call:
    """Self-attention with one weight for queries, keys and values."""
    usual = not transpose_q and transpose_k and not transpose_v
    op.require(usual, "its queries or values are transposed")
    return call("fn.multihead_matmul", input_, w, bias, bias_qk, heads=head_number, alpha=alpha)


@rule("pd_op.fused_attention", traits=())
def attention_block(
    op: Context,
    x: Value,
    qkv_weight: Value,
    out_linear_weight: Value,
    ln_scale: Operand = None,
    ln_bias: Operand = None,
    qkv_bias: Operand = None,
    cache_kv: Operand = None,
    src_mask: Operand = None,
    out_linear_bias: Operand = None,
    ln_scale_2: Operand = None,
    ln_bias_2: Operand = None,
    transpose_qkv_wb: bool = False,
    pre_layer_norm: bool = False,
    epsilon: float = 1e-5,
    attn_dropout_rate: float = 0.0,
    is_test: bool = True,
    attn_dropout_implementation: str = "upscale_in_train",
    dropout_rate: float = 0.0,
    dropout_implementation: str = "upscale_in_train",
    ln_epsilon: float = 1e-5,
    add_residual: bool = True,
) -> Result:
    """Self-attention with a residual, and a layer norm before or after."""
    op.require(cache_kv is None and not transpose_qkv_wb, "a cache, or weights in another layout")
    rates = (attn_dropout_rate, attn_dropout_implementation), (dropout_rate, dropout_implementation)
    plain = all(not rate or (is_test and mode == "upscale_in_train") for rate, mode in rates)
    op.require(plain, "its dropout scales at inference")
    norm = (ln_scale, ln_bias) if pre_layer_norm else (ln_scale_2, ln_bias_2)
    out = call(
        "fn.self_attention_block", x, *norm, qkv_weight, qkv_bias, src_mask, out_linear_weight,
        out_linear_bias, before=pre_layer_norm, add_residual=add_residual,
        eps=epsilon if pre_layer_norm else ln_epsilon,
    )  # fmt: skip
    return Result(out, {"out": ()})


refuse(
    "flash_attn_v3", "flash_attn_v3_varlen", "flash_attn_varlen_qkvpacked", "flashmask_attention",
    "flashmask_attention_v2", "fused_dot_product_attention", "fused_gate_attention",
    "masked_multihead_attention_", "block_multihead_attention_", "block_multihead_attention_xpu_",
    "sparse_attention", "calc_reduced_attn_scores", "qkv_unpack_mha", "fused_multi_transformer_",
    "fused_multi_transformer_int8", "fused_partial_rope", "fused_token_prune",
    reason="it is made for GPU inference, and what it computes cannot be measured on a CPU",
    hint="Export the model before Paddle's inference passes, or replace the row by hand.",
)  # fmt: skip
