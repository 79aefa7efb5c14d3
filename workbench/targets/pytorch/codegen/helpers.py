"""Copy the functions and classes that a model uses, with all that they need, into its source."""

from __future__ import annotations

import ast
import builtins
import inspect
import site
import symtable
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from workbench.core.errors import ConversionError, MappingError
from workbench.targets.pytorch import custom, functions

_PLAIN = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, type(None))
#: What the generated source calls by these names, whatever a notebook does.
_FIXED = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}


def helper_source(names: Iterable[str], own: Iterable[str] = ()) -> tuple[str, set[str]]:
    """Source of the helpers, of own code and of all that they call, and their import lines.

    `own` are custom targets. Raises `ConversionError` when own code uses something that cannot be
    written down, a tensor of the notebook for instance.
    """
    collector = _Collector()
    for name in sorted(names):
        collector.add(name, getattr(functions, name))
    for target in own:
        code = custom.find(target)
        collector.add(code.name, code.item)
    return "\n\n\n".join(collector.sources.values()), collector.imports


def own_names(targets: Iterable[str]) -> frozenset[str]:
    """Every name that the copies of own code bring with them."""
    collector = _Collector()
    for target in targets:
        collector.add(target.removeprefix(custom.PREFIX), custom.find(target).item)
    return frozenset(collector.bound) - set(_FIXED)


class _Collector:
    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.imports: set[str] = set()
        self.bound: dict[str, Any] = dict(_FIXED)
        self._seen: set[str] = set()

    def add(self, name: str, found: Any) -> None:
        """Add a function or class after those that it uses."""
        if not self._first(name, found):
            return
        source = _text(found)
        space = _space(found)
        for used in sorted(_globals_of(source)):
            if used in space and used != name:
                self._need(used, space[used], space, name)
            elif not _is_ours(found) and used != name and not hasattr(builtins, used):
                raise ConversionError(
                    f"{name} uses '{used}', which is not defined any more",
                    "Run the cell that defines it, then the one that defines it with @m.custom.",
                )
        self.sources[name] = source

    def _first(self, name: str, found: Any) -> bool:
        """True when the name is new; a name with two meanings cannot be written down."""
        known = self.bound.setdefault(name, found)
        if known is not found and not _equal(known, found):
            raise ConversionError(
                f"two different things are called '{name}' in the code that the model needs",
                "Rename one of them.",
            )
        if name in self._seen:
            return False
        self._seen.add(name)
        return True

    def _need(self, name: str, found: Any, space: dict[str, Any], owner: str) -> None:
        if isinstance(found, ModuleType):
            if self._first(name, found):
                self.imports.add(_module_import(name, found))
        elif (inspect.isfunction(found) or inspect.isclass(found)) and _is_copied(found):
            self.add(name, found)
        elif _typing_name(found):
            self.imports.add(f"from typing import {name}")
        elif home := _home(found):
            if home != "builtins" and self._first(name, found):
                alias = "" if found.__name__ == name else f" as {name}"
                self.imports.add(f"from {home} import {found.__name__}{alias}")
        elif self._first(name, found):
            self.sources[name] = _constant(name, found, space, owner)


# --- text -------------------------------------------------------------------------------------


def _text(found: Any) -> str:
    """Source as it was when the code was registered, else as it is."""
    try:
        code = custom.find(custom.PREFIX + found.__name__)
    except MappingError:
        return custom.source_of(found)
    return code.source if code.item is found else custom.source_of(found)


def _space(found: Any) -> dict[str, Any]:
    """The global names that code sees."""
    if inspect.isfunction(found):
        return dict(inspect.unwrap(found).__globals__)
    return dict(vars(sys.modules[found.__module__]))


def _globals_of(source: str) -> set[str]:
    """Names that code takes from around it; its own variables and arguments are none."""
    top = symtable.symtable(source, "own code", "exec")
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced() and not s.is_assigned()}
    for table in _tables(top):
        found |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return found - {"__class__", "__name__", "super"}


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _tables(child)


def _constant(name: str, found: Any, space: dict[str, Any], owner: str) -> str:
    """`NAME = value`, spelled as in the file where it has one."""
    if isinstance(found, _PLAIN):
        module = sys.modules.get(str(space.get("__name__")))
        if module is not None and str(module.__name__).startswith(functions.__name__):
            for node in ast.parse(inspect.getsource(module)).body:
                targets = node.targets if isinstance(node, ast.Assign) else ()
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    return ast.unparse(node)
        if _reads_back(found):
            return f"{name} = {found!r}"
    if isinstance(found, torch.dtype):
        return f"{name} = {found!r}"
    raise ConversionError(
        f"{owner} uses '{name}', a {type(found).__name__} that cannot be written into the source",
        "Make it inside the class or function, or hand it over as an argument.",
    )


def _reads_back(found: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(found)) == found)
    except (ValueError, SyntaxError):
        return False


# --- where things come from -------------------------------------------------------------------


def _is_ours(found: Any) -> bool:
    return str(getattr(found, "__module__", "")).startswith(functions.__name__)


def _is_copied(found: Any) -> bool:
    """True for code that no installed package holds: a notebook's, a file's, our helpers'."""
    if _is_ours(found):
        return True
    module = sys.modules.get(str(getattr(found, "__module__", "")))
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return bool(getattr(found, "__module__", "") == "__main__")
    return not any(Path(file).is_relative_to(folder) for folder in _installed())


def _installed() -> set[str]:
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {*found, *site.getsitepackages(), site.getusersitepackages()}


def _module_import(name: str, module: ModuleType) -> str:
    parent, _, leaf = module.__name__.rpartition(".")
    if not parent:
        return f"import {leaf}" if leaf == name else f"import {leaf} as {name}"
    return f"from {parent} import {leaf}" + ("" if leaf == name else f" as {name}")


def _home(found: Any) -> str:
    """The shortest module that people import it from: `torch.nn`, not `torch.nn.parameter`."""
    name, module = getattr(found, "__name__", ""), getattr(found, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str):
        return "torch" if getattr(torch, str(name), None) is found else ""
    steps = module.split(".")
    for length in range(1, len(steps) + 1):
        home = ".".join(steps[:length])
        if getattr(sys.modules.get(home), name, None) is found:
            return home
    return "torch" if getattr(torch, name, None) is found else ""


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, _PLAIN) and type(left) is type(right) and bool(left == right)


def _typing_name(found: Any) -> bool:
    return type(found).__module__ == "typing" or getattr(found, "__module__", "") == "typing"
