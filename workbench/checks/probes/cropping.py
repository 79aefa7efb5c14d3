"""Smaller operands for operators that treat every element by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from workbench.core.program import Op
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.interface import Slice

#: Operands keep about so many elements.
ELEMENTS = 4096


def cropped(part: Slice, base: Mapping[Value, torch.Tensor]) -> dict[Value, torch.Tensor]:
    """The operands, smaller where the operators allow it; equal sizes stay equal, 1 stays 1."""
    elementwise = all(Trait.ELEMENTWISE in op.traits for op in part.ops)
    kept = any(value.parameter for value in base) or any(map(_fixes_size, part.ops))
    if kept or not elementwise:
        return dict(base)
    rank = max((tensor.ndim for tensor in base.values()), default=0)
    side = max(2, round(ELEMENTS ** (1 / max(rank, 1))))
    return {
        value: tensor[tuple(slice(0, side) for _ in tensor.shape)].contiguous()
        for value, tensor in base.items()
    }


def _fixes_size(op: Op) -> bool:
    """True for a constant of several elements."""
    several = any(math.prod(value.shape) != 1 for value in op.outputs.values())
    return several and not any(True for _ in op.operands)
