"""The rows of a mapping as a tree of scopes, by the steps of their paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.core.mapping import Mapping, Row


@dataclass(slots=True)
class Scope:
    """A scope of the module tree with what is inside, in order of first appearance."""

    path: str
    name: str
    depth: int
    children: dict[str, Scope | Row] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def scope_tree(mapping: Mapping) -> Scope:
    """The rows of a mapping, stored tensors apart, by the steps of their paths."""
    root = Scope("", "", -1)
    for row in mapping.walk():
        if row.is_parameter:
            continue
        scope = root
        scope.rows.append(row)
        steps = row.path.split(".")
        for depth, step in enumerate(steps[:-1]):
            found = scope.children.get(step)
            if not isinstance(found, Scope):
                found = Scope(".".join(steps[: depth + 1]), step, depth)
                scope.children[step] = found
            scope = found
            scope.rows.append(row)
        scope.children[f"={steps[-1]}"] = row
    return root


def scopes_in(scope: Scope) -> Iterator[Scope]:
    """Every scope inside, outer first."""
    for child in scope.children.values():
        if isinstance(child, Scope):
            yield child
            yield from scopes_in(child)
