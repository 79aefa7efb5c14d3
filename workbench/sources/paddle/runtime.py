"""Paddle at work: every request to its process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.errors import PaddleProcessError
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.interface import BackwardStart, Course, Fed, Slice, Slicer
from workbench.sources.paddle.client.gradient_reference import record_gradients
from workbench.sources.paddle.client.predict import predict
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.client.reference import record
from workbench.sources.paddle.slices import PaddleSlicer, ProgramWriter
from workbench.sources.reference import GradientReference, Reference


class PaddleRuntime(PaddleProcess):
    """A Paddle process with a method for each request; see `sources.interface.Runtime`."""

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.pid is not None

    def version(self) -> str:
        """Paddle's version."""
        return str(self.ask("version"))

    def values(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        values: Iterable[Value],
        inside: Mapping[str, Iterable[Value]] | None = None,
        narrow: Iterable[str] = (),
    ) -> Reference:
        """Run the program once with taps at these values; see `client.reference.record`."""
        return record(self, program, inputs, values, inside, narrow)

    def outputs(
        self, program: Program, batches: Sequence[Sequence[np.ndarray]]
    ) -> Iterator[list[np.ndarray]]:
        """The outputs of each batch in fetch order, half precision as float32."""
        return predict(self, program, batches)

    def takes(self, program: Program, samples: Sequence[Sequence[np.ndarray]]) -> Sequence[bool]:
        """Which sets of inputs Paddle accepts; none where its process died of one."""
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            files = []
            for number, arrays in enumerate(samples):
                stem = f"in{number}_"
                files.append(_stored(arrays, Path(folder), stem))
            try:
                found: list[bool] = self.ask("takes", **_program(program), samples=files)
            except PaddleProcessError:
                return [False] * len(samples)
        return found

    def backward_start(self, program: Program, outputs: Sequence[Value]) -> BackwardStart:
        """From which values Paddle can differentiate these outputs."""
        positions = [program.positions[value.id] for value in outputs]
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            told = self.ask("roots", **_program(program), outputs=positions, folder=folder)
        barriers = {name: _places(places) for name, places in told["barriers"].items()}
        return BackwardStart(_places(told["roots"]), barriers)

    def gradients(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[Value, np.ndarray],
        values: Iterable[Value],
        parameters: Sequence[str],
    ) -> GradientReference:
        """One backward pass; see `client.gradient_reference.record_gradients`."""
        return record_gradients(self, program, inputs, cotangents, values, parameters)

    def train(self, program: Program, course: Course) -> tuple[list[float], dict[str, np.ndarray]]:
        """The losses of a few training steps and the tensors that came of them."""
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            inputs = _stored(course.inputs, Path(folder), "input")
            files = _stored(list(course.targets.values()), Path(folder), "target")
            targets = [
                [*program.positions[value.id], file]
                for value, file in zip(course.targets, files, strict=True)
            ]
            losses = self.ask(
                "train", **_program(program), inputs=inputs, targets=targets,
                parameters=list(course.parameters), kept=list(course.kept),
                optimiser=course.optimiser, options=dict(course.options), steps=course.steps,
                folder=folder,
            )  # fmt: skip
            trained = {
                name: np.load(Path(folder) / f"p{number}.npy")
                for number, name in enumerate([*course.parameters, *course.kept])
            }
        return [float(loss) for loss in losses], trained

    def run_slices(
        self,
        slicer: Slicer,
        part: Slice,
        copies: Sequence[tuple[Mapping[Value, Fed], Reference]],
    ) -> None:
        """Run copies of a slice in one program; the results go to each copy's reference.

        The folders of the references lie in one folder, in which the program is written.
        """
        assert isinstance(slicer, PaddleSlicer)
        writer = ProgramWriter(slicer)
        feed: dict[str, str] = {}
        fetch: list[list[Any]] = []
        folder = copies[0][1].folder.parent
        for fed, reference in copies:
            names, results = writer.add(part, fed)
            for value, name in names.items():
                feed[name] = str(reference.folder / f"v{value.id}.npy")
            stem = reference.folder.name
            fetch += [[place, item, f"{stem}/v{value.id}"] for value, place, item in results]
        program = folder / "program.json"
        program.write_text(json.dumps(writer.document()), "utf-8")
        dtypes = self.ask("probe", program=str(program), feed=feed, fetch=fetch, folder=str(folder))
        by_name = {reference.folder.name: reference for _, reference in copies}
        for stem, dtype in dtypes.items():
            name, _, value = stem.partition("/")
            by_name[name].dtypes[int(value.removeprefix("v"))] = dtype

    def time_forward(
        self, program: Program, inputs: Sequence[np.ndarray], repeat: int, threads: int
    ) -> dict[str, float]:
        """Median seconds of a run of Paddle Inference, with oneDNN and without."""
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            given = {
                **_program(program), "inputs": _stored(inputs, Path(folder), "input"),
                "repeat": repeat, "threads": threads,
            }  # fmt: skip
            return {
                told: float(self.ask("time_forward", **given, onednn=onednn))
                for told, onednn in (("oneDNN on", True), ("oneDNN off", False))
            }


def _program(program: Program) -> dict[str, Any]:
    if program.source is None:
        raise PaddleProcessError("The program has no file, so Paddle cannot run it.")
    params = str(program.params_file) if program.params_file else None
    return {"program": str(program.source), "params": params}


def _stored(arrays: Sequence[np.ndarray], folder: Path, stem: str) -> list[str]:
    """Files that hold the arrays."""
    files = [str(folder / f"{stem}{number}.npy") for number in range(len(arrays))]
    for file, array in zip(files, arrays, strict=True):
        np.save(file, array)
    return files


def _places(found: Iterable[Sequence[int]]) -> list[tuple[int, int]]:
    return [(place[0], place[1]) for place in found]
