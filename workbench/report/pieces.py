"""Pieces of the short HTML forms: tables, facts, folds; all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup

from workbench.report.words import counted, visible

#: Rows that a table shows in a notebook; a saved notebook holds them all.
ROWS = 100


def code(text: str) -> Markup:
    """Text in the fixed font; a long path may break after its dots, not inside words."""
    parts = (Markup("{}").format(part) for part in visible(text).split("."))
    return Markup("<code>{}</code>").format(Markup(".<wbr>").join(parts))


def word(word: str, signs: dict[str, str], more: str = "") -> Markup:
    """A verdict or status with its sign."""
    told = f"{signs.get(word, '')} {'not compared' if word == 'unchecked' else word}{more}"
    return Markup('<span class="wb-{}">{}</span>').format(word, told.strip())


def head(name: str, told: str) -> Markup:
    """The first line."""
    return Markup('<p class="wb-head"><b>{}</b> {}</p>').format(name, told)


def facts(facts: Iterable[tuple[str, Any]]) -> Markup:
    """Names with what is told of them."""
    lines = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(name, told) for name, told in facts
    )
    return Markup('<table class="wb-facts">{}</table>').format(lines)


def table(names: Sequence[str], lines: Iterable[Sequence[Any]], kinds: str = "") -> Markup:
    """A table in a box that scrolls. `kinds`: r for numbers, s for shapes, c and x for all else."""
    kinds = kinds or "c" * len(names)
    head = Markup("").join(
        Markup('<th class="wb-{}">{}</th>').format(kind, name)
        for kind, name in zip(kinds, names, strict=True)
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<td class="wb-{}">{}</td>').format(kind, cell)
                for kind, cell in zip(kinds, line, strict=True)
            )
        )
        for line in lines
    )
    return Markup(
        '<div class="wb-scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)


def folded(name: str, *parts: Markup) -> Markup:
    """What opens with a click."""
    inner = Markup("").join(parts)
    return Markup("<details><summary>{}</summary>{}</details>").format(name, inner)


def more(count: int, how: str) -> Markup:
    """What is said when a table does not show all lines."""
    if count <= ROWS:
        return Markup("")
    told = f"the first {ROWS} of {counted(count)}; {how}"
    return Markup('<p class="wb-note">{}</p>').format(told)


def box(*parts: Any) -> str:
    """Everything with the stylesheet around it."""
    style = Markup("<style>{}</style>").format(Markup(_style()))
    return str(Markup('{}<div class="wb">{}</div>').format(style, Markup("").join(parts)))


@cache
def _style() -> str:
    path = resources.files("workbench.report").joinpath("fragments.css")
    return path.read_text(encoding="utf-8")
