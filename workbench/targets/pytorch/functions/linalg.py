"""Linear algebra and signals."""

from __future__ import annotations

import torch
from torch import Tensor


def stacked(parts: tuple[Tensor, ...]) -> Tensor:
    """Tensors joined along a new first axis."""
    return torch.stack(tuple(parts))


def lstsq(x: Tensor, y: Tensor, rcond: float | None, driver: str) -> tuple[Tensor, Tensor]:
    """Least-squares solution, and the rank as int32."""
    solved = torch.linalg.lstsq(x, y, rcond=rcond, driver=driver)
    return solved.solution, solved.rank.int()


def overlap_add(frames: Tensor, hop_length: int) -> Tensor:
    """Add up frames (…, frame_length, number) that start every `hop_length` elements."""
    length, number = frames.shape[-2:]
    starts = torch.arange(number, device=frames.device) * hop_length
    places = torch.arange(length, device=frames.device).unsqueeze(1) + starts
    total = frames.new_zeros(*frames.shape[:-2], (number - 1) * hop_length + length)
    return total.index_add(-1, places.flatten(), frames.flatten(-2))


def cross(x: Tensor, y: Tensor) -> Tensor:
    """Vector product along the first axis of length 3."""
    out: Tensor = torch.linalg.cross(x, y, dim=list(x.shape).index(3))
    return out
