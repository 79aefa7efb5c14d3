"""Rounding that Paddle's kernels are known to have, and that our own run does not show."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.accumulation import weighted_terms

#: Operators that add up many terms, and whether they divide by their number.
SUMS = {
    "mean": "mean", "mean_all": "mean", "pool2d": "mean", "pool3d": "mean", "sum": "sum",
    "reduce_as": "sum", "squared_l2_norm": "sum", "logsumexp": "mean", "var": "mean", "std": "mean",
}  # fmt: skip

#: Operators that Paddle computes partly in float32 whatever the program's dtype: exponents of
#: norms, slopes, boxes, the angle of integers, a series cut short.
FLOAT32_INSIDE = {
    "p_norm", "dist", "rrelu", "prior_box", "atan2", "label_smooth", "lp_pool2d", "renorm",
    "polygamma", "self_dp_attention",
}  # fmt: skip


def known_noise(
    ops: Collection[str], read: torch.Tensor | None, made: Any, layers: Iterable[nn.Module]
) -> float:
    """The largest that applies to a value, made of `read` by these operators and layers."""
    terms = max(map(weighted_terms, layers), default=0.0)
    return max(sum_noise(ops, read, made), least_noise(made, terms), kernel_noise(ops, made, read))


def sum_noise(ops: Iterable[str], read: torch.Tensor | None, made: Any) -> float:
    """What adding up term by term may do to a mean or a sum.

    Torch adds in pairs and loses almost nothing, so its own noise tells nothing about a kernel that
    adds one term after another, as Paddle's do. Of K terms with mean magnitude m the partial sums
    grow to K·m, and their roundings add up to about eps · K·m · √(K / 12); K·m is the mean over all
    sums, or the largest sum if that is more.
    """
    kinds = {SUMS[name] for op in ops if (name := op.partition(".")[2]) in SUMS}
    if not kinds or read is None or not isinstance(made, torch.Tensor) or not made.numel():
        return 0.0
    if not made.is_floating_point() or not read.is_floating_point():
        return 0.0
    terms = read.numel() / made.numel()
    size = float(read.abs().mean(dtype=torch.float64)) * (terms if "sum" in kinds else 1.0)
    largest = float(made.abs().max())  # of a group whose terms are larger than most
    size = max(size, largest) if math.isfinite(largest) else size
    noise = torch.finfo(made.dtype).eps * size * math.sqrt(terms / 12)
    return noise if math.isfinite(noise) else 0.0


def kernel_noise(ops: Iterable[str], made: Any, read: torch.Tensor | None = None) -> float:
    """Rounding inside Paddle's kernels that the result's dtype and size do not show.

    `read` is what the operator reads first.
    """
    if not isinstance(made, torch.Tensor) or not made.is_floating_point() or not made.numel():
        return 0.0
    names = {op.partition(".")[2] for op in ops}
    if "arange" in names:
        return steps_noise(made)
    if any("interp" in name for name in names):
        epsilon = torch.finfo(torch.float32 if made.dtype == torch.float64 else made.dtype).eps
        size = max(*made.shape, *(read.shape if read is not None else ()))
        noise = epsilon * float(made.abs().max()) * max(1.0, size / 8)
        return noise if math.isfinite(noise) else 0.0  # positions are rounded, which grow with size
    if "logsigmoid" in names:  # 1 + exp(-x) is rounded, where torch calls log1p
        return torch.finfo(made.dtype).eps / 4
    names &= FLOAT32_INSIDE
    if made.dtype != torch.float64 or not names:
        return 0.0
    noise = torch.finfo(torch.float32).eps * float(made.abs().max())
    return noise if math.isfinite(noise) else 0.0


def least_noise(result: Any, terms: float) -> float:
    """The part of `moved_products` that the final sums alone tell: eps · √(K / 36) · max |Y|."""
    if not terms or not isinstance(result, torch.Tensor) or not result.numel():
        return 0.0
    if result.dtype not in (torch.float32, torch.float64):
        return 0.0
    noise = torch.finfo(result.dtype).eps * math.sqrt(terms / 36) * float(result.abs().max())
    return noise if math.isfinite(noise) else 0.0


def steps_noise(made: Any) -> float:
    """What adding the step again and again, as Paddle's arange does, makes of a range of floats."""
    if not isinstance(made, torch.Tensor) or not made.is_floating_point() or made.numel() < 3:
        return 0.0
    first, last, count = float(made.flatten()[0]), float(made.flatten()[-1]), made.numel()
    dtype = np.float64 if made.dtype == torch.float64 else np.float32
    steps = np.full(count, (last - first) / (count - 1), dtype)
    steps[0] = first
    exact = first + float(steps[1]) * np.arange(count, dtype=np.float64)
    error = float(np.abs(np.add.accumulate(steps) - exact).max())
    return error if math.isfinite(error) else 0.0
