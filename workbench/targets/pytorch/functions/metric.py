"""Metrics and statistics."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(indices: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Share of rows whose label is among the indices, that number, and the number of rows."""
    correct = (indices == label.reshape(-1, 1)).any(1).sum()
    total = torch.full_like(correct, indices.shape[0], dtype=torch.int32)
    return correct.float() / total, correct.to(torch.int32), total


def continuous_value(x: Tensor, kept: bool) -> Tensor:
    """Log(show + 1) and log(click + 1) - log(show + 1) for the first two columns, or without."""
    if not kept:
        return x[:, 2:]
    show, click = (x[:, :1] + 1).log(), (x[:, 1:2] + 1).log()
    return torch.cat((show, click - show, x[:, 2:]), 1)
