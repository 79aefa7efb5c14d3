"""Rows and their details as JSON for the editor."""

from __future__ import annotations

import math
from collections.abc import Mapping as Dict
from typing import Any

import numpy as np

from workbench.checks.results.checks import Check
from workbench.core.calls import Weight
from workbench.core.dtypes import is_float
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value
from workbench.editing.calls import main_call, slots
from workbench.editing.choices import suggestions
from workbench.editing.listing import call_text, data_inputs, shape_text, table_line
from workbench.editing.merge import original_of
from workbench.editing.names import Names
from workbench.editing.notation import show
from workbench.editing.weight_steps import FORMS, step_texts
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.resolve import is_layer
from workbench.targets.pytorch.signatures import Argument, signature_of

Json = dict[str, Any]
_BINS = 32
_SAMPLE = 1 << 16


def key_of(row: Row) -> str:
    """What the editor calls a row, whatever it is renamed to."""
    return original_of(row).path


def row_json(mapping: Mapping, row: Row, alone: Check | None, chain: Check | None) -> Json:
    """One line of the table; empty fields are left out."""
    line = table_line(mapping, row)
    told: Json = {
        "k": key_of(row), "p": row.path, "o": line["ops"], "i": line["inputs"],
        "u": line["outputs"], "t": line["target"], "a": line["arguments"], "w": _steps(row),
        "n": line["note"], "s": row.status, "e": list(row.edited), "d": kind_of(row),
        "f": check_json(alone), "c": check_json(chain), "r": row.reason,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def kind_of(row: Row) -> str:
    """What sort of thing a row is."""
    if row.is_parameter:
        return "parameter"
    if row.blocks:
        return "control"
    return "layer" if row.is_layer else "function" if row.call is not None else "unknown"


def check_json(check: Check | None) -> Json | None:
    """A verdict with its numbers; JSON has no infinity, so such numbers are texts."""
    if check is None:
        return None
    told: Json = {"v": check.verdict}
    error = check.error
    if error is not None:
        told |= {
            "x": _number(error.max_abs), "r": _number(error.relative), "l": _number(error.l2),
            "t": _number(check.tolerance), "q": _number(error.cosine), "h": list(error.counts),
            "z": error.zeros, "m": error.elements, "s": _number(error.scale),
        }  # fmt: skip
    if check.problem:
        told["p"] = check.problem
    return told


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _steps(row: Row) -> str:
    parts = []
    for key, weight in row.weights.items():
        if weight.steps:
            steps = ", ".join(map(str, weight.steps))
            parts.append(f"{key}: {steps}" if key else steps)
    return "; ".join(parts) or ("copied" if row.weights else "")


# --- details of the selected row --------------------------------------------------------------


def detail_json(mapping: Mapping, row: Row, check: Check | None, chain: Check | None) -> Json:
    """Everything that the panel shows about one row."""
    original = original_of(row)
    told = row_json(mapping, row, check, chain)
    return {
        **told,
        "kind": kind_of(row),
        "scope": row.scope,
        "reason": row.reason,
        "hint": row.hint,
        "rule": row.rule,
        "doc": row.doc,
        "ops": _ops(row),
        "source": call_text(mapping, row),
        "inputs": [_value_json(mapping, row, value) for value in data_inputs(row)],
        "outputs": [{"text": shape_text(value)} for value in row.values],
        "target": {
            "value": row.target,
            "original": original.target,
            "edited": "target" in row.edited,
            "fixed": bool(row.blocks),
            "suggestions": _targets(mapping, row),
        },
        "arguments": arguments_json(mapping, row),
        "weights": [_weight_json(mapping, row, key) for key in _weight_keys(row)],
        "parameters": _parameters(row),
        "forms": list(FORMS),
        "notes": list(row.notes),
        "note": row.edited.get("note", ""),
        "changes": _told_changes(row),
        "code": _own_code(row),
    }


def _own_code(row: Row) -> list[Json]:
    """The person's own code that the row calls: its name, place and text."""
    told = []
    for target in custom.used_in(row.call):
        try:
            code = custom.find(target)
        except MappingError:
            continue
        told.append({"name": target, "place": code.place, "source": code.source})
    return told


def _ops(row: Row) -> list[Json]:
    ops = row.op.merged or (row.op,) if row.op is not None else ()
    return [{"name": op.name, "index": op.index} for op in ops]


def _value_json(mapping: Mapping, row: Row, value: Value) -> Json:
    return {"name": Names(mapping, row).text(value), "text": shape_text(value)}


def _targets(mapping: Mapping, row: Row) -> list[str]:
    if row.is_parameter:
        return ["nn.Parameter", "buffer"]
    return suggestions(row, mapping.walk())


def arguments_json(mapping: Mapping, row: Row, target: str = "") -> list[Json]:
    """The arguments of a row, or those that another target would take, as fields of a form."""
    if row.is_parameter or row.blocks or not (target or row.target):
        return []
    try:
        told = signature_of(target or row.target)
    except MappingError:
        return []
    names = Names(mapping, row)
    given = {slot.name: slot for slot in slots(main_call(row.call))}
    if target and target != row.target:
        given = {}
    edited = row.edited.get("arguments", {})
    module = is_layer(target or row.target)
    fields = []
    for argument in told.arguments:
        slot = given.pop(argument.name, None)
        if slot is None and (argument.hidden or (argument.name == "dtype" and module)):
            continue
        value = show(slot.value, names) if slot else ""
        fields.append(_field(argument, value, names, argument.name in edited, bool(slot)))
        fields[-1]["data"] = bool(slot and slot.is_data)
    for name, slot in given.items():
        fields.append(_field(Argument(name), show(slot.value, names), names, name in edited, True))
        fields[-1]["data"] = slot.is_data
    return fields


def _field(argument: Argument, value: str, names: Names, edited: bool, given: bool) -> Json:
    kinds = set(argument.kinds) - {"none"}
    default = "" if argument.required else _quoted(argument.default, names)
    return {
        "name": argument.name,
        "value": value.strip("'") if kinds == {"str"} else value,
        "default": default.strip("'") if kinds == {"str"} else default,
        "kind": "bool" if kinds == {"bool"} else "choice" if argument.choices else "text",
        "none": "none" in argument.kinds,
        "choices": [str(choice) for choice in argument.choices],
        "wanted": argument.wanted,
        "required": argument.required and bool(argument.kinds),
        "edited": edited,
        "given": given,
    }


def _quoted(value: Any, names: Names) -> str:
    return show(tuple(value) if isinstance(value, list) else value, names)


def _weight_keys(row: Row) -> list[str]:
    """Keys of the row's weights, those that an edit left out too."""
    return list(dict.fromkeys((*row.weights, *row.edited.get("weights", {}))))


def _weight_json(mapping: Mapping, row: Row, key: str) -> Json:
    weight = row.weights.get(key)
    original = original_of(row).weights.get(key)
    if weight is None:
        return {"key": key, "gone": True}
    return {
        "key": key,
        "parameter": weight.parameter,
        "shape": list(weight.shape),
        "dtype": weight.dtype,
        "final": list(weight.final_shape),
        "final_dtype": weight.final_dtype,
        "steps": step_texts(weight),
        "original": step_texts(original) if original is not None else None,
        "edited": key in row.edited.get("weights", {}),
        "trainable": weight.trainable,
        **_histograms(mapping, weight),
    }


def _histograms(mapping: Mapping, weight: Weight) -> Json:
    """Small histograms of a weight as stored and, where steps change its values, as loaded."""
    stored = mapping.program.parameters.get(weight.parameter)
    if stored is None or not is_float(stored.dtype):
        return {}
    try:
        array = stored.data
    except (ValueError, OSError):  # a program without its parameter file
        return {}
    if stored.dtype == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    told = {"before": histogram_json(array)}
    if any(step.inverse() is None for step in weight.steps):
        told["after"] = histogram_json(weight.apply(array))
    return told


def histogram_json(array: np.ndarray) -> Json:
    """Counts of a sample of the elements, with range, mean and spread."""
    step = max(1, array.size // _SAMPLE)
    sample = np.asarray(array.reshape(-1)[::step], np.float64)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return {"counts": [], "low": 0, "high": 0, "mean": 0, "std": 0, "bad": int(sample.size)}
    low, high = float(finite.min()), float(finite.max())
    counts, _ = np.histogram(finite, _BINS, (low, high if high > low else low + 1))
    return {
        "counts": counts.tolist(), "low": low, "high": high, "mean": float(finite.mean()),
        "std": float(finite.std()), "bad": int(sample.size - finite.size),
    }  # fmt: skip


def _parameters(row: Row) -> list[Json]:
    found = {}
    for name, operand in (row.op.inputs if row.op else {}).items():
        if isinstance(operand, Value) and operand.parameter:
            found[operand.parameter] = {"input": name, "name": operand.parameter,
                                        "shape": list(operand.shape)}  # fmt: skip
    for weight in row.weights.values():
        found.setdefault(weight.parameter, {"input": "", "name": weight.parameter,
                                            "shape": list(weight.shape)})  # fmt: skip
    return list(found.values())


def _told_changes(row: Row) -> list[str]:
    """The hand edits of a row in words."""
    original = original_of(row)
    told = []
    for field, value in row.edited.items():
        if field == "target":
            told.append(f"target: {original.target or 'none'} → {value}")
        elif field == "arguments":
            told += [f"{name} = {given}" for name, given in value.items()]
        elif field == "weights":
            told += [f"{key or 'tensor'}: {_told_steps(given)}" for key, given in value.items()]
        elif field == "rename":
            told.append(f"renamed from {original.path}")
        else:
            told.append(f"{field}: {value}")
    return told


def _told_steps(given: Dict[str, Any] | list[str]) -> str:
    if isinstance(given, dict):
        return f"{given['parameter']} {', '.join(given['steps']) or 'copied'}"
    return ", ".join(given) or "copied"
