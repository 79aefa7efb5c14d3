"""Normalisations: batch, layer, group, instance, RMS, local response, spectral."""

from __future__ import annotations

from typing import Any

from workbench.conversion.channels import in_channels_first, sizes_of
from workbench.conversion.context import Context, call, method
from workbench.conversion.names import parts
from workbench.core.calls import Call, Layer, Result, Weight
from workbench.core.integers import Int, Symbol
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule


def in_layer(op: Context, name: str) -> bool:
    """True when the op stands directly in a Paddle layer of that class (`nn.LayerNorm`)."""
    scope = parts(op.op.scope)
    return bool(scope) and scope[-1].split("_")[0] == name


@rule("pd_op.batch_norm", "pd_op.sync_batch_norm_", traits=(Trait.LINEAR, Trait.BATCH_NORM))
def batch_norm(
    op: Context,
    x: Value,
    mean: Value | None,
    variance: Value | None,
    scale: Value | None = None,
    bias: Value | None = None,
    is_test: bool = True,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    data_format: str = "NCHW",
    use_global_stats: bool = False,
    trainable_statistics: bool = False,
) -> Result:
    """Batch normalisation. Paddle's momentum is the share of the old value, torch's of the new one.

    In training Paddle accumulates the biased variance, torch the unbiased one.
    """
    rank = len(x.shape)
    running = (is_test and not trainable_statistics) or use_global_stats
    weights = {"weight": scale, "bias": bias, "running_mean": mean, "running_var": variance}
    stored = {key: weight for key, value in weights.items() if (weight := op.weight(value))}

    def normalised(first: Any) -> Call | Layer:
        if running and len(stored) == 4 and 2 <= rank <= 5:
            name = f"nn.BatchNorm{max(rank - 2, 1)}d"
            arguments = {
                "num_features": stored["weight"].shape[0],
                "eps": epsilon,
                "momentum": round(1 - momentum, 6),
            }
            return Layer(name, (first,), arguments, stored)
        if running:
            return call("F.batch_norm", first, mean, variance, scale, bias, eps=epsilon)
        op.note("normalises with the statistics of the batch, as the Paddle program does")
        return call("F.batch_norm", first, None, None, scale, bias, training=True, eps=epsilon)

    return Result(in_channels_first(op, x, data_format, normalised, "layer"), {"out": ()})


@rule("pd_op.layer_norm", "pd_op.fast_ln", traits=())
def layer_norm(
    op: Context,
    x: Value,
    scale: Value | None = None,
    bias: Value | None = None,
    epsilon: float = 1e-5,
    begin_norm_axis: int = -1,
) -> Result:
    """Layer normalisation over all axes from `begin_norm_axis`; Paddle stores flat weights."""
    shape = _normalized_shape(x, begin_norm_axis, scale or bias)
    place = {next(iter(op.outputs)): ()}
    affine = {key: value for key, value in (("weight", scale), ("bias", bias)) if value is not None}
    weights = _reshaped(op, affine, shape)
    if weights is not None and (scale is not None or (not affine and in_layer(op, "LayerNorm"))):
        arguments = {"normalized_shape": shape if len(shape) > 1 else shape[0], "eps": epsilon}
        if not affine:
            arguments["elementwise_affine"] = False
        elif bias is None:
            arguments["bias"] = False
        return Result(Layer("nn.LayerNorm", (x,), arguments, weights), place)
    shaped: dict[str, Any] = dict(affine)
    if len(shape) > 1:
        shaped = {key: method(value, "reshape", *shape) for key, value in affine.items()}
    return Result(call("F.layer_norm", x, shape, **shaped, eps=epsilon), place)


def _normalized_shape(x: Value, begin: int, weight: Value | None) -> tuple[Int, ...]:
    """Sizes of the normalised axes; of one axis the weight tells it when the input does not."""
    begin %= len(x.shape)
    if begin == len(x.shape) - 1 and weight is not None:
        return weight.shape
    return tuple(sizes_of(x, begin, len(x.shape)))


def _reshaped(
    op: Context, affine: dict[str, Value], shape: tuple[Int, ...]
) -> dict[str, Weight] | None:
    """The weights in the normalised shape; None when one is computed or the shape is dynamic."""
    if any(isinstance(size, Symbol) or size < 0 for size in shape):
        return None
    weights = {key: op.weight(value) for key, value in affine.items()}
    sizes = [size for size in shape if isinstance(size, int)]
    found = {key: weight.reshaped(*sizes) for key, weight in weights.items() if weight is not None}
    return found if len(found) == len(affine) else None


