"""Times of one model: loading, conversion, and a forward pass in torch and in Paddle Inference."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.checks.values.inputs import input_sets
from workbench.conversion.apply import make_mapping
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.load import load_program
from workbench.sources.paddle.passes import run_passes
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.app.migration import Migration


def benchmark(migration: Migration, inputs: Any = None, repeat: int = 10) -> list[str]:
    """Lines that tell median times; both frameworks run in turn on the same inputs."""
    arrays = input_sets(migration.program, inputs)[0]
    origin = migration.files.program if migration.files else None

    def convert() -> None:
        program = run_passes(load_program(origin).program) if origin else migration.program
        build(make_mapping(program, migration.rules))

    module = migration.convert()
    values = zip(arrays, migration.program.inputs, strict=True)
    tensors = [as_tensor(array, value.dtype) for array, value in values]

    def forward() -> None:
        with torch.inference_mode():
            module(*tensors)

    threads = torch.get_num_threads()
    lines = [
        f"load and convert   {_median(convert, 3):9.1f} ms",
        f"torch forward      {_median(forward, repeat):9.1f} ms  ({threads} threads)",
    ]
    # a process of its own: after a verification, whose taps are operators made at run time,
    # Paddle Inference aborts when it registers operators
    with PaddleProcess() as process:
        for told, onednn in (("oneDNN on", True), ("oneDNN off", False)):
            milliseconds = _paddle(process, migration, arrays, repeat, onednn)
            lines.append(f"Paddle, {told:10s} {milliseconds:9.1f} ms")
    return lines


def _median(function: Callable[[], None], repeat: int) -> float:
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def _paddle(
    process: PaddleProcess,
    migration: Migration,
    arrays: list[np.ndarray],
    repeat: int,
    onednn: bool,
) -> float:
    from workbench.sources.reference import Reference

    folder = Reference(arrays)
    files = []
    for number, array in enumerate(arrays):
        files.append(str(folder.folder / f"input{number}.npy"))
        np.save(files[-1], array)
    program = migration.program
    answer = process.ask(
        "time_forward",
        program=str(program.source),
        params=str(program.params_file),
        inputs=files,
        repeat=repeat,
        onednn=onednn,
        threads=torch.get_num_threads(),
    )
    return float(answer) * 1e3
