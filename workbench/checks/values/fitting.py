"""Which dynamic dimensions of a program may have sizes of their own: Paddle is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np

from workbench.checks.values.inputs import sample_inputs
from workbench.checks.values.sizes import SMALL, Groups, Sizes, apart
from workbench.core.errors import PaddleProcessError
from workbench.core.program import Program
from workbench.sources.paddle.client.process import PaddleProcess


def groups_apart(program: Program, process: PaddleProcess) -> Groups:
    """The dimensions that Paddle lets differ from each other; none where it cannot be asked."""

    def takes(ways: Sequence[Groups]) -> Sequence[bool]:
        samples = [sample_inputs(program, sizes=Sizes(SMALL, groups)) for groups in ways]
        return _taken(program, process, samples)

    return apart(program, takes) if program.source is not None else {}


def _taken(
    program: Program, process: PaddleProcess, samples: Sequence[Sequence[np.ndarray]]
) -> Sequence[bool]:
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        files = []
        for number, arrays in enumerate(samples):
            files.append([f"{folder}/in{number}_{place}.npy" for place in range(len(arrays))])
            for file, array in zip(files[-1], arrays, strict=True):
                np.save(file, array)
        try:
            found: list[bool] = process.ask(
                "takes",
                program=str(program.source),
                params=str(program.params_file) if program.params_file else None,
                samples=files,
            )
        except PaddleProcessError:  # the process died: nothing is known then
            return [False] * len(samples)
        return found
