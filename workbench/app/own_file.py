"""A file of one's own beside the command line: code as targets, rules, replaced scopes.

The file is named by the person who runs the command; nothing is ever executed from a mapping file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.errors import InputError, WorkbenchError
from workbench.core.own_code import load_module, told

if TYPE_CHECKING:
    from workbench.app.migration import Migration

#: The function that a file must define; it gets the migration.
ENTRY = "migrate"


def use_file(migration: Migration, path: str | Path) -> None:
    """Run `migrate(m)` of a file, which may do what a notebook does: m.custom, m.replace, m.rule.

    Raises `InputError` when the file has no such function or it fails.
    """
    entry = getattr(load_module(path), ENTRY, None)
    if not callable(entry):
        raise InputError(
            f"{path} defines no function {ENTRY}(m).",
            "In it, do what you would do in a notebook: m.custom(Gate), m.replace(scope, Module).",
        )
    try:
        entry(migration)
    except WorkbenchError:
        raise
    except Exception as error:
        raise InputError(f"{path} failed: {told(error, Path(path))}") from error
    migration.code = str(path)
