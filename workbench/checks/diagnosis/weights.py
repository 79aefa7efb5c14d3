"""Confusions of weights: laid out in another way, filled from another tensor, left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from workbench.core.calls import Call, Layer, Permuted, Weight
from workbench.core.mapping import Mapping, Row
from workbench.editing.calls import swap
from workbench.editing.weight_steps import step_texts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that was perhaps meant: what would have been confused, and the edit that gives it."""

    cause: str
    row: Row
    edit: dict[str, Any] | None = None


def swapped(row: Row, old: Call | Layer, new: Call | Layer) -> Row:
    """The row with one part of its call replaced."""
    return replace(row, call=swap(row.call, old, new))


def weight_confusions(mapping: Mapping, row: Row, layer: Layer) -> Iterator[Candidate]:
    """Rows whose layer gets its stored tensors in another way."""
    for key, weight in layer.weights.items():
        for told, other in _steps(weight):
            yield _with_weights(row, layer, f"{key} {told}", {key: other})
    for left, right in itertools.combinations(layer.weights, 2):
        one, two = layer.weights[left], layer.weights[right]
        if one.final_shape == two.final_shape and one.parameter != two.parameter:
            yield _with_weights(
                row, layer, f"{left} and {right} hold each other's tensor",
                {left: two, right: one},
            )  # fmt: skip
    used = {weight.parameter for weight in layer.weights.values()}
    for operand in row.op.operands if row.op else ():
        parameter = mapping.program.parameters.get(operand.parameter)
        if parameter is None or parameter.name in used:
            continue
        new = Weight(parameter.name, parameter.shape, parameter.dtype, (), parameter.trainable)
        for key, weight in layer.weights.items():
            for told, other in (("", new), *_steps(new)):
                if _shape(other) == weight.final_shape and other != weight:
                    cause = f"{key} is filled from {weight.parameter} in place of {parameter.name}"
                    yield _with_weights(row, layer, f"{cause} {told}".strip(), {key: other})
        if "bias" not in layer.weights and len(parameter.shape) == 1:
            changed = replace(
                layer, arguments={**layer.arguments, "bias": True},
                weights={**layer.weights, "bias": new},
            )  # fmt: skip
            told_bias = {"parameter": new.parameter, "steps": []}
            edit = {"arguments": {"bias": True}, "weights": {"bias": told_bias}}
            yield Candidate("the bias is missing", swapped(row, layer, changed), edit)
    for key, weight in layer.weights.items():
        for told, other in _regrouped(weight):
            yield _with_weights(row, layer, f"{key} {told}", {key: other})


def _steps(weight: Weight) -> Iterator[tuple[str, Weight]]:
    """Other ways to lay out the tensor that have the same shape in the end."""
    wanted = _shape(weight)
    if weight.steps:
        yield f"should not be {weight.steps[-1]}", replace(weight, steps=weight.steps[:-1])
        for place, step in enumerate(weight.steps[:-1]):
            steps = (*weight.steps[:place], *weight.steps[place + 1 :])
            yield f"should not be {step}", replace(weight, steps=steps)
    if wanted is None:
        return
    for left, right in itertools.combinations(range(len(wanted)), 2):
        axes = list(range(len(wanted)))
        axes[left], axes[right] = axes[right], axes[left]
        if wanted[left] > 1 and wanted[right] > 1:
            step = Permuted(tuple(axes))
            yield f"should be {step}", weight.then(step)


def _regrouped(weight: Weight) -> Iterator[tuple[str, Weight]]:
    """One axis split in two, those swapped: channels of groups in the other order."""
    wanted = _shape(weight)
    if wanted is None or len(wanted) < 2:
        return
    for size in (2, 3, 4, 6, 8, 12, 16):
        for axis, length in enumerate(wanted[:2]):
            if length > size and length % size == 0:
                split = (*wanted[:axis], size, length // size, *wanted[axis + 1 :])
                axes = list(range(len(split)))
                axes[axis], axes[axis + 1] = axes[axis + 1], axes[axis]
                other = weight.reshaped(*split).permuted(*axes).reshaped(*wanted)
                yield f"should have axis {axis} regrouped by {size}", other


def _shape(weight: Weight) -> tuple[int, ...] | None:
    try:
        return weight.final_shape
    except ValueError:
        return None


def _with_weights(row: Row, layer: Layer, cause: str, weights: dict[str, Weight]) -> Candidate:
    changed = replace(layer, weights={**layer.weights, **weights})
    told = {
        key: {"parameter": weight.parameter, "steps": step_texts(weight)}
        for key, weight in weights.items()
    }
    return Candidate(cause, swapped(row, layer, changed), {"weights": told})
