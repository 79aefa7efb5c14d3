"""Torch parameters and the Paddle parameters that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from workbench.core.arguments import calls_in
from workbench.core.calls import Layer, Permuted, Reshaped, RowZeroed, Sliced, Weight
from workbench.core.mapping import Mapping, Row


@dataclass(frozen=True, slots=True)
class Piece:
    """One torch parameter by its state_dict key, its layer, and where it comes from."""

    key: str
    row: str
    weight: Weight


def parameter_pieces(mapping: Mapping, module: nn.Module) -> list[Piece]:
    """Every trainable torch parameter that comes from a Paddle parameter, each tensor once."""
    tensors = dict(module.named_parameters(remove_duplicate=False))
    unique = {id(tensor): key for key, tensor in reversed(list(module.named_parameters()))}
    found: dict[int, Piece] = {}
    for row in mapping.walk():
        for key, weight in _weights(row):
            tensor = tensors.get(row.path if row.is_parameter else f"{row.path}.{key}")
            if tensor is not None and tensor.requires_grad:
                found.setdefault(id(tensor), Piece(unique[id(tensor)], row.path, weight))
    return list(found.values())


def _weights(row: Row) -> Iterator[tuple[str, Weight]]:
    for part in calls_in(row.call):
        if isinstance(part, Layer):
            yield from ((key, weight) for key, weight in part.weights.items() if weight is not None)


def undo(weight: Weight, gradient: torch.Tensor) -> torch.Tensor:
    """A gradient of the torch parameter as one of Paddle's parameter: the steps' transpose."""
    shapes = [weight.shape]
    for step in weight.steps:
        shapes.append(step.shape(shapes[-1]))
    for step, shape in zip(reversed(weight.steps), reversed(shapes[:-1]), strict=True):
        if isinstance(step, Permuted):
            gradient = gradient.permute(step.inverse().axes)
        elif isinstance(step, Reshaped):
            gradient = gradient.reshape(shape)
        elif isinstance(step, Sliced):
            whole = gradient.new_zeros(shape)
            whole.narrow(step.axis, step.start, step.stop - step.start).copy_(gradient)
            gradient = whole
        elif isinstance(step, RowZeroed):
            gradient = gradient.clone()
            gradient[step.row] = 0
    return gradient


def total(pieces: Iterable[Piece], gradients: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """The gradient of a Paddle parameter: the sum over the tensors that are made of it."""
    found = [undo(piece.weight, gradients[piece.key]) for piece in pieces if piece.key in gradients]
    summed = None
    for part in found:
        summed = part if summed is None else summed + part
    return summed
