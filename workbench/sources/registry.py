"""Which frameworks models come from."""

from __future__ import annotations

import importlib
from typing import Any

from workbench.core.errors import ModelFileError
from workbench.core.program import Program
from workbench.sources.interface import Source

#: Module by name; each has a `SOURCE`. The first one takes what no other recognises.
_MODULES = {"paddle": "workbench.sources.paddle.source"}
_LOADED: dict[str, Source] = {}


def register(source: Source) -> None:
    """Add a source, or replace the one of the same name."""
    _LOADED[source.name] = source


def source_named(name: str) -> Source:
    """A source by name; raises `ModelFileError` when there is none."""
    if name not in _LOADED:
        if name not in _MODULES:
            raise ModelFileError(f"There is no source of models named {name!r}.")
        _LOADED[name] = importlib.import_module(_MODULES[name]).SOURCE
    return _LOADED[name]


def source_of(program: Program) -> Source:
    """The source that a program came from."""
    return source_named(program.framework)


def recognised(model: Any) -> Source:
    """The source for what a person gave: the first that recognises it, else the first of all."""
    names = list(dict.fromkeys([*_MODULES, *_LOADED]))
    sources = [source_named(name) for name in names]
    return next((one for one in sources if one.recognises(model)), sources[0])