@rule("pd_op.group_norm", traits=())
def group_norm(
    op: Context,
    x: Value,
    scale: Value | None = None,
    bias: Value | None = None,
    epsilon: float = 1e-5,
    groups: int = 1,
    data_format: str = "NCHW",
) -> Result:
    """Group normalisation; the same in both, but torch has channels first only."""
    weight, shift = op.weight(scale), op.weight(bias)

    def normalised(first: Any) -> Call | Layer:
        if weight is None or shift is None:
            return call("F.group_norm", first, groups, scale, bias, eps=epsilon)
        arguments = {"num_groups": groups, "num_channels": weight.shape[0], "eps": epsilon}
        return Layer("nn.GroupNorm", (first,), arguments, {"weight": weight, "bias": shift})

    return Result(in_channels_first(op, x, data_format, normalised, "layer"), {"y": ()})


@rule("pd_op.instance_norm", traits=())
def instance_norm(
    op: Context,
    x: Value,
    scale: Value | None = None,
    bias: Value | None = None,
    epsilon: float = 1e-5,
) -> Result:
    """Instance normalisation, always with the statistics of the input.

    Paddle calls the weight `scale`; it accepts a single spatial element, torch's layer raises.
    """
    weight, shift = op.weight(scale), op.weight(bias)
    spatial = x.shape[2:]
    if all(size == 1 for size in spatial):
        op.note("one element per channel: its normalised value is 0")
        out = call("operator.sub", x, x)
        ones = (1,) * len(spatial)
        return Result(out if bias is None else out + method(bias, "reshape", -1, *ones), {"y": ()})
    if weight is None or shift is None:
        out = call("F.instance_norm", x, weight=scale, bias=bias, eps=epsilon)
        return Result(out, {"y": ()})
    arguments = {"num_features": weight.shape[0], "eps": epsilon, "affine": True}
    name = f"nn.InstanceNorm{len(spatial)}d"
    return Result(Layer(name, (x,), arguments, {"weight": weight, "bias": shift}), {"y": ()})


@rule("pd_op.rms_norm", "pd_op.fast_rms_norm", "pd_op.fused_rms_norm_ext", traits=())
def rms_norm(
    op: Context,
    x: Value,
    scale: Value | None = None,
    normalized_shape: tuple[int, ...] = (),
    epsilon: float = 1e-5,
) -> Result:
    """Root-mean-square normalisation over the trailing axes that `normalized_shape` names."""
    begin = len(x.shape) - max(len(normalized_shape), 1)
    shape = tuple(normalized_shape) or _normalized_shape(x, begin, scale)
    weights = None if scale is None else _reshaped(op, {"weight": scale}, shape)
    if weights is not None:
        arguments = {"normalized_shape": shape if len(shape) > 1 else shape[0], "eps": epsilon}
        return Result(Layer("nn.RMSNorm", (x,), arguments, weights), {"y": ()})
    shaped = scale if scale is None or len(shape) == 1 else method(scale, "reshape", *shape)
    return Result(call("F.rms_norm", x, shape, shaped, eps=epsilon), {"y": ()})


@rule("pd_op.norm", traits=())
def norm(op: Context, x: Value, axis: int = -1, epsilon: float = 1e-10) -> Result:
    """Divide by sqrt(sum(x²) + epsilon): the epsilon stands inside the root."""
    return Result(call("fn.l2_normalize", x, dim=axis, eps=epsilon), {"out": ()})


@rule("pd_op.lrn", traits=())
def local_response_norm(
    op: Context,
    x: Value,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    data_format: str = "NCHW",
) -> Result:
    """Local response normalisation. torch divides `alpha` by the number of channels summed."""
    op.require(n % 2, "an even number of channels is not centred as in torch")
    op.note(f"alpha {alpha:g} times {n}, which torch divides out")
    settings = {"alpha": alpha * n, "beta": beta, "k": k}
    out = in_channels_first(
        op, x, data_format, lambda first: call("F.local_response_norm", first, n, **settings)
    )
    return Result(out, {"out": ()})


@rule("pd_op.spectral_norm", traits=())
def spectral_norm(
    op: Context,
    weight: Value,
    u: Value,
    v: Value,
    dim: int = 0,
    power_iters: int = 1,
    eps: float = 1e-12,
) -> Call:
    """Weight divided by its largest singular value, estimated by power iteration from `u`."""
    return call("fn.spectral_norm", weight, u, v, dim=dim, power_iters=power_iters, eps=eps)


@rule("pd_op.affine_channel", traits=())
def affine_channel(
    op: Context, x: Value, scale: Value, bias: Value, data_layout: str = "NCHW"
) -> Call:
    """Scale and shift each channel: a batch norm whose statistics are folded in."""
    if data_layout == "NHWC" or len(x.shape) == 2:
        return call("operator.mul", x, scale) + bias
    ones = (1,) * (len(x.shape) - 2)
    return call("operator.mul", x, method(scale, "reshape", -1, *ones)) + method(
        bias, "reshape", -1, *ones
    )
