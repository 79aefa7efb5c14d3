"""Normalisations that torch has in another form."""

from __future__ import annotations

import torch
from torch import Tensor


def l2_normalize(x: Tensor, dim: int, eps: float) -> Tensor:
    """`x` divided by sqrt(sum of squares + eps) along `dim`."""
    return x / (x.square().sum(dim, keepdim=True) + eps).sqrt()


def spectral_norm(
    weight: Tensor, u: Tensor, v: Tensor, dim: int, power_iters: int, eps: float
) -> Tensor:
    """The weight divided by its largest singular value; `u` and `v` start the power iteration."""
    matrix = weight.movedim(dim, 0).flatten(1)
    with torch.no_grad():
        for _ in range(power_iters):
            v = matrix.T @ u
            v = v / (v.norm() + eps)
            u = matrix @ v
            u = u / (u.norm() + eps)
    return weight / (u @ (matrix @ v))
