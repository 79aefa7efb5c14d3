"""Cases for attention operators; those without a CPU kernel are in test_gpu_operators.py."""

from __future__ import annotations

from tests.oracle.case import case, f32, f64

CASES = [
    case(
        "fused_softmax_mask",
        "paddle.incubate.softmax_mask_fuse(x, m)",
        x=f32("B", 3, 4, "T"),
        m=f32("B", 1, 4, "T"),
    ),
    case(
        "fused_softmax_mask",
        "paddle.incubate.softmax_mask_fuse(x, m)",
        x=f64("B", 3, 4, "T"),
        m=f64("B", 1, 4, "T"),
    ),
    case(
        "self_dp_attention", "paddle._C_ops.self_dp_attention(x, 0.5, 2)", x=f32("B", "T", 3, 2, 4)
    ),
    case(
        "matmul softmax",
        "F.scaled_dot_product_attention(q, k, v)",
        q=f32("B", "T", 2, 4),
        k=f32("B", "N", 2, 4),
        v=f32("B", "N", 2, 4),
        grad=True,
    ),
    case(
        "matmul softmax",
        "F.scaled_dot_product_attention(q, k, v, m)",
        q=f32("B", "T", 2, 4),
        k=f32("B", "N", 2, 4),
        v=f32("B", "N", 2, 4),
        m=f32("B", 1, "T", "N"),
    ),
    case(
        "matmul softmax",
        "F.scaled_dot_product_attention(q, q, q, is_causal=True)",
        q=f32("B", "T", 2, 4),
    ),
    case("matmul softmax", "a(x, x, x)", x=f32("B", "T", 8), a="nn.MultiHeadAttention(8, 2)"),
    case(
        "matmul softmax",
        "a(x, y, y, m)",
        x=f32("B", "T", 8),
        y=f32("B", "N", 8),
        m=f32("B", 1, "T", "N"),
        a="nn.MultiHeadAttention(8, 2)",
    ),
    case("matmul softmax", "a(x)", x=f32("B", "T", 8), a="nn.TransformerEncoderLayer(8, 2, 16)"),
    case(
        "matmul softmax",
        "a(x, y)",
        x=f32("B", "T", 8),
        y=f32("B", "N", 8),
        a="nn.TransformerDecoderLayer(8, 2, 16, normalize_before=True)",
    ),
]
