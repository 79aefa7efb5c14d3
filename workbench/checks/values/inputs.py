"""Sample inputs for a program: dtypes, shapes and values that its own operators can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checks.values.sizes import SIZES, Sizes, shape_of
from workbench.core.dtypes import is_float, is_integer, numpy_dtype
from workbench.core.errors import InputError
from workbench.core.npz import read_npz
from workbench.core.program import Op, Program
from workbench.core.traits import Role, Trait
from workbench.core.values import Value


def input_sets(program: Program, inputs: Any = None) -> list[list[np.ndarray]]:
    """What a person gives as inputs, as one list of arrays in feed order for each run.

    `inputs` is an `.npz` path, arrays in feed order, a dict by input name, or a list of such for
    several runs; None makes samples, in several sizes when dimensions are dynamic. Raises
    `InputError` when they do not fit the program.
    """
    if inputs is None:
        runs = range(len(SIZES)) if is_dynamic(program) else (0,)
        return [sample_inputs(program, run) for run in runs]
    if isinstance(inputs, (str, Path)):
        return [load_inputs(program, inputs)]
    if isinstance(inputs, dict):
        return [check_inputs(program, _by_name(program, inputs))]
    inputs = list(inputs)
    if inputs and isinstance(inputs[0], (list, tuple, dict, str, Path)):
        return [arrays for one in inputs for arrays in input_sets(program, one)]
    return [check_inputs(program, inputs)]


def _by_name(program: Program, inputs: Mapping[str, Any]) -> list[Any]:
    missing = [value.name for value in program.inputs if value.name not in inputs]
    if missing:
        raise InputError(
            f"No array for input {', '.join(missing)}.",
            f"The model takes {[value.name for value in program.inputs]}.",
        )
    return [inputs[value.name] for value in program.inputs]


def load_inputs(program: Program, path: str | Path) -> list[np.ndarray]:
    """Inputs from an `.npz` file: by the model's input names, or by order (`in_0`, `arr_0` …).

    Raises `InputError` when the file cannot be read or does not fit the model.
    """
    arrays = read_npz(path)
    names = [value.name for value in program.inputs]
    if all(name in arrays for name in names):
        ordered = [arrays[name] for name in names]
    elif all(f"in_{number}" in arrays for number in range(len(names))):
        ordered = [arrays[f"in_{number}"] for number in range(len(names))]
    elif len(arrays) == len(names):
        ordered = list(arrays.values())
    else:
        raise InputError(
            f"{path} holds {sorted(arrays)}, the model takes {names}.",
            "Name the arrays like the model's inputs.",
        )
    return check_inputs(program, ordered)


def check_inputs(program: Program, arrays: Sequence[object]) -> list[np.ndarray]:
    """The arrays in the dtypes of the program; raises `InputError` when they do not fit."""
    if len(arrays) != len(program.inputs):
        raise InputError(
            f"The model takes {len(program.inputs)} inputs "
            f"({', '.join(map(repr, program.inputs))}), got {len(arrays)}."
        )
    return [_checked(value, array) for value, array in zip(program.inputs, arrays, strict=True)]


def _checked(value: Value, given: object) -> np.ndarray:
    array = given.detach().cpu().numpy() if hasattr(given, "detach") else np.asarray(given)
    fits = array.ndim == len(value.shape) and all(
        dim in (-1, size) for dim, size in zip(value.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"Input {value!r} got an array of shape {list(array.shape)}.",
            "A dimension written ? may have any size; the others are fixed.",
        )
    wanted = numpy_dtype(value.dtype)
    if array.dtype == wanted:
        return array
    if value.dtype == "bfloat16":
        raise InputError(f"Input {value!r}: give bfloat16 as its uint16 bits.")
    if not np.can_cast(array.dtype, wanted, "same_kind"):
        raise InputError(
            f"Input {value!r} got dtype {array.dtype}.", f"Convert it: array.astype('{wanted}')."
        )
    return array.astype(wanted)


def sample_inputs(
    program: Program, run: int = 0, seed: int = 0, sizes: Sizes | None = None
) -> list[np.ndarray]:
    """Inputs that exercise the program: image-like, token ids within the vocabulary, sane masks.

    `run` 0, 1 and 2 give different sizes to dynamic dimensions, unless `sizes` gives them.
    """
    random = np.random.default_rng(seed + 1000 * run)
    sizes = sizes or Sizes(SIZES[run % len(SIZES)])
    return [
        _sample(program, number, value, sizes, random)
        for number, value in enumerate(program.inputs)
    ]


#: Inputs of detectors that hold height and width of the image.
_IMAGE_SIZES = ("im_shape", "im_size", "image_shape", "origin_shape")


def is_dynamic(program: Program) -> bool:
    """True when an input has a dynamic dimension."""
    return any(dim < 0 for value in program.inputs for dim in value.shape)


def _sample(
    program: Program, number: int, value: Value, sizes: Sizes, random: np.random.Generator
) -> np.ndarray:
    shape = shape_of(number, value, sizes)
    name = value.name.lower()
    if is_image_size(value):
        both = np.tile(_image_size(program, sizes), (shape[0], shape[1] // 2 or 1))
        filled = 1 - np.arange(shape[0])[:, None] % 3 / 4  # the rest of a padded image is empty
        return _cast(np.floor(both[:, : shape[1]] * filled), value.dtype)
    if is_float(value.dtype):
        return _cast(_float_sample(name, shape, random), value.dtype)
    if value.dtype == "bool":
        return np.asarray(random.random(shape) < 0.8)
    if value.dtype.startswith("complex"):
        parts = random.normal(size=(2, *shape))
        return np.asarray(parts[0] + 1j * parts[1], value.dtype)
    if value.dtype == "uint8" and len(shape) >= 3:
        return random.integers(0, 256, shape).astype(np.uint8)
    if is_length(program, value):
        return _lengths(shape, _longest(program, value, sizes)).astype(numpy_dtype(value.dtype))
    high = vocabulary(program, value)
    if high is None:
        high = 2 if any(word in name for word in ("mask", "type", "segment", "flag")) else 4
    return _ids(shape, high, random).astype(numpy_dtype(value.dtype))


def _ids(shape: tuple[int, ...], high: int, random: np.random.Generator) -> np.ndarray:
    """Any ids, both ends of their table among them."""
    found = random.integers(0, max(high, 1), shape)
    if found.size > 2:
        found.flat[0], found.flat[-1] = max(high, 1) - 1, 0
    return found


def _lengths(shape: tuple[int, ...], longest: int) -> np.ndarray:
    """A length for each element of the batch: the first is the longest, the others differ."""
    step = max(longest // 4, 1)
    batch = np.maximum(longest - step * np.arange(shape[0] if shape else 1), 1)
    made = batch.reshape(-1, *[1] * (len(shape) - 1)) if shape else batch[0]
    return np.broadcast_to(made, shape).copy()


def is_image_size(value: Value) -> bool:
    """True for an input of a detector that holds height and width of the image."""
    named = value.name.lower() in _IMAGE_SIZES
    return named and len(value.shape) == 2 and value.dtype != "bool"


def is_length(program: Program, value: Value) -> bool:
    """True for an input that holds lengths, by its name or by what reads it."""
    if not is_integer(value.dtype) or vocabulary(program, value) is not None:
        return False
    name = value.name.lower()
    return "len" in name or "num" in name or _recurrent(program, value) is not None


def _recurrent(program: Program, value: Value) -> Op | None:
    """The recurrent operator whose lengths an input holds."""
    reached = _reached(program, value)
    for op in program.walk():
        if op.inputs.get("sequence_length") in reached:
            return op
    return None


def _longest(program: Program, value: Value, sizes: Sizes) -> int:
    """The longest sequence there is: a recurrent operator may have a fixed number of steps."""
    op = _recurrent(program, value)
    steps = op.inputs.get("x") if op is not None else None
    fixed = steps.shape[0] if isinstance(steps, Value) and steps.shape else -1
    return fixed if fixed > 0 else sizes.kinds["length"]


def _float_sample(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if "scale_factor" in name:
        return np.ones(shape)
    if "mask" in name:
        return (random.random(shape) < 0.8).astype(float)
    if len(shape) >= 4:
        return _image(shape, random)
    return random.normal(size=shape)


def _image_size(program: Program, sizes: Sizes) -> np.ndarray:
    for number, value in enumerate(program.inputs):
        if len(value.shape) == 4:
            return np.array([shape_of(number, value, sizes)[2:4]], float)
    return np.array([[sizes.kinds["height"], sizes.kinds["width"]]], float)


def _image(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Smooth gradients, an edge and noise, about as large as a normalised photograph."""
    height, width = shape[-2:]
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None, :]
    base = np.sin(3 * rows + random.uniform(0, 3)) * np.cos(4 * columns) + (columns > rows)
    return base + random.normal(0, 0.5, shape)


def _cast(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bfloat16":
        return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return array.astype(numpy_dtype(dtype))


def vocabulary(program: Program, value: Value) -> int | None:
    """Smallest table that ids from this input are looked up in."""
    reached = _reached(program, value)
    sizes = []
    for op in program.walk():
        if any(operand in reached for operand in op.operands):
            table = op.operand(Role.TABLE)
            if table is not None and table not in reached:
                sizes.append(table.shape[0])
            elif Trait.ONE_HOT in op.traits:
                sizes.append(2)
    found = [size for size in sizes if size > 0]
    return min(found) if found else None


def _reached(program: Program, value: Value) -> set[Value]:
    """The values that hold the elements of an input."""
    reached = {value}
    for op in program.walk():
        if Trait.KEEPS_ELEMENTS in op.traits and any(operand in reached for operand in op.operands):
            reached.update(op.outputs.values())
    return reached
