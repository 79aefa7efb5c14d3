"""What may be mixed up in a recurrent layer: gates, directions, biases, each really tried."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations
from typing import Any

import torch
from torch import nn

from workbench.checks.diagnosis.relations import EXPLAINED
from workbench.checks.results.statistics import largest_difference
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import reference_tensor
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build_row

_GATES = {"LSTM": 4, "GRU": 3}
Tweak = Callable[[nn.RNNBase], None]


def unread_operand(row: Row) -> str:
    """The lengths or the start state, where the operator has them and the row reads none."""
    given = dict(row.op.inputs) if row.op is not None else {}
    for name, told in (("sequence_length", "the lengths"), ("pre_state", "the start state")):
        operand = given.get(name)
        values = operand if isinstance(operand, tuple) else (operand,)
        unread = [one for one in values if isinstance(one, Value) and one not in row.reads]
        if unread:
            return f"{told}: operand {unread[0].label} of the operator is not read"
    return ""


def recurrent_cause(mapping: Mapping, row: Row, references: Sequence[Reference]) -> str:
    """One sentence on what is mixed up in a recurrent layer; empty when nothing explains it."""
    module = build_row(mapping, row)
    path = next((n for n, p in module.named_modules() if isinstance(p, nn.RNNBase)), "")
    if not path or not references:
        return ""
    get = partial(reference_tensor, references[0])
    before = _error(row, module, get)
    for told, tweak in _tweaks(module.get_submodule(path)):  # type: ignore[arg-type]
        changed = copy.deepcopy(module)
        with torch.no_grad():
            tweak(changed.get_submodule(path))  # type: ignore[arg-type]
        if _error(row, changed, get) < EXPLAINED * before:
            return told
    return ""


def _error(row: Row, module: Any, get: Callable[..., torch.Tensor | None]) -> float:
    """The largest difference of the row's float values to Paddle's."""
    made = RowRunner(module).alone(row.path, get)
    errors = [0.0]
    for value in row.values:
        ours, theirs = made.get(value), get(value)
        if not isinstance(ours, torch.Tensor) or theirs is None or ours.shape != theirs.shape:
            return float("inf")
        errors.append(largest_difference(ours, theirs))
    return max(errors)


def _tweaks(layer: nn.RNNBase) -> Iterator[tuple[str, Tweak]]:
    names = [name for name, _ in layer.named_parameters()]
    if any(name.endswith("_reverse") for name in names):
        yield "the directions are swapped: forward weights run backwards", _swap_directions
    yield "bias_ih and bias_hh are swapped", partial(_swap, first="bias_ih", second="bias_hh")
    if layer.input_size == layer.hidden_size:
        yield (
            "weight_ih and weight_hh are swapped",
            partial(_swap, first="weight_ih", second="weight_hh"),
        )
    gates = _GATES.get(layer.mode.partition("_")[0], 1)
    for order in permutations(range(gates)):
        if order != tuple(range(gates)):
            told = ", ".join(map(str, order))
            yield f"the gates are in another order: {told} of ours", partial(_reorder, order=order)
    if layer.mode.startswith("RNN"):
        yield "the activation is another one: tanh in place of relu, or relu of tanh", _activation


def _swap_directions(layer: nn.RNNBase) -> None:
    parameters = dict(layer.named_parameters())
    for name, parameter in parameters.items():
        other = parameters.get(f"{name}_reverse")
        if other is not None:
            kept = parameter.clone()
            parameter.copy_(other)
            other.copy_(kept)


def _swap(layer: nn.RNNBase, first: str, second: str) -> None:
    parameters = dict(layer.named_parameters())
    for name, parameter in parameters.items():
        other = parameters.get(name.replace(first, second))
        if name.startswith(first) and other is not None and other.shape == parameter.shape:
            kept = parameter.clone()
            parameter.copy_(other)
            other.copy_(kept)


def _reorder(layer: nn.RNNBase, order: tuple[int, ...]) -> None:
    for parameter in layer.parameters():
        parts = parameter.chunk(len(order))
        parameter.copy_(torch.cat([parts[place] for place in order]))


def _activation(layer: nn.RNNBase) -> None:
    layer.mode = "RNN_TANH" if layer.mode == "RNN_RELU" else "RNN_RELU"
