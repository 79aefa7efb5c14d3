"""The verdict belongs to a module: one that was changed after its verification is judged again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.checks.layers.verify import check_references
from workbench.checks.values.integrity import check_integrity

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence
    from workbench.checks.results.verification import Verification


def verdict_now(migration: Evidence) -> Verification | None:
    """The verification of the module as it is now; None when nothing was verified.

    Where the module is not what it was when it was verified, Paddle's recorded values judge it
    again, and the migration keeps the new verdict. Raises `ConversionError` as `convert` does.
    """
    found = migration.verification
    if found is None:
        return None
    module = migration.convert()
    told = check_integrity(migration.mapping, module).changes
    if told == {layer.path: layer.changed for layer in found.layers if layer.changed}:
        return found
    runs = check_references(migration.mapping, module, migration.references)
    same = len(runs) == len(found.runs)
    if same:
        runs = tuple(replace(now, told=old.told) for now, old in zip(runs, found.runs, strict=True))
    note = "The module was changed after it was verified; this is the verdict of the changed one."
    migration.verification = replace(found, runs=runs, notes=(*found.notes, note), diagnosis=())
    return migration.explained()
