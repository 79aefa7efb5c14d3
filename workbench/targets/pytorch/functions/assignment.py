"""Assignment to parts of a tensor without touching the original."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def set_item(x: Tensor, index: Any, values: Any) -> Tensor:
    """A copy of x after `x[index] = values`."""
    x = x.clone()
    x[index] = values
    return x
