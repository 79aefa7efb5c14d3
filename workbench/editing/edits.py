"""Changes of mapping rows by hand.

An edit is data: a few plain values that a YAML file keeps and that are applied to the row as the
rules made it. So the state of a row follows from its rule and its edits alone, in whatever order
they were made, and the same edits fit a model that was exported again.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from typing import Any

from workbench.conversion.names import snake
from workbench.core.errors import MappingError, MappingWarning
from workbench.core.mapping import Mapping, Row
from workbench.editing.apply import applied, check_reads, with_parameter_rows
from workbench.editing.merge import FIELDS, Edited, merged_changes, original_of
from workbench.editing.paths import bad_paths

__all__ = [
    "FIELDS", "Applied", "Edited", "apply_changes", "changes_of", "edit_row", "edit_rows",
    "original_of", "try_edits", "warn_of",
]  # fmt: skip


def edit_row(mapping: Mapping, path: str, changes: Dict[str, Any]) -> Mapping:
    """The mapping with one row changed.

    `changes` may hold

        target      "nn.GELU", "F.relu", ".reshape" …
        arguments   {name or position: value}; `=x.shape[0] * 2` is an expression of the inputs
        weights     {key: ["transposed", "part 0:3 of axis 1", …]}, or a `Weight`, or
                    {"parameter": …, "steps": […]}
        note        a text for people
        rename      a new module path
        reset       True: first go back to what the rule made

    `...` in place of a value takes that change back. Raises `MappingError` when a change does not
    fit, and then nothing is changed.
    """
    return edit_rows(mapping, {path: changes})


def edit_rows(mapping: Mapping, edits: Dict[str, Dict[str, Any]]) -> Mapping:
    """Change several rows at once, all or none; see `edit_row`.

    Raises one `MappingError` with every change that does not fit.
    """
    made, refused = try_edits(mapping, edits)
    if refused:
        raise _together(refused)
    return made


def try_edits(
    mapping: Mapping, edits: Dict[str, Dict[str, Any]]
) -> tuple[Mapping, dict[str, MappingError]]:
    """The mapping with the changes that fit, and by path the errors of those that do not."""
    rows = _rows_by_path(mapping)
    changed: dict[str, Row] = {}
    refused: dict[str, MappingError] = {}
    for path, changes in edits.items():
        try:
            row = _found(rows, path)
            changed[row.path] = _edited(mapping, row, changes)
        except MappingError as error:
            refused[path] = error
    refused.update(bad_paths(mapping, changed))
    changed = {path: row for path, row in changed.items() if path not in refused}
    made = replace(mapping, rows=_with_rows(mapping.rows, changed))
    return with_parameter_rows(made), refused


def _edited(mapping: Mapping, row: Row, changes: Dict[str, Any]) -> Row:
    original = original_of(row)
    try:
        merged = merged_changes(mapping, row, changes)
        made = applied(mapping, original, merged)
        check_reads(mapping, row, made)
    except (MappingError, ValueError) as error:
        hint = error.hint if isinstance(error, MappingError) else ""
        text = error.message if isinstance(error, MappingError) else str(error)
        raise MappingError(f"{row.path}: {text}", hint) from error
    return replace(made, edited=Edited(merged, original))


def _rows_by_path(mapping: Mapping) -> dict[str, Row]:
    """Rows by path; a renamed row is found by its first path too."""
    rows = {row.path: row for row in mapping.walk()}
    for row in list(rows.values()):
        rows.setdefault(original_of(row).path, row)
    return rows


def _found(rows: Dict[str, Row], path: str) -> Row:
    if path in rows:
        return rows[path]
    close = difflib.get_close_matches(str(path), rows, n=1)
    raise MappingError(f"there is no row '{path}'", f"Did you mean '{close[0]}'?" if close else "")


def _with_rows(rows: tuple[Row, ...], changed: Dict[str, Row]) -> tuple[Row, ...]:
    made = []
    for row in rows:
        blocks = tuple(replace(b, rows=_with_rows(b.rows, changed)) for b in row.blocks)
        row = changed.get(row.path, row)
        made.append(replace(row, blocks=blocks) if blocks else row)
    return tuple(made)


def _together(refused: Dict[str, MappingError]) -> MappingError:
    if len(refused) == 1:
        return next(iter(refused.values()))
    told = "\n".join(f"  {error.message}" for error in refused.values())
    hints = dict.fromkeys(error.hint for error in refused.values() if error.hint)
    return MappingError(f"{len(refused)} edits do not fit:\n{told}", " ".join(hints))


# --- edits of a whole mapping -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applied:
    """A mapping with the edits of a file.

    `unmatched` are paths in the file that the model does not have; `refused` says by path why an
    edit does not fit any more.
    """

    mapping: Mapping
    unmatched: tuple[str, ...] = ()
    refused: Dict[str, MappingError] | None = None


def changes_of(mapping: Mapping) -> dict[str, dict[str, Any]]:
    """All changes by hand, by the path that the rules gave the row; {} for a row set back."""
    return {
        original_of(row).path: dict(row.edited)
        for row in mapping.walk()
        if isinstance(row.edited, Edited)
    }


def apply_changes(mapping: Mapping, rows: Dict[str, Dict[str, Any]]) -> Applied:
    """Set the changes of these rows, in place of those that they had.

    A stored tensor is found by Paddle's name for it too, under which older files keep it.
    """
    known = {original_of(row).path: original_of(row).path for row in mapping.walk()}
    for row in mapping.rows:
        if row.is_parameter:
            known.setdefault(snake(row.weights[""].parameter), original_of(row).path)
    found = {
        known[path]: {**changes, "reset": True} for path, changes in rows.items() if path in known
    }
    made, refused = try_edits(mapping, found)
    return Applied(made, tuple(path for path in rows if path not in known), refused)


def warn_of(applied: Applied) -> None:
    """Warn of edits that found no row or did not fit; they are not part of the mapping."""
    refused = [f"{path}: {error.message}" for path, error in (applied.refused or {}).items()]
    told = [*refused, *(f"{path}: there is no such row now" for path in applied.unmatched)]
    if told:
        warnings.warn(f"{len(told)} edits are left out. " + "; ".join(told), MappingWarning, 3)
