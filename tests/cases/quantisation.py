"""Cases for quantisation."""

from __future__ import annotations

from tests.oracle.case import Spec, case, f32, f64, values

X = f32("B", 3, "H", "W")
TIES = values([[0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.2, 130.0, -128.2, -300.0]])
_FORMAT = "paddle.nn.quant.format."
_FAKE = "paddle._C_ops.fake_"

# The channel-wise operator and `dequantize_linear` are in test_gpu_operators.py: Paddle
# cannot
# run the first at inference, and runs the quantising kernel for the second.
CASES = [
    *(
        case(
            "quantize_linear",
            f"paddle._C_ops.quantize_linear({arguments})[0]",
            x=x,
            s=s,
            z=values([0.0]),
            a=values([1.0]),
        )
        for x, s in ((X, values([1.3])), (TIES, values([127.0])))
        for arguments in (
            "x, s, z, a, a, -1, 8, -128, 127, 0, True, False",
            "x, s, z, a, a, -1, 8, -128, 127, 1, True, False",
            "x, s, z, a, a, -1, 4, -8, 7, 0, True, False",
        )
    ),
    case("quantize_linear", "q(x)", x=TIES, q=f"{_FORMAT}LinearQuanter(127.0, 3.0, bit_length=4)"),
    case(
        "quantize_linear",
        "q(x)",
        x=f32(2, 3, 4, 5),
        q=f"{_FORMAT}LinearQuanter([1.3, 0.7, 2.0], [0.0] * 3, quant_axis=1)",
    ),
    case(
        "quantize_linear",
        "q(x)",
        x=f32(3, 5),
        q=f"{_FORMAT}LinearQuanter([1.3, 0.7, 2.0], [0.0] * 3, 0)",
    ),
    *(
        case(f"fake_{name}", f"{_FAKE}{name}(x, {arguments})", x=x, grad="dequantize" in name)
        for name, arguments in (
            ("quantize_abs_max", "8, 0"),
            ("quantize_abs_max", "8, 1"),
            ("quantize_dequantize_abs_max", "8, 1"),
            ("quantize_dequantize_abs_max", "4, 0"),
            ("channel_wise_quantize_dequantize_abs_max", "8, 1, 1"),
            ("channel_wise_quantize_dequantize_abs_max", "4, 0, 0"),
        )
        for x in (f32(4, 3, 5), TIES)
    ),
    *(
        case(
            f"fake_{name}",
            f"{_FAKE}{name}(x, s, a, a, 0.9, 8, True, {kind})[0]",
            x=x,
            s=values([1.3]),
            a=values([1.0]),
            grad="dequantize" in name,
        )
        for name in (
            "quantize_moving_average_abs_max",
            "quantize_dequantize_moving_average_abs_max",
        )
        for kind in (0, 1)
        for x in (X, TIES)
    ),
    case(
        "fake_quantize_range_abs_max",
        f"{_FAKE}quantize_range_abs_max(x, s, i, 100, 8, True, 1)[0]",
        x=X,
        s=values([1.3]),
        i=values([1], "int64"),
    ),
    case("fake_dequantize_max_abs", f"{_FAKE}dequantize_max_abs(x, s, 127.0)", x=X, s=f32(1)),
    case(
        "fake_channel_wise_dequantize_max_abs",
        f"{_FAKE}channel_wise_dequantize_max_abs(x, [s], [8], 0, 1)",
        x=f32(3, 4, 5),
        s=f32(3),
    ),
    case(
        "fake_channel_wise_dequantize_max_abs",
        f"{_FAKE}channel_wise_dequantize_max_abs(x, [s], [8], 1, 1)",
        x=f64(3, 4, 5),
        s=f64(4),
    ),
    case(
        "fake_channel_wise_dequantize_max_abs",
        f"{_FAKE}channel_wise_dequantize_max_abs(x, [s, t], [8, 4], 0, 1)",
        x=f32(3, 4, 5),
        s=f32(4),
        t=f32(1),
    ),
    case(
        "dequantize_abs_max",
        "paddle._C_ops.dequantize_abs_max(x, s, 127.0)",
        x=Spec((4, 3), "int8", -9, 9),
        s=f32(1),
    ),
    case(
        "dequantize_log",
        "paddle._C_ops.dequantize_log(x, d)",
        x=Spec((4, 3), "int8", -128, 127),
        d=f32(128),
    ),
]

CASES += [
    case(
        "moving_average_abs_max_scale",
        "paddle._C_ops.moving_average_abs_max_scale_(x, a, a, 0.9, True)[0]",
        x=X,
        a=values([1.0]),
    ),
]
