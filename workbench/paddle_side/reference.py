"""The reference: every value that Paddle computes inside a program, kept on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from workbench.errors import PaddleProcessError
from workbench.paddle_side.process import PaddleProcess
from workbench.program import ARRAY, LIST, Program, Value, item_size

#: Values are taken from Paddle in chunks of about this many bytes.
CHUNK_BYTES = 512 * 2**20


class Reference:
    """Paddle's values for one set of inputs, memory-mapped from a folder."""

    def __init__(self, inputs: Sequence[np.ndarray], folder: str | Path | None = None) -> None:
        self.inputs = list(inputs)
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="workbench-")
        self.folder = Path(folder or self._temporary.name)  # type: ignore[union-attr]
        self.dtypes: dict[int, str] = {}

    def __contains__(self, value: Value) -> bool:
        return value.id in self.dtypes

    def array(self, value: Value) -> np.ndarray:
        """Paddle's array for a value, in storage dtype (bfloat16 as uint16 bits).

        Mapped anew by every call; what is written into it stays in memory.
        """
        return np.load(self._path(value), mmap_mode="c")  # type: ignore[no-any-return]

    def _path(self, value: Value) -> Path:
        return self.folder / f"v{value.id}.npy"


def record(
    process: PaddleProcess,
    program: Program,
    inputs: Sequence[np.ndarray],
    values: Iterable[Value],
) -> Reference:
    """Run the program in Paddle and keep the wanted values.

    Values inside `if` and `while` blocks, lists and tensor arrays cannot be had and are left out.
    Raises `PaddleProcessError` when Paddle fails on the program.
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
    wanted = [
        value
        for value in dict.fromkeys(values)
        if value.id in program.positions
        and value.dtype not in (LIST, ARRAY, "none")
        and not value.parameter
        and value not in program.inputs
    ]
    for chunk in chunks(wanted, program, inputs):
        stored = process.ask(
            "run",
            program=str(program.source),
            params=str(program.params_file) if program.params_file else None,
            inputs=files,
            fetch=[[*program.positions[value.id], f"v{value.id}"] for value in chunk],
            folder=str(reference.folder),
        )
        for value in chunk:
            reference.dtypes[value.id] = stored[f"v{value.id}"]
    return reference


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
