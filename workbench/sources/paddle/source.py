"""Paddle as a source of models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.dtypes import WIDER
from workbench.core.errors import WorkbenchError
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.sources.interface import Loaded, Source
from workbench.sources.paddle.client.live import is_layer
from workbench.sources.paddle.document import in_training, read_document
from workbench.sources.paddle.files.pdiparams import bind_parameters, write_parameters
from workbench.sources.paddle.files.pdparams import read_pdparams
from workbench.sources.paddle.files.pir_json import read_program
from workbench.sources.paddle.load import load_program
from workbench.sources.paddle.passes import run_passes
from workbench.sources.paddle.passes.traits import traits
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.runtime import PaddleRuntime
from workbench.sources.paddle.slices import PaddleSlicer
from workbench.sources.paddle.widening import widen

_PROGRAM, _RUNNING, _WEIGHTS = "inference.json", "running.json", "inference.pdiparams"


class PaddleSource:
    """Reads Paddle's files and live layers; see `sources.interface.Source`."""

    name = "paddle"
    rules = DEFAULT

    def recognises(self, model: Any) -> bool:
        """True for a live layer and for every path: what is no model is told when it is loaded."""
        return is_layer(model) or isinstance(model, (str, Path))

    def load(
        self, model: Any, input_spec: Sequence[Any] | None = None, names: str | Path | None = None
    ) -> Loaded:
        """See `load.load_program`; every op carries its traits."""
        loaded = load_program(model, input_spec, names)
        return replace(loaded, program=traits(loaded.program))

    def weights(self, path: Path) -> dict[str, np.ndarray]:
        """The arrays of a `.pdparams`, by attribute path."""
        return read_pdparams(path)[0]

    def prepare(self, program: Program) -> Program:
        """See `passes.run_passes`."""
        return run_passes(program)

    def runtime(self) -> PaddleRuntime:
        """Paddle in a new process."""
        return PaddleRuntime()

    def slicer(self, mapping: Mapping) -> PaddleSlicer:
        """Cuts rows out of the saved program."""
        return PaddleSlicer(mapping)

    def widened(self, program: Program, folder: Path) -> Program:
        """The saved program in float64; raises `WorkbenchError` when it has no file."""
        document = _document(program)
        widen(document)
        (folder / _PROGRAM).write_text(json.dumps(document), "utf-8")
        write_parameters(folder / _WEIGHTS, program.parameters, WIDER)
        return bind_parameters(read_program(folder / _PROGRAM), folder / _WEIGHTS)

    def running(self, program: Program, folder: Path, narrow: Iterable[str]) -> Path:
        """The widened file as Paddle runs it; narrow operators declare their own dtypes."""
        document = _document(program)
        widen(document, set(narrow))
        (folder / _RUNNING).write_text(json.dumps(document), "utf-8")
        return folder / _RUNNING

    def training(self, program: Program, batch_norms: Sequence[int], folder: Path) -> Program:
        """The saved program with batch norms, by position, that take the batch's statistics."""
        document = _document(program)
        in_training(document, batch_norms)
        path = folder / "batch_norm.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        assert program.source is not None
        params = program.params_file or program.source.with_suffix(".pdiparams")
        return replace(program, source=path, params_file=params)


def _document(program: Program) -> dict[str, Any]:
    if program.source is None:
        raise WorkbenchError("The program has no file, so it cannot be widened.")
    return read_document(program.source)


SOURCE: Source = PaddleSource()
