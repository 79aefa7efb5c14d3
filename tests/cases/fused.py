"""Cases for fused operators. Those without a CPU kernel: test_gpu_fused_operators.py."""

from __future__ import annotations

from tests.oracle.case import case, f32, f64

_LN = "paddle._C_ops.fused_bias_residual_layernorm"
_RMS = "paddle._C_ops.fused_rms_norm_quant"
_QUANT = "-1.0, 0, 0.0, 0.0"
W, V = f32(8), f32(8)

CASES = [
    case(
        "fc",
        "paddle._C_ops.fc(x, w, b, 2, 'relu', False)",
        x=f32("B", "T", 4),
        w=f32(4, 5),
        b=f32(5),
    ),
    case("fc", "paddle._C_ops.fc(x, w, b, 1, '', False)", x=f32("B", 3, 4), w=f32(12, 5), b=f32(5)),
    case("fc", "paddle._C_ops.fc(x, w, None, 1, '', False)", x=f64("B", 4), w=f64(4, 5)),
    case(
        "fc",
        "paddle._C_ops.fc(x, l.weight, l.bias, 2, 'relu', False)",
        x=f32("B", "T", 4),
        l="nn.Linear(4, 5)",
    ),
    case(
        "linear_v2",
        "paddle._C_ops.linear_v2(x, w, b, False)",
        x=f32("B", "T", 4),
        w=f32(4, 5),
        b=f32(5),
    ),
    case(
        "linear_v2",
        "paddle._C_ops.linear_v2(x, w, b, True)",
        x=f32("B", "T", 4),
        w=f32(5, 4),
        b=f32(5),
    ),
    case(
        "linear_v2",
        "paddle._C_ops.linear_v2(x, l.weight, l.bias, False)",
        x=f32("B", 4),
        l="nn.Linear(4, 5)",
    ),
    case(
        "fusion_repeated_fc_relu",
        "paddle._C_ops.fusion_repeated_fc_relu(x, [v, w], [a, b])",
        x=f32("B", 4),
        v=f32(4, 5),
        w=f32(5, 3),
        a=f32(1, 5),
        b=f32(1, 3),
    ),
    case(
        "fusion_squared_mat_sub",
        "paddle._C_ops.fusion_squared_mat_sub(x, y, 0.5)",
        x=f32("B", 4),
        y=f32(4, 5),
    ),
    case(
        "add_position_encoding",
        "paddle._C_ops.add_position_encoding(x, 0.5, 2.0)",
        x=f32("B", "T", 6),
    ),
    case(
        "add_position_encoding",
        "paddle._C_ops.add_position_encoding(x, 1.0, 1.0)",
        x=f64("B", "T", 2),
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, b, r, w, v, 1e-5, 0.5, 1, {_QUANT})[:2]",
        x=f32("B", 8),
        b=f32(8),
        r=f32("B", 8),
        w=W,
        v=V,
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, b, r, None, None, 1e-5, 0.5, 1, {_QUANT})[0]",
        x=f32("B", 8),
        b=f32(8),
        r=f32("B", 8),
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, None, r, w, None, 1e-5, 1.0, 2, {_QUANT})[0]",
        x=f32("B", 3, 8),
        r=f32("B", 3, 8),
        w=W,
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, None, None, w, v, 1e-3, 1.0, 1, {_QUANT})[0]",
        x=f32("B", 2, 4),
        w=W,
        v=V,
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, b, None, w, v, 1e-5, 0.5, 1, {_QUANT})[0]",
        x=f32("B", 8),
        b=f32(8),
        w=W,
        v=V,
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, b, r, w, v, 1e-5, 0.5, 2, {_QUANT})",
        x=f32("B", 3, 8),
        b=f32(8),
        r=f32("B", 3, 8),
        w=W,
        v=V,
    ),
    case(
        "fused_bias_residual_layernorm",
        f"{_LN}(x, None, None, w, v, 1e-5, 1.0, 1, {_QUANT})[2:]",
        x=f32("B", 2, 4),
        w=W,
        v=V,
    ),
    case(
        "fused_rms_norm_quant",
        f"{_RMS}(x, b, None, w, v, 1e-5, 1, {_QUANT})[0]",
        x=f32("B", 8),
        b=f32(8),
        w=W,
        v=V,
    ),
    case(
        "fused_rms_norm_quant",
        f"{_RMS}(x, b, r, w, v, 1e-5, 1, {_QUANT})[:2]",
        x=f32("B", 8),
        b=f32(8),
        r=f32("B", 8),
        w=W,
        v=V,
    ),
    case(
        "fused_rms_norm_quant",
        f"{_RMS}(x, None, None, w, None, 1e-3, 2, {_QUANT})[0]",
        x=f32("B", 3, 8),
        w=W,
    ),
]
