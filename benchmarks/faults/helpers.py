"""Torch functions that are wrong on purpose; faulty rules call them as `fn.fault_…`."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.targets.pytorch import functions


def some(x: Tensor) -> Tensor:
    """Every 17th element is off by 0.2 %."""
    place = torch.arange(x.numel(), device=x.device).reshape(x.shape)
    return torch.where(place % 17 == 16, x * 1.002, x)


def third(x: Tensor) -> Tensor:
    """The third of the batch is off by 1 %."""
    factor = torch.ones(x.shape[0], dtype=x.dtype)
    factor[2:3] = 1.01
    return x * factor.reshape(-1, *[1] * (x.dim() - 1))


def far(x: Tensor) -> Tensor:
    """Positions from 32 on are off by 1 %."""
    factor = torch.ones(x.shape[1], dtype=x.dtype)
    factor[32:] = 1.01
    shape = [1] * x.dim()
    shape[1] = -1
    return x * factor.reshape(shape)


def large(x: Tensor) -> Tensor:
    """What is larger than three deviations is off by 1 %."""
    return torch.where(x.abs() > 3 * x.float().std().to(x.dtype), x * 1.01, x)


def nan(x: Tensor) -> Tensor:
    """NaN where x is above 2.5 deviations."""
    return torch.where(x > 2.5 * x.float().std().to(x.dtype), torch.nan, x)


def first_nan(x: Tensor) -> Tensor:
    """NaN at the very first element."""
    place = torch.arange(x.numel(), device=x.device).reshape(x.shape)
    return torch.where(place == 0, torch.nan, x)


def tiny(x: Tensor) -> Tensor:
    """Zero where |x| is below 1 % of the largest."""
    return torch.where(x.abs() < 0.01 * x.abs().amax(), 0.0 * x, x)


def half_away(x: Tensor) -> Tensor:
    """Rounded half away from zero."""
    return torch.trunc(x + 0.5 * torch.sign(x))


def rare_row(x: Tensor, ids: Tensor, row: int) -> Tensor:
    """The result for one row of the table is off by 5 %."""
    return torch.where((ids == row).unsqueeze(-1), x * 1.05, x)


def last_tie(x: Tensor, dim: int, keepdim: bool, smallest: bool) -> Tensor:
    """Position of the last extreme in place of the first."""
    turned = x.flip(dim)
    found = (turned.argmin if smallest else turned.argmax)(dim, keepdim=keepdim)
    return x.shape[dim] - 1 - found


def exclusive(x: Tensor, total: Tensor) -> Tensor:
    """A cumulative sum without the element itself."""
    return total - x


def register() -> None:
    """Let rules name them."""
    for one in (
        some, third, far, large, nan, first_nan, tiny, half_away, rare_row, last_tie, exclusive
    ):  # fmt: skip
        setattr(functions, f"fault_{one.__name__}", one)
