"""Frozen dataclasses as plain JSON data and back, for results that are kept in files."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, numbers that are not finite as texts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def from_plain(kind: type[T], data: Any) -> T:
    """The dataclass that `to_plain` made the data of.

    Fields that the class does not have are left out, those that the data lacks take their default.
    Raises ValueError, TypeError or KeyError when the data do not fit.
    """
    return _made(kind, data)  # type: ignore[no-any-return]


def _made(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if data is None else _made(next(a for a in arguments if a is not _NONE), data)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_made(arguments[0], item) for item in data)
        pairs = zip(arguments, data, strict=True)
        return tuple(_made(argument, item) for argument, item in pairs)
    if origin is dict:
        return {key: _made(arguments[1], item) for key, item in data.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        known = {field.name for field in dataclasses.fields(kind)} & set(data)
        return kind(**{name: _made(hints[name], data[name]) for name in known})
    if kind is float:
        return float(data)
    if kind in (str, int, bool) and not isinstance(data, kind):
        raise TypeError(f"{data!r} is not a {kind.__name__}")
    return data


_NONE = type(None)
