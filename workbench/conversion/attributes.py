"""Attribute paths of scopes, found from those of the layers with parameters.

A file tells where a parameter lives (`layer1.0.conv1.weight`) and in which call of which class a
layer ran (`/Sequential/BottleneckBlock/Conv2D/`). Together they tell that this call of
`BottleneckBlock` is `layer1.0`, and so where its layers without parameters belong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from workbench.conversion.blocks import Path, prefixes, shared
from workbench.conversion.names import Steps
from workbench.core.calls import Layer


def owner_of(layer: Layer, known: Mapping[str, str]) -> Path:
    """The attribute path of a layer of the Paddle model; empty where no parameter tells it."""
    for weight in layer.weights.values():
        if weight is not None and weight.parameter in known:
            owner = known[weight.parameter].rpartition(".")[0]
            if owner:
                return tuple(owner.split("."))
    return ()


class Attributes:
    """The attribute path of each scope.

    `layers` are scope and attribute path of each layer with parameters, in the program's order.
    A scope that only repeats layers (a block called again) has a path of its own with a number.
    """

    def __init__(self, layers: Iterable[tuple[Steps, Path]]) -> None:
        layers = list(layers)
        self._taken = {path for _, owner in layers for path in prefixes(owner)}
        self._last: dict[Path, int] = {}
        self._paths = _estimated(layers)
        first: dict[Path, Steps] = {}
        inside: dict[Steps, set[Path]] = {}
        for steps, owner in layers:
            first.setdefault(owner, steps)
            for scope in prefixes(steps):
                inside.setdefault(scope, set()).add(owner)
        self._again: dict[Steps, Path] = {}
        for scope, owners in inside.items():
            repeats = all(first[owner][: len(scope)] != scope for owner in owners)
            if repeats and self._outer(scope) == () and self._paths[scope]:
                self._again[scope] = self._numbered(self._paths[scope])

    def layer(self, steps: Steps, owner: Path) -> Path:
        """The path of a layer with parameters, whose own path in the model is `owner`."""
        outer = self._outer(steps)
        if outer and owner[: len(self._paths[outer])] == self._paths[outer]:
            return self._again[outer] + owner[len(self._paths[outer]) :]
        self._last[owner[:-1]] = int(owner[-1]) if owner[-1].isdigit() else -1
        return owner

    def scope(self, steps: Steps) -> tuple[Path, Steps] | None:
        """The path of the innermost scope that has one, and the steps inside it."""
        for length in range(len(steps), 0, -1):
            scope = steps[:length]
            if scope in self._paths:
                outer = self._outer(scope)
                path = self._paths[scope]
                if outer:
                    path = self._again[outer] + path[len(self._paths[outer]) :]
                return path, steps[length:]
        return None

    def next_number(self, scope: Path) -> str:
        """The number of a layer that follows numbered ones in the same list; else empty."""
        last = self._last.get(scope, -1)
        if last < 0 or (*scope, str(last + 1)) in self._taken:
            return ""
        self._last[scope] = last + 1
        return str(last + 1)

    def _outer(self, steps: Steps) -> Steps:
        """The outermost scope around that repeats another one."""
        return next((scope for scope in prefixes(steps) if scope in self._again), ())

    def _numbered(self, path: Path) -> Path:
        number = 1
        while (candidate := (*path[:-1], f"{path[-1]}_{number}")) in self._taken:
            number += 1
        self._taken.add(candidate)
        return candidate


def _estimated(layers: list[tuple[Steps, Path]]) -> dict[Steps, Path]:
    """What the paths of a scope's parts share, innermost scopes first."""
    found: dict[Steps, list[Path]] = {}
    for steps, owner in layers:
        if steps:
            found.setdefault(steps, []).append(owner)
        for scope in prefixes(steps[:-1]):
            found.setdefault(scope, [])
    paths: dict[Steps, Path] = {}
    for steps in sorted(found, key=len, reverse=True):
        paths[steps] = reduce(shared, found[steps])
        if len(steps) > 1:
            found[steps[:-1]].append(paths[steps][:-1])
    return paths
