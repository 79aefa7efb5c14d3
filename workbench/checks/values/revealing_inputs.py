"""Inputs that reveal: values and sizes at which faults show that plain samples may hide.

They vary what `inputs.sample_inputs` makes: other seeds and sizes, odd sizes, negative and large
values, many equal values, padding tokens, the ends of the vocabulary, and NaN on request. What a
person gives is seen in another size too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.checks.values.inputs import input_sets, is_dynamic, sample_inputs, vocabulary
from workbench.checks.values.resizing import in_another_size
from workbench.checks.values.sizes import SIZES, Groups, Sizes
from workbench.core.dtypes import is_float, is_integer
from workbench.core.program import Program
from workbench.core.values import Value

#: Odd sizes; the second set where the network needs multiples of 32.
ODD = ({"batch": 3, "height": 125, "width": 171, "length": 7},
       {"batch": 3, "height": 96, "width": 160, "length": 9})  # fmt: skip
#: Names of inputs whose values are no free choice: sizes, lengths, masks.
_FIXED = ("scale_factor", "shape", "im_size", "len", "num", "mask")

Change = Callable[[Program, Value, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs for one run, in feed order, and what they are meant to show.

    Those that the model must take are `required`; of others it is told that Paddle refused them.
    """

    told: str
    arrays: list[np.ndarray]
    required: bool = False


def chosen_samples(
    program: Program, inputs: Any, thorough: bool, nan: bool, groups: Groups | None = None
) -> list[Sample]:
    """The inputs of a verification: the person's, which are required, or plain ones of our own.

    The person's are followed by the same in another size, where sizes may vary; with `thorough` or
    `nan` those follow that reveal more. `groups` tells which dimensions may differ, as
    `fitting.groups_apart` finds. Raises `InputError` when the person's do not fit.
    """
    found = []
    if inputs is not None:
        sets = input_sets(program, inputs)
        other = in_another_size(program, sets)
        told = "given" if thorough or nan or other else ""
        found = [Sample(told, arrays, required=True) for arrays in sets]
        found += [Sample("another size", other)] if other else []
    if thorough or nan:
        found += revealing_inputs(program, nan, groups=groups)
    elif inputs is None:
        found += plain_inputs(program, groups=groups)
    return found


def plain_inputs(program: Program, seed: int = 0, groups: Groups | None = None) -> list[Sample]:
    """Sample inputs; where dimensions are dynamic in another size and with a larger batch too."""
    told = ("", "second size", "larger batch") if is_dynamic(program) else ("",)
    return [
        Sample(words, sample_inputs(program, run, seed, Sizes(SIZES[run], groups or {})))
        for run, words in enumerate(told)
    ]


def revealing_inputs(
    program: Program, nan: bool = False, seed: int = 0, groups: Groups | None = None
) -> list[Sample]:
    """Sets of inputs for a thorough verification; the first are those of a plain one."""
    found = plain_inputs(program, seed, groups)
    if is_dynamic(program):
        odd = [Sizes(sizes, groups or {}) for sizes in ODD]
        found += [Sample("odd sizes", sample_inputs(program, 0, seed + 1, one)) for one in odd]
    small = Sizes(_small(program), groups or {})
    found.append(Sample("another seed", sample_inputs(program, 0, seed + 2, small)))
    for told, change in _changes(program, nan):
        random = np.random.default_rng(seed + 3)
        plain = sample_inputs(program, 0, seed + 3, small)
        arrays = [
            change(program, value, array, random) if _free(value) else array
            for value, array in zip(program.inputs, plain, strict=True)
        ]
        if any(not _equal(*pair) for pair in zip(arrays, plain, strict=True)):
            found.append(Sample(told, arrays))
    return found


def _small(program: Program) -> dict[str, int]:
    """Sizes for further seeds and values: small, since it is not sizes that they vary."""
    return {**SIZES[0], "height": 64, "width": 96} if is_dynamic(program) else dict(SIZES[0])


def _free(value: Value) -> bool:
    return not any(word in value.name.lower() for word in _FIXED)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    floats = one.dtype.kind == "f"
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=floats)


def _changes(program: Program, nan: bool) -> Iterator[tuple[str, Change]]:
    values = [value for value in program.inputs if _free(value)]
    if any(is_float(value.dtype) for value in values):
        yield "large values", _large
        yield "mostly negative values", _negative
        yield "many equal values", _ties
        if nan:
            yield "with NaN", _nan
    if any(is_integer(value.dtype) for value in values):
        yield "padded", _padded
        yield "ends of the vocabulary", _ends


def _floats(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Change:
    """A change of numbers; bfloat16, which is held as bits, is left as it is."""

    def changed(
        _: Program, value: Value, array: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        if not is_float(value.dtype) or value.dtype == "bfloat16" or not array.size:
            return array
        made: np.ndarray = change(array, random).astype(array.dtype)
        return made

    return changed


@_floats
def _large(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A few hundred times some elements, ten times the rest."""
    return np.asarray(array * np.where(random.random(array.shape) < 0.02, 300.0, 10.0))


@_floats
def _negative(array: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return np.asarray(array - 2.0 * array.std())


@_floats
def _ties(array: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Halves only, a third of them zero: pooling, maxima and roundings meet equal values."""
    kept = np.arange(array.size).reshape(array.shape) % 3 > 0
    return np.asarray(np.round(array * 2) / 2 * kept)


@_floats
def _nan(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    changed = array.copy()
    changed.flat[random.integers(0, array.size)] = np.nan
    return changed


def _padded(
    program: Program, value: Value, array: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Token 0 in the second half of every sequence; other integers may be lengths or labels."""
    if not is_integer(value.dtype) or array.ndim < 2 or not vocabulary(program, value):
        return array
    changed = array.copy()
    changed[:, array.shape[1] // 2 :] = 0
    return changed


def _ends(
    program: Program, value: Value, array: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """The first and the last entries of the table that the ids are looked up in."""
    high = vocabulary(program, value)
    if not is_integer(value.dtype) or not high:
        return array
    ends = np.array([0, min(1, high - 1), max(high - 2, 0), high - 1])
    return ends[random.integers(0, len(ends), array.shape)].astype(array.dtype)
