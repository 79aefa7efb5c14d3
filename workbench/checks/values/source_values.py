"""Paddle's values of one set of inputs, as tensors; the last few are kept.

What was found out about a value is kept as long as the run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from workbench.checks.results.statistics import Magnitude
from workbench.checks.values.closeness import Known, unit_of
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


class PaddleValues:
    """Looks up what Paddle computed, and what the model's file stores."""

    def __init__(
        self, program: Program, reference: Reference, numbers: Collection[Value] = ()
    ) -> None:
        """`numbers` are values that our module has as Python numbers."""
        self._program = program
        self._numbers = numbers
        self._reference = reference
        self._kept: OrderedDict[int, tuple[torch.Tensor, int]] = OrderedDict()
        self._bytes = 0
        self._known: dict[int, Known] = {}

    def get(self, value: Value) -> torch.Tensor | None:
        """The value in the dtype that Paddle computed in; None when it is not known.

        A layer may write into it: then the next call reads it again.
        """
        parameter = self._program.parameters.get(value.parameter)
        if parameter is not None:
            return as_tensor(parameter.load(), parameter.dtype, copy=False)
        tensor = self._find(value)
        if tensor is not None and value in self._numbers:
            return tensor.item()  # type: ignore[return-value]
        return tensor

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
        tensor = self._find(value)
        return None if tensor is None else self.known(value, tensor).size(tensor)

    def known(self, value: Value, tensor: torch.Tensor) -> Known:
        """What is known of a tensor: the value as `get` gave it last, or one made of it."""
        kept, _ = self._kept.get(value.id, (None, 0))
        return self._known.setdefault(value.id, Known()) if kept is tensor else Known()

    def _find(self, value: Value) -> torch.Tensor | None:
        tensor, version = self._kept.get(value.id, (None, 0))
        if tensor is not None and tensor._version == version:
            self._kept.move_to_end(value.id)
            return tensor
        tensor = reference_tensor(self._reference, value)
        if tensor is None:
            return None
        self._drop(value.id)
        self._kept[value.id] = tensor, tensor._version
        self._bytes += tensor.nbytes
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return tensor

    def _drop(self, key: int) -> None:
        tensor, _ = self._kept.pop(key, (None, 0))
        if tensor is not None:
            self._bytes -= tensor.nbytes
