"""Weight steps as text and back: `transposed`, `permuted (2, 0, 1)`, `part 0:3 of axis 1`.

The text of a step is what `str(step)` gives; people may leave out brackets and commas.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.core.calls import Cast, Permuted, Reshaped, RowZeroed, Sliced, Step, Weight
from workbench.core.dtypes import is_float, is_integer

#: How each step is written, for hints and menus.
FORMS = (
    "transposed",
    "permuted 2 0 1",
    "reshaped to 3 4",
    "part 0:3 of axis 1",
    "cast to float16",
    "row 0 set to zero",
)
_NUMPY_DTYPES = {
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
}


def parse_step(text: str, shape: tuple[int, ...], dtype: str) -> Step | None:
    """The step that a text stands for, for a weight of this shape and dtype; None for `copied`.

    Raises ValueError when the text is not a step or does not fit the weight.
    """
    cleaned = " ".join(text.strip().rstrip(".;,").split())
    if not cleaned or cleaned == "copied":
        return None
    for pattern, make in _PARSERS:
        found = re.fullmatch(pattern, cleaned, re.IGNORECASE)
        if found:
            step: Step = make(shape, dtype, *found.groups())
            step.shape(shape)
            return step
    close = difflib.get_close_matches(cleaned, FORMS, n=1, cutoff=0.4)
    told = f"; did you mean '{close[0]}'?" if close else ""
    raise ValueError(f"'{text}' is not a weight step{told} Steps are: {', '.join(FORMS)}")


def with_steps(weight: Weight, texts: Iterable[str]) -> Weight:
    """The stored weight with the steps of these texts, instead of those it has.

    Raises ValueError naming the step that does not fit.
    """
    made = replace(weight, steps=())
    for text in texts:
        step = parse_step(text, made.final_shape, made.final_dtype)
        if step is not None:
            made = made.then(step)
    return made


def step_texts(weight: Weight) -> list[str]:
    """The steps of a weight as texts that `with_steps` reads back."""
    return [str(step) for step in weight.steps]


def _transposed(shape: tuple[int, ...], dtype: str) -> Step:
    if len(shape) != 2:
        raise ValueError(f"only a matrix can be transposed, the weight is {shape}; use permuted")
    return Permuted((1, 0))


def _permuted(shape: tuple[int, ...], dtype: str, axes: str) -> Step:
    found = _numbers(axes)
    if any(axis < 0 for axis in found):
        raise ValueError("axes of a permutation are counted from 0")
    return Permuted(found)


def _reshaped(shape: tuple[int, ...], dtype: str, sizes: str) -> Step:
    after = _numbers(sizes)
    total = int(np.prod(shape, dtype=np.int64))
    if after.count(-1) == 1:
        rest = int(np.prod([size for size in after if size != -1], dtype=np.int64))
        if rest < 1 or total % rest:
            raise ValueError(f"{shape} cannot be reshaped to {after}")
        after = tuple(total // rest if size == -1 else size for size in after)
    if any(size < 0 for size in after):
        raise ValueError(f"{shape} cannot be reshaped to {after}")
    return Reshaped(after, shape)


def _part(shape: tuple[int, ...], dtype: str, start: str, stop: str, axis: str) -> Step:
    first, last, along = int(start or 0), int(stop) if stop else None, int(axis)
    if along >= len(shape):
        raise ValueError(f"the weight {shape} has no axis {along}")
    end = shape[along] if last is None else last
    if not 0 <= first < end:
        raise ValueError(f"part {first}:{end} is empty")
    return Sliced(along, first, end)


def _cast(shape: tuple[int, ...], dtype: str, wanted: str) -> Step:
    name = wanted.removeprefix("torch.").lower()
    name = {"half": "float16", "float": "float32", "double": "float64"}.get(name, name)
    if name not in _NUMPY_DTYPES or dtype not in _NUMPY_DTYPES:
        raise ValueError(f"{dtype} cannot be cast to {wanted}; known: {sorted(_NUMPY_DTYPES)}")
    if is_float(dtype) and is_integer(name):
        raise ValueError(f"casting {dtype} to {name} would cut off the fractions")
    return Cast(name)


def _zeroed(shape: tuple[int, ...], dtype: str, row: str) -> Step:
    return RowZeroed(int(row))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"-?\d+", text))


_LIST = r"[(\[]?([-\d\s,]*)[)\]]?"
_PARSERS: tuple[tuple[str, Callable[..., Any]], ...] = (
    (r"transposed?|transpose", _transposed),
    (rf"permuted?(?: to)? ?{_LIST}", _permuted),
    (rf"reshaped?(?: to)? ?{_LIST}", _reshaped),
    (r"(?:part|slice) (\d*) ?: ?(\d*) of axis (\d+)", _part),
    (r"cast(?: to)? ([\w.]+)", _cast),
    (r"row (-?\d+) (?:set to )?zero", _zeroed),
)
