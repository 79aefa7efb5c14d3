"""Recurrent layers of any sequence length in `torch.export`.

Torch keeps `nn.LSTM` and its kin as one operator in an exported program, but to find the shapes of
its results it runs the layer step by step, which fixes the length to the example's. The shapes
are simple: while a model is exported, we give them ourselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey

_KEYS = (DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd)


def _lstm(
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    width = hx[0].shape[-1] * (2 if bidirectional else 1)
    output = input.new_empty((*input.shape[:-1], width))
    return output, torch.empty_like(hx[0]), torch.empty_like(hx[1])


def _simple(
    input: Tensor,
    hx: Tensor,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor]:
    width = hx.shape[-1] * (2 if bidirectional else 1)
    return input.new_empty((*input.shape[:-1], width)), torch.empty_like(hx)


@contextmanager
def any_length() -> Iterator[None]:
    """Inside, `torch.export` keeps the length of recurrent layers dynamic."""
    aten = torch.ops.aten
    shapes: dict[Any, Any] = {
        aten.lstm.input: _lstm, aten.gru.input: _simple,
        aten.rnn_tanh.input: _simple, aten.rnn_relu.input: _simple,
    }  # fmt: skip
    kept = {op: dict(op.py_kernels) for op in shapes}
    try:
        for op, shape in shapes.items():
            for key in _KEYS:
                op.py_kernels[key] = shape
            op._dispatch_cache.clear()
        yield
    finally:
        for op, kernels in kept.items():
            op.py_kernels.clear()
            op.py_kernels.update(kernels)
            op._dispatch_cache.clear()
