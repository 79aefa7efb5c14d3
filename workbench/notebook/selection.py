"""The selected row of a migration, shared by the editor and the graphs."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

_listeners: weakref.WeakKeyDictionary[Any, list[weakref.WeakMethod[Any]]]
_listeners = weakref.WeakKeyDictionary()


def listen(migration: Any, told: Callable[[str, Any], None]) -> None:
    """Call a method with every row selected from now on: its path and who selected it."""
    _listeners.setdefault(migration, []).append(weakref.WeakMethod(told))  # type: ignore[arg-type]


def select(migration: Any, path: str, source: Any) -> None:
    """Tell all listeners, `source` apart, that a row is selected."""
    known = _listeners.get(migration, [])
    known[:] = [listener for listener in known if listener() is not None]
    for listener in list(known):
        method = listener()
        if method is not None and method.__self__ is not source:
            method(path, source)
