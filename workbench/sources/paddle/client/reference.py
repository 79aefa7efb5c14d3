"""The reference: every value that Paddle computes inside a program, kept on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from workbench.core.dtypes import item_size
from workbench.core.errors import PaddleProcessError
from workbench.core.program import Program
from workbench.core.values import ARRAY, LIST, Value
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.reference import Reference

#: Values are taken from Paddle in chunks of about this many bytes.
CHUNK_BYTES = 512 * 2**20


def record(
    process: PaddleProcess,
    program: Program,
    inputs: Sequence[np.ndarray],
    values: Iterable[Value],
    inside: Mapping[str, Iterable[Value]] | None = None,
    narrow: Iterable[str] = (),
) -> Reference:
    """Run the program once in Paddle and keep the wanted values.

    `inside` names, by the key of an inner block, the values that its rows make and read. Lists and
    tensor arrays cannot be had and are left out. `narrow` names operators that run in narrower
    dtypes than the program's, see `checks.twin`. Raises `PaddleProcessError` when Paddle fails on
    the program; its `stored` are the numbers of the values that were stored before.
    """
    if program.source is None:
        raise PaddleProcessError("The program has no file, so Paddle cannot run it.")
    reference = Reference(inputs)
    files = []
    for number, array in enumerate(inputs):
        files.append(str(reference.folder / f"input{number}.npy"))
        np.save(files[-1], array)
    for value, array in zip(program.inputs, inputs, strict=True):
        np.save(reference.folder / f"v{value.id}.npy", array)
        reference.dtypes[value.id] = value.dtype
    wanted: list[tuple[str, Any, str]] = [
        ("", ("", *program.positions[value.id]), f"v{value.id}")
        for value in dict.fromkeys(values)
        if value.id in program.positions and _can_be_had(value) and value not in program.inputs
    ]
    for block, found in (inside or {}).items():
        wanted += [
            (block, _place(program, value), f"v{value.id}_{block}")
            for value in dict.fromkeys(found)
            if _can_be_had(value) and _place(program, value) is not None
        ]
    try:
        stored = process.ask_again(
            "run",
            program=str(program.source),
            params=str(program.params_file) if program.params_file else None,
            inputs=files,
            wanted=wanted,
            folder=str(reference.folder),
            narrow=sorted(narrow),
        )
    except PaddleProcessError as error:
        stems = (path.stem.removeprefix("v") for path in reference.folder.glob("v*.npy"))
        error.stored = frozenset(int(stem) for stem in stems if stem.isdigit())
        raise
    for stem, dtype in stored.items():
        reference.take(stem, dtype)
    return reference


def _can_be_had(value: Value) -> bool:
    return value.dtype not in (LIST, ARRAY, "none") and not value.parameter


def _place(program: Program, value: Value) -> tuple[str, int, int] | None:
    """Where Paddle makes a value; None for one that our passes made."""
    if value.id in program.positions:
        return ("", *program.positions[value.id])
    return program.block_places.get(value.id)


def chunks(
    values: list[Value], program: Program, inputs: Sequence[np.ndarray]
) -> Iterable[list[Value]]:
    """Values in runs of about `CHUNK_BYTES`."""
    longest = max(
        (
            size
            for value, array in zip(program.inputs, inputs, strict=True)
            for size, dim in zip(array.shape[1:], value.shape[1:], strict=False)
            if dim < 0
        ),
        default=1,
    )
    batch = max((array.shape[0] for array in inputs if array.ndim), default=1)
    chunk: list[Value] = []
    total = 0
    for value in values:
        size = item_size(value.dtype)
        for axis, dim in enumerate(value.shape):
            size *= dim if dim >= 0 else batch if axis == 0 else max(longest // 2, 1)
        if chunk and total + size > CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
        chunk.append(value)
        total += size
    if chunk:
        yield chunk
