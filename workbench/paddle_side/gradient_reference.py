"""Paddle's gradients of a program, for one set of inputs, kept on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from workbench.errors import PaddleProcessError
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import chunks, mapped
from workbench.program import ARRAY, LIST, Program, Value


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


def record_gradients(
    process: PaddleProcess,
    program: Program,
    inputs: Sequence[np.ndarray],
    cotangents: Mapping[Value, np.ndarray],
    values: Iterable[Value],
    parameters: Sequence[str],
) -> GradientReference:
    """Run one backward pass in Paddle; `cotangents` weight the roots.

    Raises `PaddleProcessError` when Paddle cannot differentiate the program.
    """
    if program.source is None:
        raise PaddleProcessError("The program has no file, so Paddle cannot run it.")
    found = GradientReference()
    files = [str(found.folder / f"input{number}.npy") for number in range(len(inputs))]
    for file, array in zip(files, inputs, strict=True):
        np.save(file, array)
    given = []
    for number, (value, array) in enumerate(cotangents.items()):
        file = str(found.folder / f"cotangent{number}.npy")
        given.append([*program.positions[value.id], file])
        np.save(file, array)
    wanted = [
        value
        for value in dict.fromkeys(values)
        if value.id in program.positions and value.dtype not in (LIST, ARRAY, "none")
    ]
    named = [[name, f"p{number}"] for number, name in enumerate(parameters)]
    for number, chunk in enumerate(list(chunks(wanted, program, inputs)) or [[]]):
        found.dtypes |= process.ask(
            "gradients",
            program=str(program.source),
            params=str(program.params_file) if program.params_file else None,
            inputs=files,
            cotangents=given,
            wanted=[[*program.positions[value.id], value_stem(value)] for value in chunk],
            parameters=named if number == 0 else [],
            folder=str(found.folder),
        )
    found.asked = {value_stem(value) for value in wanted} | {stem for _, stem in named}
    return found
