"""The changes of a row as plain values, as files keep them, and how a new one joins the old."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from typing import Any

from workbench.core.calls import Weight
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.editing.calls import main_call, slots
from workbench.editing.choices import check_target
from workbench.editing.names import Names
from workbench.editing.notation import decode, encode
from workbench.editing.weight_steps import step_texts
from workbench.targets.pytorch.signatures import signature_of

#: What can be changed, in the order in which it is written.
FIELDS = ("target", "arguments", "weights", "note", "rename")


class Edited(dict[str, Any]):
    """What was changed by hand in a row, as plain values.

    `original` is the row as its rule made it.

    An empty one marks a row that was edited and set back.
    """

    def __init__(self, changes: Dict[str, Any], original: Row) -> None:
        super().__init__(changes)
        self.original = original


def original_of(row: Row) -> Row:
    """The row as its rule made it."""
    return row.edited.original if isinstance(row.edited, Edited) else row


def merged_changes(mapping: Mapping, row: Row, changes: Dict[str, Any]) -> dict[str, Any]:
    """The row's changes so far with new ones on top, in the form that files keep."""
    original = original_of(row)
    unknown = set(changes) - {*FIELDS, "reset"}
    if unknown:
        raise MappingError(
            f"unknown change {', '.join(sorted(map(repr, unknown)))}",
            f"Changes are {', '.join(FIELDS)} and reset.",
        )
    merged = {} if changes.get("reset") else copy.deepcopy(dict(row.edited))
    if "target" in changes:
        _merge_target(merged, original, changes["target"])
    names = Names(mapping, original, original=True)
    if "arguments" in changes:
        _merge_arguments(merged, original, changes["arguments"], names)
    if "weights" in changes:
        _merge_weights(merged, original, changes["weights"])
    if "note" in changes:
        _put(merged, "note", changes["note"], str(changes["note"] or "").strip(), "")
    if "rename" in changes:
        _put(merged, "rename", changes["rename"], str(changes["rename"]).strip(), original.path)
    return {field: merged[field] for field in FIELDS if merged.get(field)}


def _put(merged: dict[str, Any], field: str, given: Any, value: Any, usual: Any) -> None:
    if given is ... or given is None or value == usual:
        merged.pop(field, None)
    else:
        merged[field] = value


def _merge_target(merged: dict[str, Any], original: Row, target: Any) -> None:
    before = merged.get("target", original.target)
    if target is ... or target is None or target == original.target:
        merged.pop("target", None)
    elif original.is_parameter:
        if target not in ("nn.Parameter", "buffer"):
            raise MappingError(f"a stored tensor is nn.Parameter or buffer, not {target!r}")
        merged["target"] = target
    elif original.blocks:
        raise MappingError("an if or while keeps its target; edit the rows inside it")
    else:
        merged["target"] = check_target(target)
    now = merged.get("target", original.target)
    if now != before and "arguments" in merged and not original.is_parameter and now:
        told = signature_of(now)
        merged["arguments"] = {
            name: value
            for name, value in merged["arguments"].items()
            if told[name] is not None and not told.problem(name, value)
        }


def _merge_arguments(merged: dict[str, Any], original: Row, given: Any, names: Names) -> None:
    if given is ... or given is None:
        merged.pop("arguments", None)
        return
    if not isinstance(given, Dict):
        raise MappingError("arguments is a dictionary of names and values")
    usual: dict[str, Any] = {}
    if "target" not in merged:
        usual = {slot.name: slot.value for slot in slots(main_call(original.call))}
    kept = merged.setdefault("arguments", {})
    for name, value in given.items():
        name = str(name)
        if value is ...:
            kept.pop(name, None)
            continue
        encoded = encode(decode(_plain(value), names), names)
        if name in usual and encode(usual[name], names) == encoded:
            kept.pop(name, None)
        else:
            kept[name] = encoded


def _plain(value: Any) -> Any:
    """Numpy numbers as Python's; tuples as lists, which `decode` turns back."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _merge_weights(merged: dict[str, Any], original: Row, given: Any) -> None:
    if given is ... or given is None:
        merged.pop("weights", None)
        return
    if not isinstance(given, Dict):
        raise MappingError("weights is a dictionary of state_dict keys and lists of steps")
    kept = merged.setdefault("weights", {})
    for key, value in given.items():
        usual = original.weights.get(key)
        told = value if value is ... else _told_weight(key, value, usual)
        same = usual is not None and told == step_texts(usual)
        if told is ... or (same and "target" not in merged):
            kept.pop(key, None)
        else:
            kept[str(key)] = told


def _told_weight(key: str, value: Any, usual: Weight | None) -> Any:
    """A weight as files keep it: its steps, with the parameter's name when it is another one."""
    if isinstance(value, Weight):
        value = {"parameter": value.parameter, "steps": step_texts(value)}
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Dict):
        steps = [str(step) for step in value.get("steps") or ()]
        name = value.get("parameter") or (usual.parameter if usual else "")
        if usual is not None and name == usual.parameter:
            return steps
        return {"parameter": str(name), "steps": steps}
    if isinstance(value, Iterable):
        return [str(step) for step in value]
    raise MappingError(f"steps of '{key}' are a list of texts such as 'transposed'")
