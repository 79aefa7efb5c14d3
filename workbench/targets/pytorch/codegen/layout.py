"""Break long lines of generated source at commas, as a formatter would."""

from __future__ import annotations

import re
from collections.abc import Iterator

LIMIT = 100
_STRING = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' """, re.VERBOSE)


def wrap(line: str) -> str:
    """The line, broken inside its outermost brackets when it is longer than the limit."""
    if len(line) <= LIMIT or "\n" in line or line.lstrip().startswith("#"):
        return line
    found = _outermost(line)
    if found is None:
        return line
    opening, closing = found
    indent = line[: len(line) - len(line.lstrip())]
    head, inside, tail = line[: opening + 1], line[opening + 1 : closing], line[closing:]
    pieces = _split(inside)
    if len(pieces) == 1 and " for " in inside:
        return line
    joined = ", ".join(pieces)
    deeper = indent + "    "
    if len(deeper) + len(joined) <= LIMIT:
        return "\n".join([head, deeper + joined, indent + tail])
    comma = "" if len(pieces) == 1 and _groups(line, opening, inside) else ","
    return "\n".join([head, *(wrap(f"{deeper}{piece}{comma}") for piece in pieces), indent + tail])


def _groups(line: str, opening: int, inside: str) -> bool:
    """True for brackets around an expression, which a comma would make a tuple."""
    before = line[:opening][-1:]
    called = before.isalnum() or before in ("_", ")", "]")
    return line[opening] == "(" and not called and not inside.rstrip().endswith(",")


def _outermost(line: str) -> tuple[int, int] | None:
    """The widest bracket pair that holds a comma."""
    best: tuple[int, int] | None = None
    stack: list[int] = []
    for position, character in _code(line):
        if character in "([{":
            stack.append(position)
        elif character in ")]}" and stack:
            start = stack.pop()
            if not stack and (best is None or position - start > best[1] - best[0]):
                best = (start, position)
    return best


def _split(inside: str) -> list[str]:
    """Pieces between the commas of the outermost level."""
    pieces, depth, start = [], 0, 0
    for position, character in _code(inside):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            pieces.append(inside[start:position].strip())
            start = position + 1
    rest = inside[start:].strip()
    return [*pieces, rest] if rest else pieces


def _code(text: str) -> Iterator[tuple[int, str]]:
    """Positions and characters that stand outside strings."""
    end = 0
    for string in _STRING.finditer(text):
        yield from ((place, text[place]) for place in range(end, string.start()))
        end = string.end()
    yield from ((place, text[place]) for place in range(end, len(text)))
