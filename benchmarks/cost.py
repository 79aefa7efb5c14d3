"""What a whole-model check costs, in forward passes of each framework.

Usage: python -m benchmarks.cost [--repeat 7] [MODEL ...]

Without models: ResNet-18 and -50, MobileNetV3-small, six encoder layers of BERT's size, and the
samples in data/. A model is a folder with an exported program and `inputs.npz` or `samples.npz`.
Forward passes and checks are timed in turn, so that a noisy machine hits both; medians of
processor time. In Paddle a run that stores every value stands beside a plain one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

import workbench as wb
from benchmarks.models import chosen_models
from workbench.app.migration import Migration
from workbench.checks.layers.verify import check_references
from workbench.checks.values.inputs import input_sets
from workbench.sources.paddle.client.predict import predict
from workbench.sources.paddle.client.reference import record
from workbench.targets.pytorch.weights import as_tensor


def in_turn(repeat: int, *works: Callable[[], object], clock: Callable[[], float]) -> list[float]:
    """Median seconds of each work, run in turn; the first round does not count."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeat + 1):
        for work, found in zip(works, times, strict=True):
            start = clock()
            work()
            found.append(clock() - start)
    return [statistics.median(found[1:]) for found in times]


def measure(folder: Path, repeat: int) -> None:
    """Print one model's line."""
    given = next(p for p in (folder / "inputs.npz", folder / "samples.npz") if p.exists())
    with wb.load(folder) as migration:
        sets = input_sets(migration.program, given if given.stem == "inputs" else None)[:1]
        migration.verify(sets)
        module, arrays = migration.convert(), sets[0]
        values = zip(arrays, migration.program.inputs, strict=True)
        tensors = [as_tensor(array, value.dtype) for array, value in values]

        def forward() -> object:
            with torch.inference_mode():
                return module(*tensors)

        def check() -> object:
            return check_references(migration.mapping, module, migration.references[:1])

        one, whole = in_turn(repeat, forward, check, clock=time.process_time)
        plain, stored = _paddle(migration, arrays, repeat)
    rows = sum(not row.is_parameter for row in migration.mapping.rows)
    print(
        f"{folder.name:22s} {rows:5d} {one * 1e3:9.1f} {whole * 1e3:9.1f} {whole / one:7.1f}   "
        f"{plain * 1e3:9.1f} {stored * 1e3:9.1f} {stored / plain:7.1f}",
        flush=True,
    )


def _paddle(migration: Migration, arrays: list, repeat: int) -> list[float]:  # type: ignore[type-arg]
    """Seconds of a plain run in Paddle and of one that stores all values; both load the model."""
    mapping, program = migration.mapping, migration.program
    wanted = [value for row in mapping.rows for value in (*row.values, *row.reads)]

    def plain() -> object:
        return list(predict(migration.paddle, program, [arrays]))

    def stored() -> object:
        return record(migration.paddle, program, arrays, [*wanted, *program.outputs])

    return in_turn(max(repeat // 2, 1), plain, stored, clock=time.perf_counter)


def main() -> None:
    """Measure all models."""
    parser = argparse.ArgumentParser(description="Cost of a whole-model check.")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'':22s} {'':5s} {'PyTorch, ms of processor time':>27s}   "
        f"{'Paddle, ms with loading':>27s}\n"
        f"{'model':22s} {'rows':>5s} {'forward':>9s} {'check':>9s} {'times':>7s}   "
        f"{'forward':>9s} {'stored':>9s} {'times':>7s}"
    )
    with chosen_models(options.models, "cost_models.py") as folders:
        for folder in folders:
            measure(folder, options.repeat)


if __name__ == "__main__":
    main()
