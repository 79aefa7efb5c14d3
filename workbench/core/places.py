"""Where code stands, in words for people."""

from __future__ import annotations

import sys


def place(filename: str, line: int) -> str:
    """A place for people: cells by their number, which a temporary file name hides."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if running is not None:
        told = running.compile.format_code_name(filename)
        if told is not None:
            return f"{told[1]}, line {line}"
    return f"{filename}:{line}"
