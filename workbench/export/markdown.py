"""Markdown with foreign text in it: what a model or a person wrote stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workbench.targets.pytorch.codegen.text import printable

#: What begins markup, a link or HTML in Markdown as Hugging Face and GitHub read it.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&|~$!#@]|^[-+=]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_TICKS = re.compile("`+")


def escaped(text: str) -> str:
    """Text in one line that Markdown shows as it is."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", printable(text))


def code(text: str) -> str:
    """Text in one line as a code span; also in a table."""
    line = printable(text)
    ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(line)), default=0))
    room = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) or not line else ""
    return f"{ticks}{room}{line.replace('|', chr(92) + '|')}{room}{ticks}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(items: Iterable[str]) -> str:
    """A list of items that are Markdown already."""
    return "\n".join(f"- {item}" for item in items)
