"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.conversion.names import parts
from workbench.core.calls import Call, Layer, Result
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.infinite import EQUAL_SHARES, masked_throughout


def activation(op: Context, x: Any, name: str, function: str, **arguments: Any) -> Call | Layer:
    """A module where the Paddle model had a layer (its scope ends in one), else a function call."""
    scope = parts(op.op.scope)
    if scope and scope[-1].split("_")[0].lower() == op.name.rstrip("_").replace("_", ""):
        return Layer(f"nn.{name}", (x,), arguments)
    return call(f"F.{function}" if function != "tanh" else "torch.tanh", x, **arguments)


def simple(operator: str, name: str, function: str, *traits: Trait) -> Callable[..., Any]:
    """Register an activation without attributes, with further traits."""

    def convert(op: Context, x: Value) -> Call | Layer:
        return activation(op, x, name, function)

    convert.__doc__ = f"Same function in both frameworks: torch.nn.{name}."
    return rule(f"pd_op.{operator}", traits=(Trait.ELEMENTWISE, *traits))(convert)


simple("relu6", "ReLU6", "relu6", Trait.BOUNDED)
simple("sigmoid", "Sigmoid", "sigmoid", Trait.BOUNDED, Trait.FLOAT32_COMPLEX)
simple("tanh", "Tanh", "tanh", Trait.BOUNDED)
simple("silu", "SiLU", "silu", Trait.BOUNDED, Trait.FLOAT32_COMPLEX)
simple("swish", "SiLU", "silu", Trait.BOUNDED)
simple("softsign", "Softsign", "softsign", Trait.BOUNDED)
simple("tanh_shrink", "Tanhshrink", "tanhshrink")
simple("logsigmoid", "LogSigmoid", "logsigmoid", Trait.BOUNDED)
simple("mish", "Mish", "mish")


