"""Paddle's values of one set of inputs, as tensors; the last few are kept, with their magnitude."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.checks.results.statistics import Magnitude, magnitude
from workbench.checks.values.closeness import unit_of
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.targets.pytorch.weights import as_tensor

#: Tensors are kept up to about this many bytes; the newest is always kept.
KEPT_BYTES = 64 * 2**20


def reference_tensor(reference: Reference, value: Value) -> torch.Tensor | None:
    """Paddle's value as a tensor, or None when it was not recorded."""
    if value not in reference:
        return None
    array = reference.array(value)
    dtype = reference.dtypes[value.id]
    return as_tensor(np.asarray(array), dtype, copy=False)


@dataclass(slots=True)
class _Kept:
    tensor: torch.Tensor
    version: int
    size: Magnitude | None = None


class PaddleValues:
    """Looks up what Paddle computed, and what the model's file stores."""

    def __init__(
        self, program: Program, reference: Reference, numbers: Collection[Value] = ()
    ) -> None:
        """`numbers` are values that our module has as Python numbers."""
        self._program = program
        self._numbers = numbers
        self._reference = reference
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._bytes = 0

    def get(self, value: Value) -> torch.Tensor | None:
        """The value in the dtype that Paddle computed in; None when it is not known.

        A layer may write into it: then the next call reads it again.
        """
        parameter = self._program.parameters.get(value.parameter)
        if parameter is not None:
            return as_tensor(parameter.load(), parameter.dtype, copy=False)
        kept = self._find(value)
        if kept is not None and value in self._numbers:
            return kept.tensor.item()  # type: ignore[return-value]
        return kept.tensor if kept else None

    def beside(self, value: Value, ours: Any) -> torch.Tensor | None:
        """The value to compare ours with: rounded to bfloat16 where ours is and Paddle's is not.

        Where the program says bfloat16, a convolution of Paddle on a CPU keeps float32.
        """
        found = self.get(value)
        rounded = isinstance(ours, torch.Tensor) and ours.dtype == torch.bfloat16
        return found.bfloat16() if found is not None and rounded and self.is_wider(value) else found

    def is_recorded(self, value: Value) -> bool:
        """True when Paddle handed the value over."""
        return value in self._reference

    def is_wider(self, value: Value) -> bool:
        """True when Paddle kept float32 where the program says bfloat16."""
        return value.dtype == "bfloat16" and self._reference.dtypes.get(value.id) == "float32"

    def unit(self, value: Value) -> float:
        """The relative error that an element may have, for the dtype that Paddle computed in."""
        found = self.get(value)
        return unit_of(found.dtype) if isinstance(found, torch.Tensor) else 0.0

    def size(self, value: Value) -> Magnitude | None:
        """How large Paddle's value is; None when it is empty or not known."""
        kept = self._find(value)
        if kept is None or not kept.tensor.numel():
            return None
        if kept.size is None:
            kept.size = magnitude(kept.tensor)
        return kept.size

    def _find(self, value: Value) -> _Kept | None:
        kept = self._kept.get(value.id)
        if kept is not None and kept.tensor._version == kept.version:
            self._kept.move_to_end(value.id)
            return kept
        tensor = reference_tensor(self._reference, value)
        if tensor is None:
            return None
        self._drop(value.id)
        self._kept[value.id] = made = _Kept(tensor, tensor._version)
        self._bytes += tensor.nbytes
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return made

    def _drop(self, key: int) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.tensor.nbytes
