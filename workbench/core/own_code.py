"""Code of a person's own, read from a Python file that they name."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from workbench.core.errors import InputError


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
        raise InputError(f"{path} cannot be loaded: {told(error, path)}") from error
    return module


def told(error: Exception, path: Path) -> str:
    """The error and, where it is known, the line of the file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{where}."
