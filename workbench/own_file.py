"""A file of one's own beside the command line: code as targets, rules, replaced scopes.

The file is named by the person who runs the command; nothing is ever executed from a mapping file.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from workbench.errors import InputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.migration import Migration

#: The function that a file must define; it gets the migration.
ENTRY = "migrate"


def load_module(path: str | Path) -> ModuleType:
    """A Python file as a module; raises `InputError` when it cannot be run."""
    path = Path(path)
    name = f"workbench_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Python looks for the text of its classes
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be loaded: {_told(error, path)}") from error
    return module


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
        raise InputError(f"{path} failed: {_told(error, Path(path))}") from error
    migration.code = str(path)


def _told(error: Exception, path: Path) -> str:
    """The error and, where it is known, the line of the file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{where}."
