"""Tensor arrays as Python lists. They are changed in place, as Paddle changes its arrays."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def new_array() -> list[Tensor]:
    """An empty array."""
    return []


def array_append(array: list[Tensor], x: Tensor) -> list[Tensor]:
    """Add x at the end; gives the same array."""
    array.append(x)
    return array


def array_write(array: list[Any], x: Tensor, index: Any) -> list[Any]:
    """Set one element, growing the array as needed; gives the same array."""
    position = int(index)
    array += [None] * (position + 1 - len(array))
    array[position] = x
    return array


def array_length(array: list[Tensor], device: torch.device | None = None) -> Tensor:
    """Number of elements, int64 of shape [1]."""
    return torch.tensor([len(array)], device=device)


def array_pop(array: list[Tensor], index: int = -1) -> tuple[list[Tensor], Tensor]:
    """Take one element out; gives the same array and the element."""
    element = array.pop(index)
    return array, element


def array_to_tensor(array: list[Tensor], axis: int, use_stack: bool) -> tuple[Tensor, Tensor]:
    """All elements joined, and the size of each along the axis (int32)."""
    joined = torch.stack(array, dim=axis) if use_stack else torch.cat(array, dim=axis)
    sizes = [element.shape[axis] for element in array]
    return joined, torch.tensor(sizes, dtype=torch.int32, device=joined.device)


def add_arrays(arrays: list[list[Tensor]]) -> list[Tensor]:
    """Arrays added element by element."""
    return [
        torch.stack(list(elements)).sum(0, dtype=elements[0].dtype)
        for elements in zip(*arrays, strict=True)
    ]
