"""What to try when a layer disagrees with Paddle: small changes, each really run on the layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.calls import Layer, Permuted, Weight
from workbench.editing.calls import main_call, slots
from workbench.editing.weight_text import step_texts
from workbench.edits import try_edits
from workbench.mapping import Mapping, Row
from workbench.notebook.live import Checker
from workbench.notebook.wire import Json
from workbench.signatures import signature_of

_MOST = 24


def tries_for(mapping: Mapping, row: Row, checker: Checker) -> list[Json]:
    """Changes that make the row agree with Paddle, ready to apply; a hint when none does."""
    found: list[Json] = []
    for text, edit in list(_candidates(row))[:_MOST]:
        made, refused = try_edits(mapping, {row.path: edit})
        if refused:
            continue
        check = checker.check(made, row.path)
        if check.verdict in ("exact", "rounding"):
            found.append({"text": text, "edit": edit, "verdict": check.verdict})
    return found or [{"text": _hint(row)}]


def _candidates(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    if row.edited:
        yield "go back to what the rule made", {"reset": True}
    layer = main_call(row.call)
    if isinstance(layer, Layer):
        for key, weight in layer.weights.items():
            yield from _other_steps(key, weight)
    if row.target and not row.blocks and not row.is_parameter:
        yield from _other_arguments(row)


def _other_steps(key: str, weight: Weight) -> Iterator[tuple[str, dict[str, Any]]]:
    """The weight without its last step, and with its first two axes swapped where that fits."""
    texts = step_texts(weight)
    if texts:
        yield f"{key}: without '{texts[-1]}'", {"weights": {key: texts[:-1]}}
    shape = weight.final_shape
    if len(shape) >= 2 and shape[0] == shape[1]:
        swapped = str(Permuted((1, 0, *range(2, len(shape)))))
        yield f"{key}: also {swapped}", {"weights": {key: [*texts, swapped]}}
    if len(shape) == 4 and shape[2] == shape[3] and shape[2] > 1:
        turned = str(Permuted((0, 1, 3, 2)))
        yield f"{key}: kernel also {turned}", {"weights": {key: [*texts, turned]}}


def _other_arguments(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    """Switches turned, choices changed, the usual epsilons."""
    told = signature_of(row.target)
    given = {slot.name: slot.value for slot in slots(main_call(row.call))}
    for argument in told.arguments:
        value = given.get(argument.name, argument.default)
        others: list[Any] = []
        if isinstance(value, bool) and argument.name not in ("inplace", "bias", "affine"):
            others = [not value]
        elif argument.name == "approximate":
            others = [choice for choice in ("none", "tanh") if choice != value]
        elif argument.name in ("eps", "epsilon"):
            others = [number for number in (1e-5, 1e-6, 1e-3, 1e-12) if number != value]
        elif argument.choices and argument.name != "padding_mode":
            others = [choice for choice in argument.choices if choice != value]
        for other in others:
            yield f"{argument.name}={other!r}", {"arguments": {argument.name: other}}


def _hint(row: Row) -> str:
    if row.weights:
        return (
            "None of the usual suspects (transposed weights, switches, epsilons) mends it. "
            "Compare the weight's shape and order with Paddle's documentation of the operator."
        )
    return "None of the usual suspects mends it. Compare the arguments with Paddle's documentation."
