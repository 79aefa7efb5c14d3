"""The one visitor of arguments: what is inside one, and how it is made again from other parts.

Arguments are what rows hold: values, symbolic integers, dtypes, devices, calls, layers, results,
slices, and tuples, lists and dictionaries of those. Whoever gives each kind a meaning of its own
(a node, a text) names the kinds it knows and leaves all others to `map_argument`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.core.calls import Call, Device, Layer, Result
from workbench.core.integers import Count, Dim, IntOp, Item
from workbench.core.values import Value

#: The fields of each kind that hold arguments themselves.
_FIELDS: dict[type, tuple[str, ...]] = {
    Dim: ("value",), Item: ("value",), Count: ("value",), IntOp: ("left", "right"),
    Device: ("value",), Call: ("args", "kwargs"), Layer: ("args", "kwargs", "arguments"),
    Result: ("call",),
}  # fmt: skip


def parts(argument: Any) -> tuple[Any, ...]:
    """What an argument holds, one level deep and in the order of reading; () for a leaf.

    >>> parts(Call("torch.cat", ([1, 2],), {"dim": 0}))
    (([1, 2],), {'dim': 0})
    """
    fields = _FIELDS.get(type(argument))
    if fields is not None:
        return tuple(getattr(argument, name) for name in fields)
    if isinstance(argument, (tuple, list)):
        return tuple(argument)
    if isinstance(argument, slice):
        return argument.start, argument.stop, argument.step
    return tuple(argument.values()) if isinstance(argument, Mapping) else ()


def map_argument(argument: Any, function: Callable[[Any], Any]) -> Any:
    """An argument of the same kind with `function` applied to each of its parts; a leaf as it is.

    It goes one level deep: a function that calls this again reaches everything.

    >>> map_argument(slice(1, None), lambda part: part and part + 1)
    slice(2, None, None)
    """
    fields = _FIELDS.get(type(argument))
    if fields is not None:
        return replace(argument, **{name: function(getattr(argument, name)) for name in fields})
    if isinstance(argument, (tuple, list)):
        return type(argument)(function(part) for part in argument)
    if isinstance(argument, slice):
        return slice(function(argument.start), function(argument.stop), function(argument.step))
    if isinstance(argument, Mapping):
        return {key: function(part) for key, part in argument.items()}
    return argument


def walk(argument: Any, without: tuple[type, ...] = ()) -> Iterator[Any]:
    """An argument and everything inside it, outer first, but for the kinds `without`."""
    stack = [argument]
    while stack:
        one = stack.pop()
        if not isinstance(one, without):
            yield one
            stack.extend(reversed(parts(one)))


def values_of(argument: Any) -> Iterator[Value]:
    """Every program value that an argument, call or layer reads."""
    return (part for part in walk(argument) if isinstance(part, Value))


def calls_in(argument: Any) -> Iterator[Call | Layer]:
    """A call and every call nested in its arguments, inner first."""
    for part in parts(argument):
        yield from calls_in(part)
    if isinstance(argument, (Call, Layer)):
        yield argument


def with_values(argument: Any, table: Mapping[Value, Value]) -> Any:
    """An argument that reads the values of a table in place of others; arrays of them too."""
    if isinstance(argument, Value):
        return table.get(argument, argument)
    if isinstance(argument, np.ndarray):
        changed = np.empty_like(argument)
        for position, item in np.ndenumerate(argument):
            changed[position] = with_values(item, table)
        return changed
    return map_argument(argument, lambda part: with_values(part, table))
