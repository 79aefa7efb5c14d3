"""What a source framework computed inside a program, kept on disk: values and gradients."""

from __future__ import annotations

import io
import mmap
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.program import Program
from workbench.core.values import Value


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


class GradientReference:
    """Gradients that Paddle computed: by value, and by the name of a parameter."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="workbench-")
        self.folder = Path(self._temporary.name)
        self.asked: set[str] = set()
        self.dtypes: dict[str, str] = {}

    def array(self, stem: str) -> np.ndarray | None:
        """A gradient in storage dtype, memory-mapped; None where Paddle has none."""
        if stem not in self.dtypes:
            return None
        return mapped(self.folder / f"{stem}.npy")


def value_stem(value: Value) -> str:
    """Where the gradient of a value is kept."""
    return f"g{value.id}"
