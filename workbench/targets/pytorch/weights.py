"""Paddle parameters → torch tensors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from workbench.core.calls import Weight
from workbench.core.dtypes import is_float
from workbench.core.program import Parameter
from workbench.targets.pytorch.resolve import torch_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Bytes to which torch aligns what it allocates on a CPU.
_ALIGNMENT = 64


def as_tensor(array: np.ndarray, dtype: str, copy: bool = True) -> torch.Tensor:
    """A contiguous tensor; `dtype` is Paddle's name, so uint16 bits become bfloat16.

    With `copy=False` it shares the array's memory where the layout allows it.
    """
    owned = np.array(array, order="C") if copy else _contiguous(array)
    tensor = torch.from_numpy(owned.reshape(array.shape))
    wanted = torch_dtype(dtype)
    return tensor.view(wanted) if tensor.dtype != wanted else tensor


def _contiguous(array: np.ndarray) -> np.ndarray:
    """The array in C order; transposed matrices by torch, which is several times faster."""
    if array.flags.c_contiguous or array.ndim != 2 or not array.T.flags.c_contiguous:
        return np.ascontiguousarray(array)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of read-only memory
        return torch.from_numpy(array).contiguous().numpy()


def _aligned(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor where torch itself would have put it: some kernels round by the address."""
    return tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor


class WeightStore:
    """Makes each weight once: layers that share a Paddle parameter share the torch parameter."""

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._parameters = parameters
        self._made: dict[tuple[Weight, bool], torch.Tensor] = {}

    def get(self, weight: Weight, buffer: bool) -> torch.Tensor:
        """The parameter or buffer for a weight, after its steps."""
        key = (weight, buffer)
        if key not in self._made:
            array = weight.apply(self._parameters[weight.parameter].load())
            tensor = _aligned(as_tensor(array, weight.final_dtype, copy=False))
            if not buffer:
                trainable = weight.trainable and is_float(weight.final_dtype)
                tensor = nn.Parameter(tensor, requires_grad=trainable)
            self._made[key] = tensor
        return self._made[key]
