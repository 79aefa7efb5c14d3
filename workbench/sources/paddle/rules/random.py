"""Random operators. The two frameworks have different generators, so values are not comparable."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Layer, Result
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.creation import batch_shape, dtype_option, sizes

Ints = tuple[int, ...]


@rule("pd_op.dropout", traits=(Trait.FLOAT32_INSIDE, Trait.DROPOUT))
def dropout(
    op: Context, x: Value, p: Any = 0.5, is_test: bool = False, mode: str = "downgrade_in_infer"
) -> Any:
    """Nothing at inference, or a factor 1 - p where training did not scale up ("downgrade")."""
    rate = op.scalar(p) if isinstance(p, Value) else p
    op.require(isinstance(rate, (int, float)), "the dropout rate depends on the model's inputs")
    scaled = mode != "upscale_in_train"
    if is_test and scaled:
        op.note(f"mode downscale_in_infer: multiplied by 1 - {rate:g}")
        return Result(call("operator.mul", x, 1 - rate), {"out": ()})
    if is_test:
        return Result(Layer("nn.Dropout", (x,), {"p": rate}), {"out": ()})
    op.random()
    out = call("F.dropout", x, rate, training=True)
    return Result(out * (1 - rate) if scaled else out, {"out": ()})


@rule("pd_op.gaussian", traits=())
def gaussian(op: Context, shape: Operand, mean: float = 0.0, std: float = 1.0) -> Call:
    """Normal distribution."""
    op.random()
    noise = call("torch.randn", sizes(op.ints(shape)), **dtype_option(op.out.dtype))
    return _moved(noise, mean, std)


def _moved(noise: Call, shift: float, factor: float) -> Call:
    scaled = noise if factor == 1 else noise * factor
    return scaled if shift == 0 else scaled + shift


@rule("pd_op.uniform", traits=())
def uniform(op: Context, shape: Operand, min_: Value, max_: Value) -> Call:
    """Uniform distribution on [min, max)."""
    op.random()
    noise = call("torch.rand", sizes(op.ints(shape)), **dtype_option(op.out.dtype))
    low, high = op.scalar(min_), op.scalar(max_)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        return _moved(noise, low, high - low)
    span = call("operator.sub", high, low)
    return call("operator.add", noise * span, low)


@rule("pd_op.uniform_random_batch_size_like", traits=())
def uniform_batch(
    op: Context, input_: Value, shape: Ints, input_dim_idx: int = 0, output_dim_idx: int = 0,
    min_: float = -1.0, max_: float = 1.0,
) -> Call:  # fmt: skip
    """Uniform distribution, with the batch size of another tensor."""
    op.random()
    wanted = batch_shape(op, input_, shape, input_dim_idx, output_dim_idx)
    return _moved(call("torch.rand", wanted, **dtype_option(op.out.dtype)), min_, max_ - min_)


@rule("pd_op.truncated_gaussian_random", traits=())
def truncated_gaussian(
    op: Context, shape: Ints, mean: float, std: float, a: float = -2.0, b: float = 2.0
) -> Call:
    """Normal distribution cut to [a, b]."""
    op.random()
    noise = call("torch.empty", tuple(shape), **dtype_option(op.out.dtype))
    return call("nn.init.trunc_normal_", noise, mean, std, a, b)


@rule("pd_op.randint", traits=())
def randint(op: Context, shape: Operand, low: int, high: int) -> Call:
    """Integers in [low, high)."""
    op.random()
    option = dtype_option(op.out.dtype, "int64")
    return call("torch.randint", low, high, sizes(op.ints(shape)), **option)


@rule("pd_op.randperm", traits=())
def randperm(op: Context, n: int) -> Call:
    """A permutation of 0 … n - 1."""
    op.random()
    return call("torch.randperm", n, **dtype_option(op.out.dtype, "int64"))


@rule("pd_op.bernoulli", "pd_op.poisson", traits=())
def bernoulli(op: Context, x: Value) -> Call:
    """One draw for every element."""
    op.random()
    return call(f"torch.{op.name}", x)


@rule("pd_op.binomial", traits=())
def binomial(op: Context, count: Value, prob: Value) -> Call:
    """Number of successes; Paddle gives int64."""
    op.random()
    trials = method(count, "to", Dtype(prob.dtype)) if count.dtype != prob.dtype else count
    return call("torch.binomial", trials, prob).method("long")


@rule("pd_op.multinomial", traits=())
def multinomial(op: Context, x: Value, num_samples: Value, replacement: bool = False) -> Call:
    """Indices drawn with the given weights."""
    op.random()
    return call("torch.multinomial", x, op.int(num_samples), replacement)


@rule("pd_op.standard_gamma", traits=())
def standard_gamma(op: Context, x: Value) -> Call:
    """Gamma distribution of scale 1."""
    op.random()
    return call("fn.sample_gamma", x)


@rule("pd_op.dirichlet", traits=())
def dirichlet(op: Context, alpha: Value) -> Call:
    """Dirichlet distribution along the last axis."""
    op.random()
    return call("fn.sample_dirichlet", alpha)


@rule("pd_op.exponential_", traits=())
def exponential(op: Context, x: Value, lam: float = 1.0) -> Call:
    """Exponential distribution in the shape of x."""
    op.random()
    return call("torch.empty_like", x).method("exponential_", lam)


@rule("pd_op.uniform_inplace", traits=())
def uniform_inplace(op: Context, x: Value, min_: float = -1.0, max_: float = 1.0) -> Call:
    """Uniform distribution in the shape of x."""
    op.random()
    return call("torch.empty_like", x).method("uniform_", min_, max_)


@rule("pd_op.gaussian_inplace", traits=())
def gaussian_inplace(op: Context, x: Value, mean: float = 0.0, std: float = 1.0) -> Call:
    """Normal distribution in the shape of x."""
    op.random()
    return call("torch.empty_like", x).method("normal_", mean, std)


@rule("pd_op.random", traits=())
def random_integers(op: Context, x: Value, from_: int, to: int) -> Call:
    """Integers in [from, to), in the shape and dtype of x."""
    op.random()
    return call("torch.empty_like", x).method("random_", from_, to)
