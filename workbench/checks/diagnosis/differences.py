"""How a row differs from the one that its rule makes, in words and as an edit."""

from __future__ import annotations

from typing import Any

from workbench.checks.diagnosis.weights import Candidate
from workbench.core.calls import Layer
from workbench.core.errors import WorkbenchError
from workbench.core.mapping import Mapping, Row
from workbench.editing.calls import main_call, slots
from workbench.editing.edits import edit_row
from workbench.editing.merge import original_of
from workbench.editing.names import Names
from workbench.editing.notation import show
from workbench.editing.weight_steps import step_texts
from workbench.targets.pytorch.signatures import signature_or_open


def rule_row(row: Row, made: dict[str, Row]) -> Row | None:
    """The row that the rules make for the same operator; None when they make none that works."""
    found = made.get(place_of(row))
    return found if found is not None and found.call is not None else None


def place_of(row: Row) -> str:
    """Where the row's operator stands in the program; the parameter's name of a stored tensor."""
    return row.op.index if row.op else next((v.parameter for v in row.values), row.path)


def from_rule(mapping: Mapping, row: Row, made: Row) -> Candidate | None:
    """The row as the rule makes it, with what differs; None when nothing does."""
    told = row_differences(mapping, row, made)
    if not told:
        return None
    edit: dict[str, Any] | None = {"reset": True} if row.edited else _edit(row, made)
    how = "changed by hand" if row.edited else "not as its rule says"
    return Candidate(f"{how}: {'; '.join(told)}", made, edit)


def row_differences(mapping: Mapping, row: Row, made: Row) -> list[str]:
    """What the row has and what its rule gives, one text a difference."""
    found: list[str] = []
    if row.target != made.target:
        found.append(f"{row.target or 'nothing'} in place of {made.target}")
    mine, theirs = ({s.name: s.value for s in slots(main_call(r.call))} for r in (row, made))
    names = Names(mapping, row)
    for name in {**theirs, **mine}:
        now, before = (show(s[name], names) if name in s else "its default" for s in (mine, theirs))
        if now != before:
            found.append(f"{name} is {now} in place of {before}")
    for key in {**made.weights, **row.weights}:
        now_, before_ = row.weights.get(key), made.weights.get(key)
        if now_ == before_:
            continue
        if now_ is None or before_ is None:
            found.append(f"{key} is missing" if now_ is None else f"{key} should not be there")
        elif now_.parameter != before_.parameter:
            found.append(f"{key} is filled from {now_.parameter} in place of {before_.parameter}")
        else:
            found.append(f"{key} is {now_} in place of {before_}")
    if not found and (row.call != made.call or row.outputs != made.outputs):
        found.append("the call differs from what its rule makes")
    return found


def _edit(row: Row, made: Row) -> dict[str, Any] | None:
    mine, theirs = main_call(row.call), main_call(made.call)
    if mine is None or theirs is None:
        return None
    edit: dict[str, Any] = {"target": made.target} if row.target != made.target else {}
    given = {slot.name: slot.value for slot in slots(mine)}
    changed = {s.name: s.value for s in slots(theirs) if given.get(s.name, ...) != s.value}
    usual = {slot.name for slot in slots(theirs)}
    for name in given if made.target == row.target else ():
        argument = signature_or_open(made.target)[name]
        if name not in usual and argument is not None and not argument.required:
            changed[name] = argument.default
    if changed:
        edit["arguments"] = changed
    if isinstance(theirs, Layer):
        weights = {
            key: {"parameter": weight.parameter, "steps": step_texts(weight)}
            for key, weight in theirs.weights.items()
            if row.weights.get(key) != weight
        }
        if weights:
            edit["weights"] = weights
    return edit or None


def plain_edit(mapping: Mapping, row: Row, edit: dict[str, Any] | None) -> dict[str, Any] | None:
    """The edit as plain values, as files keep it; None when it does not fit the row."""
    if edit is None:
        return None
    try:
        changed = edit_row(mapping, row.path, edit)
    except (WorkbenchError, ValueError, KeyError):
        return None
    if edit.get("reset"):
        return {"reset": True}
    after, before = (
        next(r for r in changed.walk() if original_of(r).path == original_of(row).path),
        row,
    )
    kept = dict(after.edited)
    return {
        field: value for field, value in kept.items() if dict(before.edited).get(field) != value
    }
