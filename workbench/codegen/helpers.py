"""Copy the helper functions that a model uses, with everything that they need, into its source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from workbench import functions


def helper_source(names: Iterable[str]) -> tuple[str, set[str]]:
    """Source of the helpers and of those that they call, and the import lines that they need."""
    collector = _Collector()
    for name in sorted(names):
        collector.add(name, getattr(functions, name))
    return "\n\n\n".join(collector.sources.values()), collector.imports


class _Collector:
    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.imports: set[str] = set()
        self._seen: set[str] = set()

    def add(self, name: str, found: Any) -> None:
        """Add a helper after those that it uses."""
        if name in self._seen:
            return
        self._seen.add(name)
        source = textwrap.dedent(inspect.getsource(found))
        module = inspect.getmodule(found)
        for used in sorted(_names(source)):
            if module is not None and hasattr(module, used):
                self._need(used, getattr(module, used), module)
        self.sources[name] = source.strip()

    def _need(self, name: str, found: Any, module: ModuleType) -> None:
        if isinstance(found, ModuleType):
            parent, _, leaf = found.__name__.rpartition(".")
            if leaf != name or not parent:
                alias = "" if leaf == name else f" as {name}"
                self.imports.add(
                    f"from {parent} import {leaf}{alias}" if parent else f"import {found.__name__}"
                )
            else:
                self.imports.add(f"from {parent} import {leaf}")
        elif (inspect.isfunction(found) or inspect.isclass(found)) and _is_ours(found):
            self.add(name, found)
        elif hasattr(found, "__module__") and hasattr(found, "__name__"):
            if found.__module__ != "builtins":
                self.imports.add(f"from {_public(found)} import {name}")
        elif isinstance(found, (int, float, str, tuple, dict, frozenset)):
            self._constant(name, module)
        elif _typing_name(found):
            self.imports.add(f"from typing import {name}")

    def _constant(self, name: str, module: ModuleType) -> None:
        if name in self._seen or name.startswith("__"):
            return
        self._seen.add(name)
        tree = ast.parse(inspect.getsource(module))
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else ()
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                self.sources[name] = ast.unparse(node)


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _is_ours(found: Any) -> bool:
    return str(getattr(found, "__module__", "")).startswith(functions.__name__)


def _public(found: Any) -> str:
    """Module that a name is imported from by people: `torch.Tensor`, not `torch._tensor`."""
    root = found.__module__.split(".")[0]
    return "torch" if root == "torch" else str(found.__module__)


def _typing_name(found: Any) -> bool:
    return type(found).__module__ == "typing" or getattr(found, "__module__", "") == "typing"
