"""The mapping editor without its widget: edits, history, saving, and what others change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any, Protocol

from workbench.checks.results.checks import Check
from workbench.checks.results.verification import Verification
from workbench.core.errors import MappingError, MappingWarning, WorkbenchError
from workbench.core.mapping import Mapping, Row
from workbench.editing.choices import check_target
from workbench.editing.edits import Applied, apply_changes, changes_of, try_edits
from workbench.editing.file import EditFile, unmatched_text
from workbench.editing.merge import Edited, original_of
from workbench.notebook.texts import changes_from, missing_arguments, missing_keys
from workbench.notebook.wire import Json, detail_json, key_of, row_json
from workbench.targets.pytorch import custom

Rows = dict[str, dict[str, Any]]


class Holder(Protocol):
    """Who owns the mapping, usually a `Migration`."""

    mapping: Mapping


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the history: the changes of some rows before and after."""

    label: str
    before: Rows
    after: Rows


@dataclass(slots=True)
class Outcome:
    """What an action did. `structure` means that rows came, went or moved."""

    changed: list[str] = field(default_factory=list)
    refused: dict[str, MappingError] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    weights: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    structure: bool = False
    recheck: list[str] = field(default_factory=list)


class EditorModel:
    """Edits one mapping. Rows are known by their key, the path that the rules gave them."""

    def __init__(self, holder: Holder, file: EditFile | None = None) -> None:
        self.holder = holder
        self.file = file
        self.undone: list[Step] = []
        self.done: list[Step] = []
        self.alone: dict[str, Check] = {}
        self.chain: dict[str, Check] = {}
        self.stale = False
        self.saved = True
        self.selected = ""
        self.pending: Rows = {}
        self._codes = custom.digests()
        self._seen = holder.mapping
        self.rows: dict[str, Row] = _keyed(self._seen)

    # --- reading --------------------------------------------------------------------------------

    @property
    def mapping(self) -> Mapping:
        """The mapping as it is now."""
        return self._seen

    def row_json(self, key: str) -> Json:
        """One line of the table."""
        row = self.rows[key]
        return row_json(self._seen, row, self.alone.get(key), self.chain.get(key))

    def table(self) -> list[Json]:
        """All lines of the table, in program order."""
        return [self.row_json(key) for key in self.rows]

    def detail(self, key: str) -> Json:
        """Everything about one row."""
        row = self.rows[key]
        told = detail_json(self._seen, row, self.alone.get(key), self.chain.get(key))
        return {**told, "alike": len(self.alike(key))}

    def info(self) -> Json:
        """What the toolbar shows."""
        return {
            "undo": self.done[-1].label if self.done else "",
            "redo": self.undone[-1].label if self.undone else "",
            "stale": self.stale,
            "saved": self.saved,
            "edits": sum(1 for row in self.rows.values() if row.edited),
            "file": str(self.file.path) if self.file else "",
        }

    # --- editing --------------------------------------------------------------------------------

    def edit(self, edits: Dict[str, Dict[str, Any]], label: str = "") -> Outcome:
        """Change rows by key, with texts as they were typed; what fits is changed and saved."""
        outcome = Outcome()
        wanted: Rows = {}
        for key, sent in edits.items():
            try:
                row = self.rows[key]
                wanted[key] = changes_from(self._seen, row, sent)
                missing = self._missing(row, wanted[key])
                weights = {} if missing else self._missing_weights(row, wanted[key])
            except KeyError:
                outcome.refused[key] = MappingError(f"there is no row '{key}' any more")
                continue
            except MappingError as error:
                outcome.refused[key] = error
                continue
            if missing or weights:
                outcome.missing[key] = missing
                outcome.weights[key] = weights
                del wanted[key]
        return self._change(wanted, label or _label(wanted), outcome)

    def _missing(self, row: Row, changes: Dict[str, Any]) -> list[str]:
        target = changes.get("target")
        if not isinstance(target, str) or target == original_of(row).target:
            return []
        given = changes.get("arguments")
        return missing_arguments(row, target, given if isinstance(given, dict) else {})

    def _missing_weights(self, row: Row, changes: Dict[str, Any]) -> dict[str, list[int]]:
        target = changes.get("target")
        if not isinstance(target, str) or row.is_parameter or target == original_of(row).target:
            return {}
        try:
            return missing_keys(self._seen, row, check_target(target), changes)
        except MappingError:  # told when the change is made
            return {}

    def _change(self, wanted: Rows, label: str, outcome: Outcome) -> Outcome:
        paths = {self.rows[key].path: key for key in wanted}
        before = {key: dict(self.rows[key].edited) for key in wanted}
        made, refused = try_edits(self._seen, {path: wanted[key] for path, key in paths.items()})
        outcome.refused |= {paths[path]: error for path, error in refused.items()}
        self._take(made, outcome)
        changed = [key for key in wanted if dict(self.rows[key].edited) != before[key]]
        if changed:
            after = {key: dict(self.rows[key].edited) for key in changed}
            self.done.append(Step(label, {key: before[key] for key in changed}, after))
            self.undone.clear()
            self._note_stale(changed, before, outcome)
            self.save(outcome)
        return outcome

    def reset(self, keys: Iterable[str]) -> Outcome:
        """Set rows back to what their rules made."""
        return self.edit({key: {"reset": True} for key in keys}, "reset")

    def undo(self) -> Outcome:
        """Take the last step back."""
        return self._travel(self.done, self.undone, lambda step: step.before, "undo")

    def redo(self) -> Outcome:
        """Do the step again that was taken back last."""
        return self._travel(self.undone, self.done, lambda step: step.after, "redo")

    def _travel(
        self, source: list[Step], other: list[Step], pick: Callable[[Step], Rows], word: str
    ) -> Outcome:
        outcome = Outcome()
        if not source:
            outcome.notices.append(f"There is nothing to {word}.")
            return outcome
        step = source.pop()
        wanted = {key: changes for key, changes in pick(step).items() if key in self.rows}
        before = {key: dict(self.rows[key].edited) for key in wanted}
        found = apply_changes(self._seen, wanted)
        outcome.refused |= dict(found.refused or {})
        self._take(found.mapping, outcome)
        other.append(step)
        self._note_stale(list(wanted), before, outcome)
        self.save(outcome)
        return outcome

    def alike(self, key: str) -> list[str]:
        """Other rows that the same rule made from the same operator into the same target."""
        row = self.rows.get(key)
        if row is None:
            return []
        first = original_of(row)
        return [
            other
            for other, candidate in self.rows.items()
            if other != key and _sort(original_of(candidate)) == _sort(first)
        ]

    def apply_to_alike(self, key: str) -> Outcome:
        """Give the row's changes, its name apart, to all rows like it."""
        changes = _for_others(self.rows[key])
        others = self.alike(key)
        if not changes:
            return Outcome(notices=["This row has no changes that others could take over."])
        edits = dict.fromkeys(others, changes)
        outcome = self._change(edits, f"apply to {len(others)} rows", Outcome())
        outcome.notices.append(
            f"{len(others) - len(outcome.refused)} of {len(others)} rows changed."
        )
        return outcome

    # --- saving and what others change -----------------------------------------------------------

    def save(self, outcome: Outcome) -> None:
        """Write the edits to the file and take over what others wrote there."""
        if self.file is None:
            return
        try:
            found = self.file.write(self._seen)
        except WorkbenchError as error:
            self.saved = False
            outcome.notices.append(str(error))
            return
        self.saved = True
        for key in found.overwritten:
            outcome.notices.append(f"{key} was also changed elsewhere; your change replaced it.")
        self._take_over(found.foreign, outcome)

    def load(self) -> Outcome:
        """Apply all edits of the file; called once when the editor opens."""
        outcome = Outcome()
        if self.file is None:
            return outcome
        try:
            rows = self.file.read()
        except MappingError as error:
            outcome.notices.append(str(error))
            return outcome
        found = apply_changes(self._seen, rows)
        for key, refusal in (found.refused or {}).items():
            outcome.notices.append(f"The saved edit of {key} does not fit: {refusal.message}")
        if found.unmatched:
            outcome.notices.append(unmatched_text(found.unmatched, self.file.path))
        self.pending = {key: rows[key] for key in (*(found.refused or {}), *found.unmatched)}
        self._take(found.mapping, outcome)
        return outcome

    def pull(self) -> Outcome:
        """Take over what others changed: in the file, or through the holder's mapping."""
        outcome = Outcome()
        if self.holder.mapping is not self._seen:
            self._adopt(outcome)
        if self.file is not None and self.file.changed:
            try:
                self._take_over(self.file.pull(self._seen).foreign, outcome)
            except MappingError as error:
                outcome.notices.append(str(error))
        return outcome

    def _take_over(self, foreign: Rows, outcome: Outcome) -> None:
        if not foreign or self.file is None:
            return
        before = {key: dict(row.edited) for key, row in self.rows.items() if key in foreign}
        found = apply_changes(self._seen, foreign)
        self._take(found.mapping, outcome)
        self.file.accept({key: foreign[key] for key in foreign if key not in (found.refused or {})})
        self._note_stale(list(before), before, outcome)
        for key, error in (found.refused or {}).items():
            outcome.notices.append(f"An edit of {key} from elsewhere does not fit: {error.message}")
        if before:
            outcome.notices.append(f"{len(before)} rows were changed elsewhere and are shown now.")

    def _adopt(self, outcome: Outcome) -> None:
        """A cell gave the holder another mapping, which is taken as it is; undo goes back."""
        theirs = self.holder.mapping
        edited = {key: row.edited for key, row in _keyed(theirs).items()}
        touched = {key for key, changes in edited.items() if isinstance(changes, Edited)}
        gone = {k: c for k, c in changes_of(self._seen).items() if c and not edited.get(k, c)}
        before = {key: dict(row.edited) for key, row in self.rows.items()}
        waiting = {key: c for key, c in self.pending.items() if key not in touched}
        # rows without their edits are marked as set back, so that the file forgets them too
        reset: Rows = {key: {} for key in gone}
        found = apply_changes(theirs, waiting | reset)
        self.pending = {key: waiting[key] for key in waiting if key in _not_taken(found)}
        if gone:
            self.done.append(Step("what a cell did", gone, reset))
            self.undone.clear()
        self._take(found.mapping if gone or waiting else theirs, outcome)
        outcome.changed += [key for key in self._with_new_code() if key not in outcome.changed]
        changed = [key for key in outcome.changed if key in self.rows]
        self._note_stale(
            changed, {key: before.get(key, {}) for key in changed}, outcome, force=True
        )
        if changes_of(self._seen) or self.file is not None:
            self.save(outcome)

    def _with_new_code(self) -> list[str]:
        """Rows that call code of the person's own which was defined anew."""
        before, self._codes = self._codes, custom.digests()
        new = {name for name, digest in self._codes.items() if before.get(name) != digest}
        return [k for k, row in self.rows.items() if new & set(custom.used_in(row.call))]

    # --- bookkeeping ----------------------------------------------------------------------------

    def _take(self, mapping: Mapping, outcome: Outcome) -> None:
        """Make a mapping the current one and note which rows differ."""
        if mapping is self._seen:
            return
        rows = _keyed(mapping)
        differ = [k for k, row in rows.items() if self.rows.get(k) is not row]
        differ = [k for k in differ if self.rows.get(k) != rows[k]]
        structure = list(self.rows) != list(rows) or any(
            self.rows[key].path != rows[key].path for key in differ
        )
        if self.holder.mapping is not mapping:
            if not differ and not structure and self.holder.mapping is self._seen:
                return
            self.holder.mapping = mapping
        self._seen, self.rows = self.holder.mapping, rows
        outcome.structure |= structure
        known = set(outcome.changed)
        outcome.changed += [key for key in differ if key not in known]

    def _note_stale(
        self, keys: list[str], before: Rows, outcome: Outcome, force: bool = False
    ) -> None:
        """Rows whose numbers may differ now are checked again; the chain after them is old."""
        for key in keys:
            now = {k: v for k, v in self.rows[key].edited.items() if k not in ("note", "rename")}
            was = {k: v for k, v in before[key].items() if k not in ("note", "rename")}
            if now != was or force:
                self.alone.pop(key, None)
                outcome.recheck.append(key)
                self.stale = True

    def take_verification(self, told: Verification, mapping: Mapping) -> None:
        """Show the results of a verification of that mapping."""
        keys = {row.path: key_of(row) for row in mapping.walk()}
        self.alone = {keys[c.path]: c.own for c in told.layers if c.path in keys}
        self.chain = {keys[c.path]: c.chain for c in told.layers if c.path in keys}
        self.stale = mapping is not self._seen


def _not_taken(found: Applied) -> set[str]:
    return {*(found.refused or {}), *found.unmatched}


def _keyed(mapping: Mapping) -> dict[str, Row]:
    return {key_of(row): row for row in mapping.walk()}


def _sort(row: Row) -> tuple[Any, ...]:
    return row.ops, row.target, row.rule


def _for_others(row: Row) -> dict[str, Any]:
    """The row's changes that make sense elsewhere: neither its name nor parameters by name."""
    changes = {field: value for field, value in row.edited.items() if field != "rename"}
    if "weights" in changes:
        steps = {k: v for k, v in changes["weights"].items() if not isinstance(v, dict)}
        changes["weights"] = steps
    return {field: value for field, value in changes.items() if value}


def _label(edits: Rows) -> str:
    fields = {name for changes in edits.values() for name in changes}
    what = " and ".join(sorted(fields)) or "nothing"
    return f"{what} of {next(iter(edits))}" if len(edits) == 1 else f"{what} of {len(edits)} rows"


__all__ = ["EditorModel", "MappingWarning", "Outcome", "Step"]
