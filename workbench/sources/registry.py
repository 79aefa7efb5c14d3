"""Which frameworks models come from."""

from __future__ import annotations

import importlib
from typing import Any

from workbench.core.errors import ModelFileError
from workbench.core.program import Program
from workbench.sources.interface import Source

#: Module by name; each has a `SOURCE`.
_MODULES = {"paddle": "workbench.sources.paddle.source"}
#: The source that takes what no other recognises, and tells what is wrong with it.
_FALLBACK = "paddle"
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
    """The source for what a person gave."""
    others = dict.fromkeys(name for name in (*_MODULES, *_LOADED) if name != _FALLBACK)
    found = (one for one in map(source_named, others) if one.recognises(model))
    return next(found, None) or source_named(_FALLBACK)
