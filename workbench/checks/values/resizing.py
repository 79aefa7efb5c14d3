"""The inputs of a person in another size: cropped or repeated along their dynamic dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.checks.values.inputs import is_dynamic, is_image_size, is_length
from workbench.checks.values.sizes import kinds_of
from workbench.core.program import Program

#: Image sides become multiples of this, which networks that halve them need.
STRIDE = 32


def in_another_size(
    program: Program, sets: Sequence[Sequence[np.ndarray]]
) -> list[np.ndarray] | None:
    """The first of the person's sets with every dynamic dimension changed.

    Dimensions that are equal there stay equal. None where the sets differ in each dimension
    already, none is dynamic, or there is nothing to repeat.
    """
    if not sets or not is_dynamic(program) or _vary(program, sets):
        return None
    arrays = sets[0]
    if not all(array.size for array in arrays):
        return None
    new = _new_sizes(program, arrays)
    return [
        _contents(program, number, _resized(array, value.shape, new), new)
        for number, (value, array) in enumerate(zip(program.inputs, arrays, strict=True))
    ]


def _vary(program: Program, sets: Sequence[Sequence[np.ndarray]]) -> bool:
    """True when every dynamic dimension has two sizes at least."""
    return all(
        len({arrays[number].shape[axis] for arrays in sets}) > 1
        for number, value in enumerate(program.inputs)
        for axis, dim in enumerate(value.shape)
        if dim < 0
    )


def _new_sizes(program: Program, arrays: Sequence[np.ndarray]) -> dict[int, int]:
    """The new size of each size that a dynamic dimension has."""
    kinds: dict[int, set[str]] = {}
    for value, array in zip(program.inputs, arrays, strict=True):
        for dim, size, kind in zip(value.shape, array.shape, kinds_of(value), strict=True):
            if dim < 0:
                kinds.setdefault(size, set()).add(kind)
    return {size: _new_size(size, found) for size, found in kinds.items()}


def _new_size(size: int, kinds: set[str]) -> int:
    """Smaller where there is enough, so that the run costs little."""
    if kinds & {"height", "width"}:
        smaller = size * 3 // 4 // STRIDE * STRIDE
        return smaller if smaller else size * 2
    if "length" in kinds:
        return size - size // 4 if size >= 6 else size + 3
    return 3 if size > 3 else size + 1


def _resized(array: np.ndarray, declared: Sequence[int], new: dict[int, int]) -> np.ndarray:
    for axis, (dim, size) in enumerate(zip(declared, array.shape, strict=True)):
        if dim < 0:
            array = np.take(array, np.arange(new[size]) % size, axis)
    return array


def _contents(program: Program, number: int, array: np.ndarray, new: dict[int, int]) -> np.ndarray:
    """Sizes and lengths that stand in an input itself, changed with those that they tell."""
    value = program.inputs[number]
    if is_image_size(value):
        changed = [new.get(int(size), size) for size in array.flat]
        return np.array(changed, array.dtype).reshape(array.shape)
    if is_length(program, value):
        shrunk = min((after / before for before, after in new.items()), default=1.0)
        return np.asarray(np.maximum(array * min(shrunk, 1.0), 1), array.dtype)
    return array
