"""Calls in float64: when two are the same but for their precision, and how one is widened."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from workbench.core.arguments import map_argument, parts, walk
from workbench.core.calls import Call, Dtype, Layer, Weight
from workbench.core.dtypes import WIDER
from workbench.core.mapping import Row
from workbench.core.values import Value


def same_call(real: Any, wide: Any) -> bool:
    """True when both say the same, but that dtypes are wider and numbers less rounded."""
    if isinstance(real, float) and isinstance(wide, (float, int)) and not isinstance(wide, bool):
        return _same_number(real, float(wide))
    if type(real) is not type(wide):
        return False
    if isinstance(real, Value):
        return bool(real == wide)
    if isinstance(real, Dtype):
        return bool(WIDER.get(real.name, real.name) == wide.name)
    if isinstance(real, Weight):
        return (real.parameter, real.shape, real.steps) == (wide.parameter, wide.shape, wide.steps)
    if isinstance(real, Mapping):
        return _same_settings(real, wide)
    if isinstance(real, (tuple, list, slice)):
        mine, other = parts(real), parts(wide)
        return len(mine) == len(other) and all(map(same_call, mine, other))
    if dataclasses.is_dataclass(real):
        return all(
            same_call(getattr(real, one.name), getattr(wide, one.name))
            for one in dataclasses.fields(real)
        )
    return bool(real == wide)


def _same_settings(real: Mapping[Any, Any], wide: Mapping[Any, Any]) -> bool:
    """Equal settings; a dtype that is torch's default, float32, is not written."""
    left = {key: wide[key] for key in wide if key in real or wide[key] != Dtype("float64")}
    return real.keys() == left.keys() and all(same_call(real[key], left[key]) for key in real)


def _same_number(one: float, other: float) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.float32(one) == np.float32(other)) or (math.isnan(one) and math.isnan(other))


def numbers_in(row: Row | None) -> Iterator[float]:
    """The real numbers in a row's call."""
    if row is not None:
        yield from (part for part in walk(row.call) if isinstance(part, float))


def widened_call(
    row: Row, value: Callable[[Value], Value], numbers: Collection[float]
) -> Call | Layer | None:
    """A row's call with the program's own dtypes wider and numbers less rounded.

    A dtype that none of the row's values has was written by hand, or by the rule, and stays: a call
    that rounds to bfloat16 in between does so here too. `numbers` are those that the program holds:
    one that rounds to the same float32 takes the place of a number in the call.
    """
    own = {one.dtype for one in (*row.values, *row.reads)}
    return _Widening(own, value, {_rounded(number): number for number in numbers}).any(row.call)  # type: ignore[no-any-return]


def _rounded(number: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(number))


class _Widening:
    def __init__(
        self, dtypes: set[str], value: Callable[[Value], Value], numbers: dict[float, float]
    ) -> None:
        self.dtypes, self.value, self.numbers = dtypes, value, numbers

    def any(self, item: Any) -> Any:
        """The item, and everything in it."""
        if isinstance(item, float):
            return self.numbers.get(_rounded(item), item)
        if isinstance(item, Value):
            return self.value(item)
        if isinstance(item, Dtype):
            return Dtype(WIDER.get(item.name, item.name)) if item.name in self.dtypes else item
        if isinstance(item, Weight):
            return dataclasses.replace(item, dtype=WIDER.get(item.dtype, item.dtype))
        made = map_argument(item, self.any)
        if isinstance(made, Layer):
            return dataclasses.replace(made, weights=self.any(made.weights))
        return made
