"""Helpers that make tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def float_range(
    start: float, end: float, step: float, device: torch.device | None = None
) -> Tensor:
    """As torch.arange, with the number of steps from float32 bounds."""
    first, last, stride = torch.tensor([start, end, step])
    count = int(((last - first) / stride).ceil().clamp(min=0))
    return start + torch.arange(count, device=device) * step


def is_empty(x: Tensor) -> Tensor:
    """True, as a tensor, when x has no elements."""
    return torch.tensor(x.numel() == 0, device=x.device)


def padded_diag(x: Tensor, offset: int, padding: float) -> Tensor:
    """Matrix with the vector x on a diagonal and `padding` everywhere else."""
    inside = torch.diag(torch.ones_like(x, dtype=torch.bool), offset)
    return torch.where(inside, torch.diag(x, offset), padding)


def linspace(
    start: float | Tensor,
    end: float | Tensor,
    steps: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Tensor:
    """Evenly spaced numbers, both ends included; torch.export keeps `steps` dynamic."""
    places = torch.arange(steps, dtype=dtype, device=device)
    return start + places * ((end - start) / places[-1:].clamp(min=1))


def one_hot(index: Tensor, classes: int) -> Tensor:
    """One-hot encoding whose number of classes stays dynamic in torch.export."""
    return index.unsqueeze(-1) == torch.arange(classes, device=index.device)


def sample_gamma(concentration: Tensor) -> Tensor:
    """One draw of a gamma distribution with scale 1 for every element."""
    return torch.distributions.Gamma(concentration, torch.ones_like(concentration)).sample()


def sample_dirichlet(concentration: Tensor) -> Tensor:
    """One draw of a Dirichlet distribution along the last axis."""
    return torch.distributions.Dirichlet(concentration).sample()
