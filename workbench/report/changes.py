"""What the mapping changed, grouped: weight steps, notes, hand edits, operators without a rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workbench.core.arguments import calls_in
from workbench.core.calls import Layer, Weight
from workbench.core.mapping import Mapping, Row
from workbench.report.words import call_text, weight_text


@dataclass(slots=True)
class Group:
    """Rows that share one change. `kind` is *weights*, *note* or *custom*."""

    kind: str
    text: str
    key: str = ""
    steps: tuple[Any, ...] = ()
    rows: list[tuple[str, str]] = field(default_factory=list)


def change_groups(mapping: Mapping) -> list[Group]:
    """Every non-obvious change, the most frequent first; each names its rows with details."""
    groups: dict[tuple[str, str], Group] = {}
    for row in mapping.walk():
        for group, detail in _changes(row):
            found = groups.setdefault((group.kind, group.text), group)
            found.rows.append((row.path, detail))
    return sorted(groups.values(), key=lambda group: -len(group.rows))


def _changes(row: Row) -> Iterator[tuple[Group, str]]:
    for key, weight in weights_by_key(row):
        if weight.steps:
            steps = ", ".join(step_kind(step) for step in weight.steps)
            detail = f"{weight.parameter} {_shapes(weight)}"
            yield (
                Group("weights", f"{key or 'value'}: {steps}", key or "value", weight.steps),
                detail,
            )
    for note in row.notes:
        yield Group("note", note), ", ".join(row.ops)
    if row.status == "custom":
        yield Group("custom", row.rule), ", ".join(row.ops)


def weights_by_key(row: Row) -> Iterator[tuple[str, Weight]]:
    """The weights of every layer in a row, with their state_dict keys."""
    for part in calls_in(row.call) if row.call is not None else ():
        if isinstance(part, Layer):
            yield from ((key, weight) for key, weight in part.weights.items() if weight is not None)


def step_kind(step: Any) -> str:
    """The step without the sizes of one weight, so that equal changes fall together."""
    return {"Reshaped": "reshaped", "Sliced": "part taken"}.get(type(step).__name__, str(step))


def _shapes(weight: Weight) -> str:
    before, after = _plain(weight.shape), _plain(weight.final_shape)
    return f"{before} → {after}" if before != after else before


def _plain(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def hand_edits(mapping: Mapping) -> list[dict[str, Any]]:
    """Every row that a person changed: what it was by the rules, what it is now."""
    edits = []
    for row in mapping.walk():
        if not row.edited:
            continue
        original = getattr(row.edited, "original", None)
        edits.append(
            {
                "path": row.path,
                "ops": list(row.ops),
                "changes": {str(key): _told(value) for key, value in row.edited.items()},
                "before": described(mapping, original) if isinstance(original, Row) else "",
                "after": described(mapping, row),
            }
        )
    return edits


def described(mapping: Mapping, row: Row) -> str:
    """A row in one line: its call, and the weights that changed on the way."""
    weights = [weight_text(key, weight) for key, weight in weights_by_key(row) if weight.steps]
    call = call_text(mapping, row) or row.reason or row.status
    return "; ".join([call, *weights])


def _told(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_told(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _told(item) for key, item in value.items()}
    return str(value)


def unsupported_rows(mapping: Mapping) -> list[dict[str, Any]]:
    """Operators that no rule serves, one entry for each operator and reason."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in mapping.unsupported:
        op = ", ".join(row.ops)
        entry = found.setdefault(
            (op, row.reason), {"op": op, "reason": row.reason, "hint": row.hint, "paths": []}
        )
        entry["paths"].append(row.path)
    return sorted(found.values(), key=lambda entry: -len(entry["paths"]))
