"""Quantisation at inference. Quantised numbers stay in float, as in Paddle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Result
from workbench.core.dtypes import is_float
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import refuse, rule, state


def _channels(scale: Value, x: Value, axis: int) -> Any:
    """The scale in a shape that broadcasts along the axis; as it is for a single number."""
    trailing = len(x.shape) - 1 - axis
    if axis < 0 or trailing == 0 or scale.shape in ((), (1,)):
        return scale
    return method(scale, "reshape", -1, *[1] * trailing)


def _limit(bits: int) -> int:
    """The greatest quantised number: 127 for 8 bits."""
    return int(2 ** (bits - 1)) - 1


@rule(
    "pd_op.quantize_linear",
    "pd_op.quantize_linear_",
    traits=(Trait.DECIDES, Trait.SETTINGS_AS_OPERANDS, Trait.NOT_A_DERIVATIVE),
)
def quantize_linear(
    op: Context,
    x: Value,
    scale: Value,
    quant_axis: int = -1,
    qmax: int = 127,
    round_type: int = 0,
    is_test: bool = True,
    only_observer: bool = False,
) -> Result:
    """Round x / scale · qmax, clip to [-qmax - 1, qmax]. Paddle ignores `qmin`, the zero point."""
    _only_inference(op, is_test)
    if only_observer:
        return Result(x_itself(x), {"y": ()})
    options = {} if round_type == 0 else {"half_even": False}
    out = call("fn.quantize", x, _channels(scale, x, quant_axis), qmax, **options)
    return Result(out, {"y": ()})


@rule(
    "pd_op.dequantize_linear",
    "pd_op.dequantize_linear_",
    traits=(Trait.SETTINGS_AS_OPERANDS, Trait.NOT_A_DERIVATIVE),
)
def dequantize_linear(
    op: Context,
    x: Value,
    scale: Value,
    quant_axis: int = -1,
    qmax: int = 127,
    is_test: bool = True,
    only_observer: bool = False,
) -> Result:
    """Multiply by scale / qmax. Paddle ignores the zero point."""
    _only_inference(op, is_test)
    if only_observer:
        return Result(x_itself(x), {"y": ()})
    op.substituted("3.3.1 runs the kernel of quantize_linear, which quantises once more")
    return Result(_dequantized(x, _channels(scale, x, quant_axis), qmax), {"y": ()})


def _dequantized(x: Value, scale: Any, limit: float) -> Call:
    """The numbers that quantised ones stand for."""
    whole = x if is_float(x.dtype) else method(x, "float")
    return call("operator.mul", whole, scale) / limit


def x_itself(x: Value) -> Call:
    """The value unchanged."""
    return method(x, "clone")


def _only_inference(op: Context, is_test: bool) -> None:
    op.require(is_test, "the program still collects scales", "Export it in eval mode.")


@rule(
    "pd_op.fake_quantize_abs_max",
    "pd_op.fake_quantize_dequantize_abs_max",
    traits=(Trait.DECIDES, Trait.NOT_A_DERIVATIVE),
)
def quantize_abs_max(op: Context, x: Value, bit_length: int = 8, round_type: int = 1) -> Call:
    """Quantise by the greatest absolute value. Ties go away from 0 unless `round_type` is 0."""
    return _by_maximum(op, x, bit_length, round_type, None)


@rule(
    "pd_op.fake_channel_wise_quantize_abs_max",
    "pd_op.fake_channel_wise_quantize_dequantize_abs_max",
    traits=(Trait.DECIDES, Trait.NOT_A_DERIVATIVE),
)  # fmt: skip
def channel_wise_quantize_abs_max(
    op: Context,
    x: Value,
    bit_length: int = 8,
    round_type: int = 1,
    quant_axis: int = 0,
    is_test: bool = False,
) -> Call:
    """Quantise each channel by its greatest absolute value."""
    op.require(not is_test, "the scales of the channels are not in the program")
    return _by_maximum(op, x, bit_length, round_type, quant_axis)


def _by_maximum(op: Context, x: Value, bits: int, round_type: int, axis: int | None) -> Call:
    options: dict[str, Any] = {} if axis is None else {"axis": axis}
    options |= {"half_even": True} if round_type == 0 else {}
    options |= {"dequantize": True} if "quantize_dequantize" in op.name else {}
    return call("fn.quantize_by_maximum", x, _limit(bits), **options)


@rule(
    "pd_op.fake_quantize_moving_average_abs_max", "pd_op.fake_quantize_range_abs_max",
    "pd_op.fake_quantize_dequantize_moving_average_abs_max",
    "pd_op.fake_quantize_moving_average_abs_max_", "pd_op.fake_quantize_range_abs_max_",
    "pd_op.fake_quantize_dequantize_moving_average_abs_max_",
    traits=(Trait.DECIDES, Trait.SETTINGS_AS_OPERANDS, Trait.NOT_A_DERIVATIVE),
)  # fmt: skip
def quantize_by_scale(
    op: Context,
    x: Value,
    in_scale: Value,
    bit_length: int = 8,
    is_test: bool = True,
    round_type: int = 1,
) -> Result:
    """Quantise by the collected scale. Ties go away from 0 unless `round_type` is 0."""
    _only_inference(op, is_test)
    limit = _limit(bit_length)
    options = {} if round_type == 0 else {"half_even": False}
    out = call("fn.quantize", x, in_scale, limit, **options)
    if "quantize_dequantize" in op.name:
        out = call("fn.straight_through", x, out * in_scale / limit)
    return Result(out, {"out": ()})


state(
    "pd_op.fake_quantize_dequantize_abs_max", "pd_op.fake_channel_wise_quantize_dequantize_abs_max",
    "pd_op.fake_quantize_dequantize_moving_average_abs_max",
    "pd_op.fake_quantize_dequantize_moving_average_abs_max_",
    traits=(Trait.SIMULATED_QUANTISATION,),
)  # fmt: skip


@rule("pd_op.moving_average_abs_max_scale", "pd_op.moving_average_abs_max_scale_", traits=())
def moving_average_scale(op: Context, x: Value, is_test: bool = True) -> Result:
    """Collects a scale in training; gives its input at inference."""
    _only_inference(op, is_test)
    return Result(x_itself(x), {"out": ()})


@rule(
    "pd_op.fake_dequantize_max_abs",
    "pd_op.dequantize_abs_max",
    traits=(Trait.SETTINGS_AS_OPERANDS, Trait.NOT_A_DERIVATIVE),
)
def dequantize_abs_max(op: Context, x: Value, scale: Value, max_range: float) -> Call:
    """Multiply by scale / max_range."""
    return _dequantized(x, scale, max_range)


@rule(
    "pd_op.fake_channel_wise_dequantize_max_abs",
    traits=(Trait.SETTINGS_AS_OPERANDS, Trait.NOT_A_DERIVATIVE),
)
def channel_wise_dequantize(
    op: Context,
    x: Value,
    scales: Operand,
    quant_bits: Sequence[int] = (8,),
    quant_axis: int = 0,
    x_num_col_dims: int = 1,
) -> Call:
    """Multiply by each channel's scale, and by the activations' scale if there is one."""
    given = scales if isinstance(scales, tuple) else (scales,)
    first, *rest = [op.tensor(scale) for scale in given]
    axis = x_num_col_dims if rest else quant_axis
    limit = 1
    for bits in quant_bits[: len(given)]:
        limit *= _limit(bits)
    out = call("operator.mul", x, _channels(first, x, axis))
    for scale in rest:
        out = out * scale
    return out / limit


@rule("pd_op.dequantize_log", traits=(Trait.NOT_A_DERIVATIVE,))
def dequantize_log(op: Context, x: Value, dict_: Value) -> Call:
    """Look 8-bit codes up in a table of magnitudes."""
    return call("fn.dequantize_log", x, dict_)


@rule("pd_op.apply_per_channel_scale", traits=())
def apply_scale(op: Context, x: Value, scales: Value) -> Call:
    """Multiply the last axis by a scale."""
    return call("operator.mul", x, scales)


refuse(
    "weight_quantize", "weight_dequantize", "weight_only_linear", "llm_int8_linear",
    reason="its integer weights are interleaved for one GPU architecture",
    hint="Export the model before weight-only quantisation.",
)  # fmt: skip
refuse(
    "lookup_table_dequant",
    reason="its quantised layout is not documented",
    hint="Export the model before it is quantised.",
)  # fmt: skip
