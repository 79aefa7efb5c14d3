"""Paddle's outputs for many batches: the program is loaded once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from workbench.core.errors import PaddleProcessError
from workbench.core.program import Program
from workbench.sources.paddle.client.process import PaddleProcess

#: Batches that Paddle runs before it is asked again, so that it is never silent for long.
AT_ONCE = 32


def predict(
    process: PaddleProcess, program: Program, batches: Sequence[Sequence[np.ndarray]]
) -> Iterator[list[np.ndarray]]:
    """The outputs of each batch in fetch order, halves as float32; raises `PaddleProcessError`."""
    if program.source is None:
        raise PaddleProcessError("The program has no file, so Paddle cannot run it.")
    for start in range(0, len(batches), AT_ONCE):
        part = batches[start : start + AT_ONCE]
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            files = []
            for number, arrays in enumerate(part):
                files.append([f"{folder}/in{number}_{place}.npy" for place in range(len(arrays))])
                for file, array in zip(files[-1], arrays, strict=True):
                    np.save(file, array)
            process.ask(
                "predict",
                program=str(program.source),
                params=str(program.params_file) if program.params_file else None,
                batches=files,
                folder=folder,
            )
            for number in range(len(part)):
                yield [
                    np.load(Path(folder) / f"out{number}_{place}.npy")
                    for place in range(len(program.outputs))
                ]
