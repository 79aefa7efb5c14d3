"""Element-wise helpers."""

from __future__ import annotations

import torch
from torch import Tensor


def logical_right_shift(x: Tensor, y: Tensor) -> Tensor:
    """Shift to the right, filling with zeros instead of the sign."""
    keep = torch.iinfo(x.dtype).max >> (y - 1).clamp(min=0)
    return torch.where(y == 0, x, (x >> y) & keep)


def equal_all(x: Tensor, y: Tensor) -> Tensor:
    """One bool tensor: same shape and same elements."""
    if x.shape != y.shape:
        return torch.zeros((), dtype=torch.bool, device=x.device)
    return (x == y).all()


def is_close(x: Tensor, y: Tensor, rtol: float, atol: float, equal_nan: bool) -> Tensor:
    """Bool by element: |x - y| ≤ atol + rtol · |y|. Unlike torch's, also where y is infinite."""
    close = (x == y) | ((x - y).abs() <= atol + rtol * y.abs())
    return close | (x.isnan() & y.isnan()) if equal_nan else close


def clip_by_norm(x: Tensor, max_norm: float) -> Tensor:
    """Scale x down so that its Euclidean norm is at most `max_norm`."""
    norm = x.square().sum().sqrt()
    return x * (max_norm / norm.clamp(min=max_norm))
