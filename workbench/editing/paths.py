"""Module paths of renamed rows."""

from __future__ import annotations

import keyword
from collections.abc import Container, Iterable
from collections.abc import Mapping as Dict

from workbench.core.errors import MappingError
from workbench.core.identifiers import MODULE_ATTRIBUTES, is_plain
from workbench.core.mapping import Mapping, Row


def bad_paths(mapping: Mapping, changed: Dict[str, Row]) -> dict[str, MappingError]:
    """Errors of renamed rows whose path is no module path or is taken.

    `changed` holds rows by the path that they have now.
    """
    renamed = {path: row for path, row in changed.items() if row.path != path}
    if not renamed:
        return {}
    rows = [changed.get(row.path, row) for row in mapping.walk()]
    final = [row.path for row in rows]
    holders = {row.path for row in rows if row.blocks}
    prefixes = dict(_prefixes(mapping.rows, ""))
    refused = {}
    for path, row in renamed.items():
        problem = path_problem(row.path, final, holders)
        problem = problem or _kept_prefix(row, prefixes.get(path, ""))
        if problem:
            refused[path] = MappingError(f"{path}: {problem}")
    return refused


def path_problem(new: str, paths: Iterable[str], holders: Container[str] = ()) -> str:
    """Why a row cannot have that path, or an empty text.

    `paths` are all paths after the rename, `holders` those that have other rows inside.
    """
    for step in new.split("."):
        if not (step.isidentifier() or (step.isascii() and step.isdigit())):
            return f"'{new}' is not a module path; use names and numbers with dots between them"
        if keyword.iskeyword(step):
            return f"'{step}' is a word of Python and cannot name a module"
        if step in MODULE_ATTRIBUTES:
            return f"'{step}' is an attribute of every module and cannot name one"
        if not (step.isdigit() or is_plain(step)):
            return f"'{step}' is read by Python as another name"
    seen = 0
    for path in paths:
        if path == new:
            seen += 1
        elif path.startswith(f"{new}."):
            return f"'{new}' is taken: '{path}' lies inside it"
        elif new.startswith(f"{path}.") and path not in holders:
            return f"'{new}' would lie inside '{path}', which is a layer"
    return f"'{new}' is taken by another row" if seen > 1 else ""


def _kept_prefix(row: Row, prefix: str) -> str:
    if row.blocks:
        return "an if or while keeps its name, since the rows inside it carry it"
    if not row.path.startswith(prefix):
        return f"the row is inside a block; its path must begin with '{prefix}'"
    return ""


def _prefixes(rows: tuple[Row, ...], prefix: str) -> Iterable[tuple[str, str]]:
    for row in rows:
        yield row.path, prefix
        for block in row.blocks:
            yield from _prefixes(block.rows, f"{row.path}.{block.name}.")
