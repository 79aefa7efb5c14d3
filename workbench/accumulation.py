"""What adding up many products may do to a result, and NaN that kernels treat differently.

Both are looked at only where a layer differs by more than its float64 run explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MATMULS = {torch.matmul, torch.bmm, torch.mm}
_WEIGHTED = {
    torch.nn.functional.linear: 0,
    torch.conv1d: 0, torch.conv2d: 0, torch.conv3d: 0,
    torch.conv_transpose1d: 1, torch.conv_transpose2d: 1, torch.conv_transpose3d: 1,
}  # fmt: skip

#: What is told of a layer at whose NaN the frameworks part.
NAN_READ = "Paddle's values hold NaN here, which the frameworks treat differently"
NOTHING_LEFT = "rows of −inf only: Paddle makes NaN or equal shares of them, by their length"
NAN_TOLD = (NAN_READ, NOTHING_LEFT)


def moved_products(
    node: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], module: nn.Module | None
) -> Any:
    """The result of a convolution, linear layer or matmul, moved by its accumulated rounding.

    Other nodes' results come back as they are.
    """
    if not isinstance(result, torch.Tensor) or result.dtype not in (torch.float32, torch.float64):
        return result
    found = _squared(node, args, kwargs, module)
    if found is None:
        return result
    squares, terms = found
    size = accumulated(result, squares, terms, result.dtype)
    generator = torch.Generator().manual_seed(result.numel())
    sign = torch.randint(0, 2, result.shape, generator=generator).to(result.dtype) * 2 - 1
    return result + sign * size


def accumulated(
    sums: torch.Tensor, squares: torch.Tensor, terms: float, dtype: torch.dtype
) -> torch.Tensor:
    """The rounding of sums whose K terms are added one after another in `dtype`.

    Every partial sum is rounded. With the final sum Y and the sum of squared terms Q, partial sums
    have the mean square Y²/3 + Q/2, so that their roundings add up to about
    eps · √(K / 12) · √(Y²/3 + Q/2).
    """
    size = torch.sqrt(sums.square() / 3 + squares.abs() / 2)
    return size * (torch.finfo(dtype).eps * math.sqrt(terms / 12))


def _squared(
    node: Any, args: tuple[Any, ...], kwargs: dict[str, Any], module: nn.Module | None
) -> tuple[torch.Tensor, float] | None:
    """The sums of the squared products, and how many terms a sum has."""
    if module is not None:
        return _module(module, args[0]) if args else None
    target = node.target if node.op == "call_function" else None
    if len(args) < 2 or not all(isinstance(part, torch.Tensor) for part in args[:2]):
        return None
    one, other = args[0], args[1]
    if target in _MATMULS:
        return target(one.square(), other.square()), float(one.shape[-1])
    if target not in _WEIGHTED:
        return None
    plain = {name: value for name, value in kwargs.items() if name != "bias"}
    squares = target(one.square(), other.square(), None, *args[3:], **plain)
    groups = kwargs.get("groups", 1)
    terms = other.shape[0] / groups if _WEIGHTED[target] else other.shape[1]
    return squares, float(terms * math.prod(other.shape[2:]))


def _module(module: nn.Module, x: Any) -> tuple[torch.Tensor, float] | None:
    terms = weighted_terms(module)
    if not terms:
        return None
    state = {"weight": module.weight.square()}  # type: ignore[operator]
    if module.bias is not None:
        state["bias"] = torch.zeros_like(module.bias)  # type: ignore[arg-type]
    return torch.func.functional_call(module, state, (x.square(),)), terms


def weighted_terms(module: nn.Module) -> float:
    """How many products a convolution or linear layer adds up; 0 for other layers."""
    if not isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear)):
        return 0.0
    weight = module.weight
    first = weight.shape[1]
    if isinstance(module, _TRANSPOSED):
        first = weight.shape[0] // module.groups
    return float(first * math.prod(weight.shape[2:]))


def without_nan(ours: Any, theirs: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Both tensors with zeros where exactly one is NaN; None when there is no such place."""
    if not (isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor)):
        return None
    if ours.shape != theirs.shape or not ours.is_floating_point():
        return None
    apart = torch.isnan(ours) != torch.isnan(theirs)
    if not bool(apart.any()):
        return None
    return ours.masked_fill(apart, 0.0), theirs.masked_fill(apart, 0.0)


def nan_told(ops: Iterable[str], reads: Iterable[torch.Tensor | None]) -> str:
    """Why one framework may have NaN where the other has numbers; empty when it may not.

    NaN comes in, and the operators are not there to treat it; or a softmax may have a row of −inf
    only: on a CPU, Paddle 3.3 gives equal shares where the row's length is a multiple of eight, and
    NaN elsewhere, as torch always does.
    """
    names = list(ops)
    if any("nan" in op or op.endswith(("isfinite", "isinf", "fmax", "fmin")) for op in names):
        return ""
    floats = [read for read in reads if read is not None and read.is_floating_point()]
    if any(bool(torch.isnan(read).any()) for read in floats):
        return NAN_READ
    softmax = any("softmax" in op or "attention" in op or "attn" in op for op in names)
    return NOTHING_LEFT if softmax and any(bool(torch.isinf(r).any()) for r in floats) else ""


def finite_noise(made: Any, wide: Any) -> Any:
    """`wide`, with `made` where that is not finite, so that no difference is seen there.

    Where float32 overflows and float64 does not, the distance between them is no rounding noise.
    """
    if not (isinstance(made, torch.Tensor) and isinstance(wide, torch.Tensor)):
        return wide
    if made.shape != wide.shape or not made.is_floating_point():
        return wide
    if math.isfinite(float(made.sum())):
        return wide
    return torch.where(torch.isfinite(made), wide, made.to(wide.dtype))
