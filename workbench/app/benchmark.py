"""Times of one model: loading, conversion, and a forward pass in torch and in Paddle Inference."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from workbench.checks.values.inputs import input_sets
from workbench.conversion.apply import make_mapping
from workbench.sources.registry import source_of
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.checks.subject import Subject


def benchmark(migration: Subject, inputs: Any = None, repeat: int = 10) -> list[str]:
    """Lines that tell median times; both frameworks run in turn on the same inputs."""
    arrays = input_sets(migration.program, inputs)[0]
    source = source_of(migration.program)
    origin = migration.files.program if migration.files else None

    def convert() -> None:
        program = source.prepare(source.load(origin).program) if origin else migration.program
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
    with contextlib.closing(source.runtime()) as runtime:
        given = migration.program, arrays, repeat, threads
        for told, seconds in runtime.time_forward(*given).items():
            lines.append(f"Paddle, {told:10s} {seconds * 1e3:9.1f} ms")
    return lines


def _median(function: Callable[[], None], repeat: int) -> float:
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3