@rule("pd_op.relu", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def relu(op: Context, x: Value) -> Call | Layer:
    """max(x, 0). On the CPU Paddle gives 0 for NaN, torch gives NaN."""
    return activation(op, x, "ReLU", "relu")


@rule("pd_op.gelu", traits=(Trait.ELEMENTWISE,))
def gelu(op: Context, x: Value, approximate: bool = False) -> Call | Layer:
    """Exact (erf) unless `approximate`, which is torch's "tanh"; the two differ by up to 4.7e-4."""
    return activation(op, x, "GELU", "gelu", **({"approximate": "tanh"} if approximate else {}))


@rule("pd_op.leaky_relu", traits=(Trait.ELEMENTWISE,))
def leaky_relu(op: Context, x: Value, negative_slope: float = 0.02) -> Call | Layer:
    """X where positive, else slope · x."""
    return activation(op, x, "LeakyReLU", "leaky_relu", negative_slope=negative_slope)


@rule("pd_op.hardswish", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def hardswish(op: Context, x: Value) -> Call | Layer:
    """X · relu6(x + 3) / 6; the PIR operator has no attributes."""
    return activation(op, x, "Hardswish", "hardswish")


def _bound(x: Value, bound: float) -> float:
    """How near a constant must be to torch's; in float64 that Paddle keeps it in float32 shows."""
    return 1e-12 if x.dtype == "float64" else bound


@rule("pd_op.hardsigmoid", traits=(Trait.ELEMENTWISE, Trait.BOUNDED, Trait.FLOAT32_INSIDE))
def hardsigmoid(op: Context, x: Value, slope: float = 0.2, offset: float = 0.5) -> Call | Layer:
    """clip(slope · x + offset, 0, 1). torch's own has slope 1/6; old models use 0.2 or 0.166667."""
    if abs(slope - 1 / 6) < _bound(x, 1e-7) and offset == 0.5:
        return activation(op, x, "Hardsigmoid", "hardsigmoid")
    op.note(f"slope {slope:.9g}, not torch's 1/6: written out")
    return (call("operator.mul", x, slope) + offset).method("clamp", 0, 1)


@rule("pd_op.softmax", traits=(Trait.BOUNDED, Trait.PROBABILITIES))
def softmax(op: Context, x: Value, axis: int = -1) -> Call | Layer:
    """Softmax along one axis, the last by default.

    Where an infinite mask may reach it, a row of −inf only is what Paddle makes of it on a CPU.
    """
    if masked_throughout(op, x, axis):
        op.note(EQUAL_SHARES)
        return call("fn.softmax", x, dim=axis)
    return activation(op, x, "Softmax", "softmax", dim=axis)


@rule("pd_op.log_softmax", traits=())
def log_softmax(op: Context, x: Value, axis: int = -1) -> Call | Layer:
    """Logarithm of softmax along one axis, the last by default.

    On the CPU Paddle goes no lower than 64 below the largest, also for what a mask made -inf.
    """
    op.note("no value falls more than 64 below the largest: so Paddle computes on the CPU")
    return call("fn.log_softmax", x, dim=axis)


@rule("pd_op.elu", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def elu(op: Context, x: Value, alpha: float = 1.0) -> Call | Layer:
    """X where positive, else alpha · (exp(x) - 1)."""
    return activation(op, x, "ELU", "elu", alpha=alpha)


@rule("pd_op.celu", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def celu(op: Context, x: Value, alpha: float = 1.0) -> Call | Layer:
    """X where positive, else alpha · (exp(x / alpha) - 1)."""
    return activation(op, x, "CELU", "celu", alpha=alpha)


@rule("pd_op.selu", traits=(Trait.ELEMENTWISE, Trait.BOUNDED, Trait.FLOAT32_INSIDE))
def selu(
    op: Context, x: Value, scale: float = 1.0507009873554805, alpha: float = 1.6732632423543772
) -> Call | Layer:
    """Scaled ELU; torch has its two constants built in."""
    near = _bound(x, 1e-6)
    if abs(scale - 1.0507009873554805) < near and abs(alpha - 1.6732632423543772) < near:
        return activation(op, x, "SELU", "selu")
    op.note("constants are not the usual ones: written out")
    return call("F.elu", x, alpha) * scale


@rule("pd_op.softplus", traits=(Trait.ELEMENTWISE,))
def softplus(op: Context, x: Value, beta: float = 1.0, threshold: float = 20.0) -> Call | Layer:
    """log(1 + exp(beta · x)) / beta; x itself where beta · x exceeds the threshold."""
    return activation(op, x, "Softplus", "softplus", beta=beta, threshold=threshold)


@rule("pd_op.softshrink", traits=(Trait.ELEMENTWISE,))
def softshrink(op: Context, x: Value, threshold: float = 0.5) -> Call | Layer:
    """X moved towards zero by the threshold."""
    return activation(op, x, "Softshrink", "softshrink", lambd=threshold)


@rule("pd_op.hardshrink", traits=(Trait.ELEMENTWISE,))
def hardshrink(op: Context, x: Value, threshold: float = 0.5) -> Call:
    """Zero where |x| is below the threshold; at the threshold Paddle keeps x, torch gives 0."""
    return call("torch.where", call("operator.lt", method(x, "abs"), threshold), 0.0, x)


@rule("pd_op.hardtanh", traits=(Trait.ELEMENTWISE, Trait.BOUNDED))
def hardtanh(op: Context, x: Value, t_min: float = 0.0, t_max: float = 24.0) -> Call | Layer:
    """X cut to [t_min, t_max]; torch's layer refuses an empty interval."""
    if t_min >= t_max:
        return call("torch.clamp", x, t_min, t_max)
    return activation(op, x, "Hardtanh", "hardtanh", min_val=t_min, max_val=t_max)


@rule("pd_op.thresholded_relu", traits=(Trait.ELEMENTWISE,))
def thresholded_relu(
    op: Context, x: Value, threshold: float = 1.0, value: float = 0.0
) -> Call | Layer:
    """X above the threshold, else the value."""
    return activation(op, x, "Threshold", "threshold", threshold=threshold, value=value)


@rule("pd_op.prelu", traits=())
def prelu(
    op: Context, x: Value, alpha: Value, data_format: str = "NCHW", mode: str = "all"
) -> Call | Layer:
    """X where positive, else alpha · x: one alpha, one per channel, or one per element."""
    first = mode == "all" or (mode == "channel" and data_format.startswith("NC"))
    weight = op.weight(alpha)
    if not first:
        op.note(f"mode {mode}, {data_format}: torch.nn.PReLU has no such form, written out")
        return call("torch.where", call("operator.gt", x, 0), x, call("operator.mul", alpha, x))
    if weight is None:
        return call("F.prelu", x, method(alpha, "reshape", -1))
    count = int(math.prod(weight.shape))
    weights = {"weight": weight.reshaped(count)}
    return Layer("nn.PReLU", (x,), {"num_parameters": count}, weights)


@rule("pd_op.rrelu", traits=(Trait.FLOAT32_INSIDE, Trait.NOISE))
def rrelu(
    op: Context, x: Value, lower: float = 0.125, upper: float = 1 / 3, is_test: bool = False
) -> Result:
    """Leaky ReLU; its slope is random when training, the mean of both limits at inference."""
    if is_test:
        return Result(activation(op, x, "RReLU", "rrelu", lower=lower, upper=upper), {"out": ()})
    op.random()
    return Result(call("F.rrelu", x, lower, upper, training=True), {"out": ()})


@rule("pd_op.gumbel_softmax", traits=())
def gumbel_softmax(
    op: Context, x: Value, temperature: float = 1.0, hard: bool = False, axis: int = -1
) -> Call:
    """Softmax of x plus Gumbel noise; one-hot when `hard`."""
    op.random()
    return call("F.gumbel_softmax", x, tau=temperature, hard=hard, dim=axis)


@rule("pd_op.maxout", traits=())
def maxout(op: Context, x: Value, groups: int, axis: int = 1) -> Call:
    """Maximum over groups of neighbouring channels; torch has no such function."""
    channel = axis % len(x.shape)
    return method(x, "unflatten", channel, (-1, groups)).method("amax", channel + 1)


@rule("pd_op.swiglu", traits=())
def swiglu(op: Context, x: Value, y: Value | None = None) -> Call:
    """silu(x) · y; without y, the halves of x along the last axis."""
    if y is None:
        return call("fn.swiglu", x)
    return call("operator.mul", call("F.silu", x), y)


@rule("pd_op.soft_relu", traits=())
def soft_relu(op: Context, x: Value, threshold: float = 40.0) -> Call:
    """log(1 + exp(x)) of x cut to ±threshold, an operator of Paddle 1."""
    return call("torch.log1p", call("torch.exp", method(x, "clamp", -threshold, threshold)))
