"""Paddle's gradients of a program, for one set of inputs, kept on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from workbench.core.errors import PaddleProcessError
from workbench.core.program import Program
from workbench.core.values import ARRAY, LIST, Value
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.client.reference import chunks
from workbench.sources.reference import GradientReference, value_stem


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
