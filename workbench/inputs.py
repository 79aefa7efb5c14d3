"""Sample inputs for a program: dtypes, shapes and values that its own operators can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.npz import read_npz
from workbench.program import Op, Program, Value, is_float
from workbench.readers.pdiparams import numpy_dtype

#: Sizes that dynamic dimensions get in the first and in the second run: batch, image side(s),
#: length.
SIZES = ({"batch": 2, "height": 224, "width": 224, "length": 16},
         {"batch": 1, "height": 256, "width": 192, "length": 23})  # fmt: skip


def input_sets(program: Program, inputs: Any = None) -> list[list[np.ndarray]]:
    """What a person gives as inputs, as one list of arrays in feed order for each run.

    `inputs` is an `.npz` path, arrays in feed order, a dict by input name, or a list of such for
    several runs; None makes samples, in two sizes when dimensions are dynamic. Raises `InputError`
    when they do not fit the program.
    """
    if inputs is None:
        return [sample_inputs(program, run) for run in ((0, 1) if is_dynamic(program) else (0,))]
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
    program: Program, run: int = 0, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> list[np.ndarray]:
    """Inputs that exercise the program: image-like, token ids within the vocabulary, sane masks.

    `run` 0 and 1 give different sizes to dynamic dimensions, unless `sizes` gives them: batch,
    height, width and length.
    """
    random = np.random.default_rng(seed + 1000 * run)
    sizes = sizes or SIZES[run % len(SIZES)]
    return [_sample(program, value, sizes, random) for value in program.inputs]


#: Inputs of detectors that hold height and width of the image.
_IMAGE_SIZES = ("im_shape", "im_size", "image_shape", "origin_shape")


def is_dynamic(program: Program) -> bool:
    """True when an input has a dynamic dimension."""
    return any(dim < 0 for value in program.inputs for dim in value.shape)


def _sample(
    program: Program, value: Value, sizes: Mapping[str, int], random: np.random.Generator
) -> np.ndarray:
    shape = _shape(value, sizes)
    name = value.name.lower()
    if name in _IMAGE_SIZES and len(shape) == 2 and value.dtype != "bool":
        both = np.tile(_image_size(program, sizes), (shape[0], shape[1] // 2 or 1))
        return _cast(both[:, : shape[1]], value.dtype)
    if is_float(value.dtype):
        return _cast(_float_sample(name, shape, random), value.dtype)
    if value.dtype == "bool":
        return np.asarray(random.random(shape) < 0.8)
    if value.dtype.startswith("complex"):
        parts = random.normal(size=(2, *shape))
        return np.asarray(parts[0] + 1j * parts[1], value.dtype)
    if value.dtype == "uint8" and len(shape) >= 3:
        return random.integers(0, 256, shape).astype(np.uint8)
    high = vocabulary(program, value)
    if high is None:
        if "len" in name or "num" in name:
            return np.full(shape, sizes["length"], numpy_dtype(value.dtype))
        high = 2 if any(word in name for word in ("mask", "type", "segment", "flag")) else 4
    return random.integers(0, max(high, 1), shape).astype(numpy_dtype(value.dtype))


def _shape(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    names = ["batch", *["length"] * (len(value.shape) - 1)]
    if len(value.shape) >= 4:
        last = value.shape[-1] in (1, 3, 4) and value.shape[1] not in (1, 3, 4)
        names = ["batch", *["length"] * (len(value.shape) - 3), "height", "width"]
        if last:
            names = ["batch", *["length"] * (len(value.shape) - 4), "height", "width", "length"]
    return tuple(
        sizes[name] if dim < 0 else dim for name, dim in zip(names, value.shape, strict=False)
    )


def _float_sample(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if "scale_factor" in name:
        return np.ones(shape)
    if "mask" in name:
        return (random.random(shape) < 0.8).astype(float)
    if len(shape) >= 4:
        return _image(shape, random)
    return random.normal(size=shape)


def _image_size(program: Program, sizes: Mapping[str, int]) -> np.ndarray:
    for value in program.inputs:
        if len(value.shape) == 4:
            shape = _shape(value, sizes)
            return np.array([shape[2:4]], float)
    return np.array([[sizes["height"], sizes["width"]]], float)


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
    reached = {value}
    sizes = []
    for op in program.walk():
        reads = [operand for operand in op.operands if operand in reached]
        if not reads:
            continue
        table = _table(op)
        if table is not None and table not in reached:
            sizes.append(table.shape[0])
        elif op.name == "pd_op.one_hot":
            sizes.append(2)
        elif op.short_name in _PASSING:
            reached.update(op.outputs.values())
    found = [size for size in sizes if size > 0]
    return min(found) if found else None


_PASSING = {
    "cast", "reshape", "flatten", "squeeze", "unsqueeze", "slice", "transpose", "assign",
    "share_data", "share_data_", "expand", "tile", "concat",
}  # fmt: skip


def _table(op: Op) -> Value | None:
    table = {"embedding": "weight", "gather": "x", "index_select": "x"}.get(op.short_name)
    found = op.inputs.get(table) if table else None
    return found if isinstance(found, Value) else None
