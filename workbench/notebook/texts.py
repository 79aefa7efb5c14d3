"""What a person types into the editor, as changes of a row."""

from __future__ import annotations

import ast
from collections.abc import Mapping as Dict
from typing import Any

from workbench.core.calls import Layer
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.editing.calls import main_call, missing_weights, slots
from workbench.editing.listing import shown_slots
from workbench.editing.names import Names
from workbench.editing.notation import parse
from workbench.targets.pytorch.resolve import is_layer
from workbench.targets.pytorch.signatures import (
    REQUIRED,
    Argument,
    Signature,
    signature_of,
    signature_or_open,
)

#: Sent by the editor to take a change back.
RESET = {"reset": True}


def changes_from(mapping: Mapping, row: Row, sent: Dict[str, Any]) -> dict[str, Any]:
    """The changes that the editor sent, with typed texts as values and resets as `...`.

    Raises `MappingError` naming the field whose text cannot be read.
    """
    changes: dict[str, Any] = {}
    for field, value in sent.items():
        if value == RESET:
            changes[field] = ...
        elif field == "arguments":
            target = sent.get("target") or row.target
            changes[field] = {
                str(name): _argument(mapping, row, target, str(name), given)
                for name, given in value.items()
            }
        elif field == "arguments_text":
            changes["arguments"] = arguments_from_text(mapping, row, str(value))
        elif field == "weights":
            changes[field] = {key: ... if given == RESET else given for key, given in value.items()}
        else:
            changes[field] = value
    return changes


def _argument(mapping: Mapping, row: Row, target: str, name: str, given: Any) -> Any:
    if given == RESET:
        return ...
    if not isinstance(given, dict) or "text" not in given:
        return given
    told = signature_or_open(target)
    argument = told[name]
    text = str(given["text"]).strip()
    if not text:
        if argument is not None and not argument.required:
            return argument.default
        raise MappingError(f"{name} cannot be empty")
    return value_from_text(mapping, row, argument or Argument(name), text)


def value_from_text(mapping: Mapping, row: Row, argument: Argument, text: str) -> Any:
    """The value that a text stands for; texts need no quotes where the argument takes texts."""
    takes_text = "str" in argument.kinds
    if text in argument.choices:
        return text
    if takes_text and set(argument.kinds) <= {"str", "none"} and text != "None":
        return text.strip("'\"")
    try:
        return parse(text, Names(mapping, row))
    except (ValueError, MappingError) as error:
        if takes_text and text.isidentifier():
            return text
        raise MappingError(f"{argument.name}: {error}") from error


def arguments_from_text(mapping: Mapping, row: Row, text: str) -> dict[str, Any]:
    """Changes that turn the arguments shown for a row into those of the text.

    What the text leaves out goes back to torch's default.
    """
    try:
        tree = ast.parse(f"f({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise MappingError(
            f"'{text}' is not a list of arguments", "Write them as in a call: stride=2, padding=1"
        ) from error
    if not isinstance(tree, ast.Call) or any(keyword.arg is None for keyword in tree.keywords):
        raise MappingError(f"'{text}' is not a list of arguments")
    told = signature_or_open(row.target)
    shown = shown_slots(row)
    positions = [slot.name for slot in shown if slot.name.isdigit()]
    if len(tree.args) != len(positions):
        raise MappingError(
            f"{len(tree.args)} values without a name, but the row has {len(positions)}",
            "Write name=value.",
        )
    given = dict(zip(positions, map(ast.unparse, tree.args), strict=True))
    given |= {str(keyword.arg): ast.unparse(keyword.value) for keyword in tree.keywords}
    changes: dict[str, Any] = {}
    for name, source in given.items():
        argument = told[name] or Argument(name)
        changes[name] = value_from_text(mapping, row, argument, source)
    for slot in shown:
        if slot.name not in changes:
            changes[slot.name] = _default(told, slot.name, row)
    return changes


def _default(told: Signature, name: str, row: Row) -> Any:
    argument = told[name]
    if argument is None or argument.default is REQUIRED:
        raise MappingError(f"{row.target} needs {name}")
    return argument.default


def missing_arguments(row: Row, target: str, given: Dict[str, Any]) -> list[str]:
    """The arguments that a new target needs and that neither the row nor the edit gives."""
    told = signature_or_open(target)
    if not target.startswith(("nn.", "fn.", "custom.")):
        return []
    found = slots(main_call(row.call))
    have = {slot.name for slot in found} | set(given)
    if not is_layer(target):  # the row's tensors come first
        operands = row.op.inputs.values() if row.op is not None else ()
        tensors = sum(slot.is_data for slot in found) or sum(one is not None for one in operands)
        have |= set(told.positional[:tensors])
    return [a.name for a in told.arguments if a.required and a.name not in have]


def missing_keys(
    mapping: Mapping, row: Row, target: str, changes: Dict[str, Any]
) -> dict[str, list[int]]:
    """Weights of a new target, with shapes, of which nobody has said where they come from."""
    if not is_layer(target) or row.op is None:
        return {}
    layer = main_call(row.call)
    known = dict(layer.weights) if isinstance(layer, Layer) else {}
    given = changes.get("arguments")
    kept = {slot.name: slot.value for slot in slots(layer) if not slot.is_data}
    told = signature_of(target)
    arguments = {name: value for name, value in kept.items() if told[name] is not None}
    made = Layer(target, (), arguments | (given if isinstance(given, dict) else {}), known)
    named = changes.get("weights")
    found = missing_weights(made, row.op, mapping.program.parameters)
    return {key: list(shape) for key, shape in found.items() if key not in (named or {})}
