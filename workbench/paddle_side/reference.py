"""The reference: every value that Paddle computes inside a program, kept on disk."""

from __future__ import annotations

import io
import mmap
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import PaddleProcessError
from workbench.paddle_side.process import PaddleProcess
from workbench.program import ARRAY, LIST, Program, Value, item_size

#: Values are taken from Paddle in chunks of about this many bytes.
CHUNK_BYTES = 512 * 2**20


def mapped(path: Path) -> np.ndarray:
    """An `.npy` file mapped into memory; what is written into the array stays in memory.

    As `numpy.load(path, mmap_mode="c")`, several times faster: a verification opens each value.
    """
    with path.open("rb") as file:
        contents = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 10 + int.from_bytes(contents[8:10], "little")
    shape, fortran, dtype = _header(contents[8:start])
    return np.ndarray(shape, dtype, contents, start, order="F" if fortran else "C")


@lru_cache(256)
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:  # type: ignore[type-arg]
    """What the header of an `.npy` file says; many values share one."""
    return np.lib.format.read_array_header_1_0(io.BytesIO(text))


class Reference:
    """Paddle's values for one set of inputs, memory-mapped from a folder.

    `blocks` holds the values that the first runs of each inner block met, by the block's key,
    `fetched` the dtypes of what the file's own fetch list gave, `wide` the values of the same
    inputs in float64, of the program that `twin` holds (a `checks.twin.Twin`).
    """

    def __init__(
        self, inputs: Sequence[np.ndarray], folder: str | Path | None = None, ending: str = ""
    ) -> None:
        self.inputs = list(inputs)
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="workbench-")
        self.folder = Path(folder or self._temporary.name)  # type: ignore[union-attr]
        self.dtypes: dict[int, str] = {}
        self.fetched: dict[int, str] = {}
        self.wide: Reference | None = None
        self.twin: Any = None
        self.blocks: dict[str, list[Reference]] = {}
        self._ending = ending

    def __contains__(self, value: Value) -> bool:
        return value.id in self.dtypes

    def array(self, value: Value) -> np.ndarray:
        """Paddle's array for a value, in storage dtype (bfloat16 as uint16 bits).

        Mapped anew by every call; what is written into it stays in memory.
        """
        return mapped(self.folder / f"v{value.id}{self._ending}.npy")

    def add_wide(self, twin: Any, wide: Reference) -> None:
        """Set the values in float64, those of inner blocks too."""
        self.twin, self.wide = twin, wide
        for key, runs in self.blocks.items():
            for run, other in zip(runs, wide.blocks.get(key, ()), strict=False):
                run.twin, run.wide = twin, other

    def output(self, number: int) -> np.ndarray:
        """What the file's own fetch list gave at a place, in storage dtype."""
        return mapped(self.folder / f"fetched{number}.npy")

    @property
    def nbytes(self) -> int:
        """What the values take on disk."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def described(self, program: Program) -> tuple[str, ...]:
        """The inputs by name with their shapes."""
        pairs = zip(program.inputs, self.inputs, strict=True)
        return tuple(f"{value.name} {list(array.shape)}" for value, array in pairs)

    def take(self, stem: str, dtype: str) -> None:
        """Note what Paddle stored: `v<id>`, or `v<id>_<block>_<run>` for a value in a block."""
        if stem.startswith("fetched"):
            self.fetched[int(stem.removeprefix("fetched"))] = dtype
            return
        name, *inside = stem.removeprefix("v").split("_")
        if not inside:
            self.dtypes[int(name)] = dtype
            return
        block, run = inside[0], int(inside[1])
        runs = self.blocks.setdefault(block, [])
        while len(runs) <= run:
            runs.append(Reference((), self.folder, f"_{block}_{len(runs)}"))
        runs[run].dtypes[int(name)] = dtype


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
