"""Operators that Paddle's passes fuse. Those without a CPU kernel follow the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.conversion.context import EVAL, Context, call, method
from workbench.core.calls import Call, Layer, Result
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import refuse, rule
from workbench.sources.paddle.rules.convolution import conv

_ACTIVATIONS = {
    "relu": "F.relu", "relu6": "F.relu6", "gelu": "F.gelu", "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh", "silu": "F.silu", "swish": "F.silu", "fast_gelu": "F.gelu",
    "hard_swish": "F.hardswish", "mish": "F.mish",
}  # fmt: skip


def activated(op: Context, x: Any, name: str) -> Any:
    """The activation of that name; none for "", "none" and "identity"."""
    if name in ("", "none", "identity"):
        return x
    op.require(name in _ACTIVATIONS, f"the fused activation '{name}' is not known")
    options = {"approximate": "tanh"} if name == "fast_gelu" else {}
    return call(_ACTIVATIONS[name], x, **options)


def dense(
    op: Context, x: Any, weight: Value, bias: Operand = None, transposed: bool = False
) -> Call | Layer:
    """A fully connected layer on the last axis, or the function when its weight is computed."""
    kernel, shift = op.weight(weight), op.weight(bias)
    if kernel is None or len(kernel.shape) != 2 or (bias is not None and shift is None):
        return call("F.linear", x, weight if transposed else method(weight, "t"), bias)
    kernel = kernel if transposed else kernel.transposed()
    outputs, inputs = kernel.final_shape
    arguments: dict[str, Any] = {"in_features": inputs, "out_features": outputs}
    if shift is None:
        return Layer("nn.Linear", (x,), arguments | {"bias": False}, {"weight": kernel})
    weights = {"weight": kernel, "bias": shift.reshaped(outputs)}
    return Layer("nn.Linear", (x,), arguments, weights)


def _flattened(x: Value, columns: int) -> Any:
    """The axes from `columns` on made one."""
    return x if columns == len(x.shape) - 1 else method(x, "flatten", columns)


@rule("pd_op.fc", "pd_op.gemm_epilogue", traits=())
def fc(
    op: Context,
    input_: Value,
    w: Value,
    bias: Operand = None,
    in_num_col_dims: int = 1,
    activation_type: str = "",
    padding_weights: bool = False,
) -> Any:
    """Fully connected on the axes from `in_num_col_dims` on, with an activation."""
    op.require(not padding_weights, "its weights are padded")
    out = dense(op, _flattened(input_, in_num_col_dims), w, bias)
    return activated(op, out, activation_type)


@rule("pd_op.linear_v2", traits=())
def linear(
    op: Context, input_: Value, weight: Value, bias: Operand = None, transpose_weight: bool = False
) -> Any:
    """Fully connected. Paddle keeps the weight as (in, out), PyTorch as (out, in)."""
    return dense(op, input_, weight, bias, transpose_weight)


@rule("pd_op.fused_gemm_epilogue", traits=())
def gemm_epilogue(
    op: Context,
    x: Value,
    y: Value,
    bias: Operand = None,
    trans_x: bool = False,
    trans_y: bool = False,
    activation: str = "none",
) -> Result:
    """A product, a bias and an activation."""
    first = method(x, "transpose", -1, -2) if trans_x else x
    return Result(activated(op, dense(op, first, y, bias, trans_y), activation), {"out": ()})


@rule("pd_op.fusion_repeated_fc_relu", traits=())
def repeated_fc(op: Context, x: Value, w: Operand, bias: Operand) -> Result:
    """Fully connected layers one after another, each with a ReLU."""
    out: Any = x
    weights, shifts = (side if isinstance(side, tuple) else () for side in (w, bias))
    for weight, shift in zip(weights, shifts, strict=True):
        matrix = op.tensor(weight)
        out = call("F.relu", call("F.linear", out, method(matrix, "t"), method(shift, "flatten")))
    return Result(out, {"out": ()})


@rule("pd_op.batch_fc", traits=())
def batch_fc(op: Context, input_: Value, w: Value, bias: Value) -> Call:
    """A fully connected layer for each element of the first axis."""
    return call("torch.baddbmm", method(bias, "unsqueeze", 1), input_, w)


@rule("pd_op.fusion_squared_mat_sub", traits=())
def squared_difference(op: Context, x: Value, y: Value, scalar: float = 1.0) -> Result:
    """((x y)² - x² y²) · scalar, as in factorisation machines."""
    product = call("torch.matmul", x, y).method("square")
    squares = call("torch.matmul", method(x, "square"), method(y, "square"))
    return Result((product - squares) * scalar, {"out": ()})


@rule("pd_op.fusion_transpose_flatten_concat", traits=())
def transpose_flatten_concat(
    op: Context, x: Operand, trans_axis: Sequence[int], flatten_axis: int, concat_axis: int
) -> Call:
    """Each tensor transposed and flattened to a matrix, then joined."""
    values = x if isinstance(x, tuple) else ()
    parts = []
    for value in values:
        moved = method(value, "permute", *trans_axis)
        moved = moved if flatten_axis <= 1 else moved.method("flatten", 0, flatten_axis - 1)
        parts.append(moved.method("flatten", 1))
    return call("torch.cat", parts, concat_axis)


@rule("pd_op.add_position_encoding", traits=())
def position_encoding(op: Context, x: Value, alpha: float = 1.0, beta: float = 1.0) -> Call:
    """Sinusoids of the position, times beta, added to alpha · x."""
    return call("fn.position_encoding", x, alpha, beta)


@rule("pd_op.fused_conv2d_add_act", traits=(Trait.CONVOLUTION,))
def conv_add_act(
    op: Context,
    input_: Value,
    filter_: Value,
    bias: Value | None = None,
    residual_data: Value | None = None,
    strides: tuple[int, ...] = (1, 1),
    paddings: tuple[int, ...] = (0, 0),
    padding_algorithm: str = "EXPLICIT",
    dilations: tuple[int, ...] = (1, 1),
    groups: int = 1,
    data_format: str = "NCHW",
    activation: str = "relu",
    split_channels: Sequence[int] = (),
) -> Result:
    """Convolution, bias, residual and activation."""
    op.require(not split_channels, "its channels are split into several outputs")
    out: Any = conv(
        op, input_, filter_, bias, strides, paddings, padding_algorithm, dilations, groups,
        data_format,
    )  # fmt: skip
    out = out if residual_data is None else call("operator.add", out, residual_data)
    return Result(activated(op, out, activation), {"output": ()})


@rule("pd_op.fused_bias_act", traits=())
def bias_act(
    op: Context,
    x: Value,
    bias: Operand = None,
    dequant_scales: Operand = None,
    shift: Operand = None,
    smooth: Operand = None,
    act_method: str = "gelu",
    quant_scale: float = -1.0,
) -> Any:
    """Bias and activation; "swiglu" and "geglu" gate the second half with the first."""
    plain = dequant_scales is None and shift is None and smooth is None and quant_scale <= 0
    op.require(plain, "it quantises or smooths")
    out: Any = x if bias is None else call("operator.add", x, bias)
    if act_method in ("swiglu", "geglu"):
        halves = call("torch.chunk", out, 2, -1)
        gate = "F.silu" if act_method == "swiglu" else "F.gelu"
        return call(gate, halves[0]) * halves[1]
    return activated(op, out, act_method)


def _dropped(op: Context, x: Any, rate: float, is_test: bool, mode: str) -> Any:
    """Dropout at inference: nothing, or a factor where the mode scales only then."""
    op.require(is_test or not rate, "the program drops out at inference", EVAL)
    if mode == "upscale_in_train" or not rate:
        return x
    op.note(f"dropout in mode {mode}: times {1 - rate:g}")
    return call("operator.mul", x, round(1 - rate, 6))


@rule("pd_op.fused_dropout_add", traits=(Trait.DROPOUT,))
def dropout_add(
    op: Context,
    x: Value,
    y: Value,
    p: Any = 0.0,
    is_test: bool = True,
    mode: str = "upscale_in_train",
) -> Result:
    """The second input added to the first after dropout, which does nothing at inference."""
    rate = op.scalar(p) if isinstance(p, Value) else p
    op.require(isinstance(rate, (int, float)), "the rate of dropout depends on the inputs")
    return Result(call("operator.add", _dropped(op, x, rate, is_test, mode), y), {"out": ()})


@rule("pd_op.skip_layernorm", traits=())
def skip_layernorm(
    op: Context,
    x: Value,
    y: Value,
    scale: Value,
    bias: Value,
    epsilon: float = 1e-5,
    begin_norm_axis: int = -1,
) -> Call:
    """Layer norm of a sum."""
    axis = begin_norm_axis % len(x.shape)
    return call("fn.residual_norm", x, None, y, scale, bias, axis=axis, eps=epsilon)[0]


@rule(
    "pd_op.fused_bias_residual_layernorm",
    "pd_op.fused_rms_norm_quant",
    traits={"pd_op.fused_rms_norm_quant": (Trait.NOT_A_DERIVATIVE,)},
)
def residual_norm(
    op: Context,
    x: Value,
    bias: Operand = None,
    residual: Operand = None,
    norm_weight: Operand = None,
    norm_bias: Operand = None,
    epsilon: float = 1e-5,
    residual_alpha: float = 1.0,
    begin_norm_axis: int = 1,
    quant_scale: float = -1.0,
) -> Result:
    """Layer norm (or RMS norm) of x + bias + alpha · residual; the second output is that sum."""
    op.require(quant_scale <= 0, "it quantises its result")
    options: dict[str, Any] = {"axis": begin_norm_axis % len(x.shape), "eps": epsilon}
    options |= {"alpha": residual_alpha} if residual_alpha != 1 else {}
    options |= {"mean_square": True} if op.name == "fused_rms_norm_quant" else {}
    if residual is None and bias is not None:
        op.note("without a residual Paddle ignores the bias")
    operands = (x, bias if residual is not None else None, residual, norm_weight, norm_bias)
    places: dict[str, tuple[int, ...]] = {"out": (0,)}
    if residual is not None:
        places["residual_out"] = (1,)
    if op.used("mean") or op.used("variance"):
        op.require(norm_weight is not None, "statistics of what is not normalised")
        places |= {"mean": (2,), "variance": (3,)}
        return Result(call("fn.residual_norm_statistics", *operands, **options), places)
    return Result(call("fn.residual_norm", *operands, **options), places)


@rule("pd_op.fused_bias_dropout_residual_layer_norm", traits=(Trait.DROPOUT,))
def dropout_residual_norm(
    op: Context,
    x: Value,
    residual: Value,
    bias: Operand = None,
    ln_scale: Operand = None,
    ln_bias: Operand = None,
    dropout_rate: float = 0.5,
    is_test: bool = True,
    dropout_implementation: str = "upscale_in_train",
    ln_epsilon: float = 1e-5,
) -> Result:
    """Layer norm of residual + dropout(x + bias) over the last axis."""
    out: Any = x if bias is None else call("operator.add", x, bias)
    out = _dropped(op, out, dropout_rate, is_test, dropout_implementation)
    total = call("operator.add", residual, out)
    width = x.shape[-1]
    out = call("F.layer_norm", total, (width,), ln_scale, ln_bias, ln_epsilon)
    return Result(out, {"y": ()})


@rule("pd_op.fused_fc_elementwise_layernorm", traits=())
def fc_add_layernorm(
    op: Context,
    x: Value,
    w: Value,
    y: Value,
    bias0: Operand = None,
    scale: Operand = None,
    bias1: Operand = None,
    x_num_col_dims: int = 1,
    activation_type: str = "",
    epsilon: float = 1e-5,
    begin_norm_axis: int = 1,
) -> Result:
    """Layer norm of a fully connected layer plus a tensor."""
    out = activated(op, dense(op, _flattened(x, x_num_col_dims), w, bias0), activation_type)
    options = {"axis": begin_norm_axis % len(y.shape), "eps": epsilon}
    found = call("fn.residual_norm", out, None, y, scale, bias1, **options)
    return Result(found[0], {"out": ()})


@rule("pd_op.fused_embedding_eltwise_layernorm", traits=())
def embedding_layernorm(
    op: Context, ids: Operand, embs: Operand, bias: Value, scale: Value, epsilon: float = 1e-5
) -> Call:
    """Layer norm of a sum of embeddings."""
    total: Any = None
    indices, tables = (side if isinstance(side, tuple) else () for side in (ids, embs))
    for index, table in zip(indices, tables, strict=True):
        given = op.tensor(index)
        wide = len(given.shape) == 3 and given.shape[-1] == 1
        found = call("F.embedding", method(given, "squeeze", -1) if wide else given, table)
        total = found if total is None else total + found
    return call("F.layer_norm", total, scale.shape, scale, bias, epsilon)


@rule("pd_op.fused_feedforward", traits=())
def feedforward(
    op: Context,
    x: Value,
    linear1_weight: Value,
    linear2_weight: Value,
    linear1_bias: Operand = None,
    linear2_bias: Operand = None,
    ln1_scale: Operand = None,
    ln1_bias: Operand = None,
    ln2_scale: Operand = None,
    ln2_bias: Operand = None,
    pre_layer_norm: bool = False,
    ln1_epsilon: float = 1e-5,
    ln2_epsilon: float = 1e-5,
    act_method: str = "relu",
    dropout1_prob: float = 0.0,
    dropout2_prob: float = 0.0,
    dropout1_implementation: str = "upscale_in_train",
    dropout2_implementation: str = "upscale_in_train",
    is_test: bool = True,
    add_residual: bool = True,
) -> Result:
    """Two fully connected layers with a residual, and a layer norm before or after."""
    width = (x.shape[-1],)
    first: Any = x
    if pre_layer_norm:
        first = call("F.layer_norm", x, width, ln1_scale, ln1_bias, ln1_epsilon)
    out = call("F.linear", first, method(linear1_weight, "t"), linear1_bias)
    out = activated(op, out, act_method)
    out = _dropped(op, out, dropout1_prob, is_test, dropout1_implementation)
    out = call("F.linear", out, method(linear2_weight, "t"), linear2_bias)
    out = _dropped(op, out, dropout2_prob, is_test, dropout2_implementation)
    out = call("operator.add", x, out) if add_residual else out
    if not pre_layer_norm:
        out = call("F.layer_norm", out, width, ln2_scale, ln2_bias, ln2_epsilon)
    return Result(out, {"out": ()})


refuse(
    "fused_batch_norm_act", "fused_batch_norm_act_", "fused_bn_add_activation",
    "fused_bn_add_activation_", "fused_scale_bias_relu_conv_bn", "fused_dconv_drelu_dbn",
    "fused_linear_param_grad_add", "fused_swiglu_weighted_bwd",
    reason="it exists for training only", hint="Export the model in eval mode.",
)  # fmt: skip
refuse(
    "resnet_unit", "resnet_basic_block", "squeeze_excitation_block", "fused_scale_bias_add_relu",
    "fusion_group", "fp8_fp8_half_gemm_fused", "fused_stack_transpose_quant",
    "fused_elemwise_activation", "fused_elemwise_add_activation",
    "add_group_norm_silu", "correlation", "fused_elementwise_add", "fused_elementwise_sub",
    "fused_elementwise_mul", "fused_elementwise_div",
    reason="it is made for one accelerator or pass, and cannot be measured on a CPU",
    hint="Export the model before Paddle's inference passes, or replace the row by hand.",
)  # fmt: skip
