"""Definitions copied out of modules as they stand, with all that they use: code that travels."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_OURS = "workbench"
#: The module that a name comes from, empty for `import`, and the name with its `as`.
Import = tuple[str, str]


@dataclass(slots=True)
class Excerpt:
    """What was copied: source of each definition by name, and the imports that it needs."""

    sources: dict[str, str] = field(default_factory=dict)
    imports: set[Import] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The definitions, those that others use first; constants stand together."""
        made, before = "", True
        for source in self.sources.values():
            block = source.startswith(("def ", "class ", "@"))
            made += ("\n\n\n" if block or before else "\n") + source
            before = block
        return made.strip("\n")


def excerpt(*wanted: tuple[ModuleType, Iterable[str]]) -> Excerpt:
    """Copy the named definitions of each module, and what they use of it and of our other modules.

    Raises `ValueError` for a name that a module does not define.
    """
    found = Excerpt()
    for module, names in wanted:
        for name in names:
            _copy(found, module, name)
    return found


def _copy(found: Excerpt, module: ModuleType, name: str) -> None:
    text = inspect.getsource(module)
    tree = ast.parse(text)
    node = next((node for node in tree.body if name in _defined(node)), None)
    if node is None:
        raise ValueError(f"{module.__name__} does not define {name}")
    key = min(_defined(node))
    if key in found.seen:
        return
    found.seen.add(key)
    for other in _names(node):
        if other in _defined(node):
            continue
        if any(other in _defined(one) for one in tree.body):
            _copy(found, module, other)
        elif (origin := _origin(tree, other)) is not None:
            _fetch(found, *origin)
    found.sources[key] = _text(text, node)


def _fetch(found: Excerpt, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> None:
    """An import line, or the copy of what it brings from our own code."""
    if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == _OURS:
        _copy(found, importlib.import_module(str(node.module)), alias.name)
        return
    renamed = f" as {alias.asname}" if alias.asname else ""
    home = str(node.module) if isinstance(node, ast.ImportFrom) else ""
    found.imports.add((home, f"{alias.name}{renamed}"))


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets: list[Any] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {
        part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
    }


def _origin(tree: ast.Module, name: str) -> tuple[ast.Import | ast.ImportFrom, ast.alias] | None:
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name.split(".")[0]) == name:
                    return node, alias
    return None


def _names(node: ast.stmt) -> list[str]:
    """Names that a definition takes from around it, in order."""
    parts = list(ast.walk(node))
    own = {part.arg for part in parts if isinstance(part, ast.arg)}
    if isinstance(node, ast.FunctionDef):
        own |= {part.id for part in parts
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}  # fmt: skip
    used = (part.id for part in parts if isinstance(part, ast.Name))
    return [name for name in dict.fromkeys(used) if name not in own]


def _text(text: str, node: ast.stmt) -> str:
    """The lines of a definition with the comments directly above it."""
    lines = text.split("\n")
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(one.lineno for one in decorators)]) - 1
    while start and lines[start - 1].startswith("#"):
        start -= 1
    return "\n".join(lines[start : node.end_lineno])


def import_lines(imports: Iterable[Import], own: Iterable[str] = ()) -> str:
    """The lines in three groups: the standard library, packages, then the modules named `own`."""
    homes: dict[str, list[str]] = {}
    for home, name in sorted(set(imports)):
        key = f"from {home} import " if home else f"import {name}"
        homes.setdefault(key, []).extend([name] if home else [])
    groups: list[list[str]] = [[], [], []]
    for key, names in sorted(homes.items(), key=lambda one: (one[0].startswith("from"), one[0])):
        root = key.split()[1].split(".")[0]
        place = 2 if root in own else 0 if root in sys.stdlib_module_names else 1
        groups[place].append(key + ", ".join(names))
    return "\n\n".join("\n".join(group) for group in groups if group)
