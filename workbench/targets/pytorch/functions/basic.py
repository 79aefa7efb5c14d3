"""Helpers that every family uses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def int_tensor(
    elements: Any, dtype: torch.dtype = torch.int64, device: torch.device | None = None
) -> Tensor:
    """Integers, or nested lists of them, as a tensor; works while tracing and exporting."""
    if isinstance(elements, (list, tuple)):
        return torch.stack([int_tensor(element, dtype, device) for element in elements])
    return torch.full((), elements, dtype=dtype, device=device)
