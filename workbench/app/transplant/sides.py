"""The source's side of a transplant: a model that runs, or a file of weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from workbench.app.migration import Migration
from workbench.app.transplant.units import COUNTERS, Source, Unit
from workbench.checks.results.verification import Verification
from workbench.checks.values.inputs import input_sets
from workbench.core.errors import InputError, ModelFileError
from workbench.core.program import Parameter
from workbench.sources.registry import source_named
from workbench.targets.pytorch.weights import as_tensor

#: Files that hold weights and no network.
WEIGHTS = (".pdparams", ".safetensors")


class Side(Protocol):
    """What a transplant asks of its source."""

    name: str
    units: Mapping[str, Unit]
    stored: Mapping[str, Parameter]
    #: The inputs of its run; empty where it cannot run.
    tensors: list[torch.Tensor]
    input_names: tuple[str, ...]
    outputs: tuple[torch.Tensor, ...]

    def proven(self) -> Verification | None:
        """The verification of its own conversion; None where there is nothing to verify."""


class ModelSide:
    """A migration that ran once on the inputs, in float64."""

    def __init__(self, migration: Migration, inputs: Any) -> None:
        self.migration, self.name = migration, migration.name
        self.arrays = input_sets(migration.program, inputs)[0]
        values = zip(self.arrays, migration.program.inputs, strict=True)
        self.tensors = [as_tensor(array, value.dtype) for array, value in values]
        self.input_names = tuple(value.name for value in migration.program.inputs)
        self.stored: Mapping[str, Parameter] = migration.program.parameters
        source = Source(migration.mapping, migration.convert())
        source.run(self.tensors)
        self.units: Mapping[str, Unit] = source.units
        self.outputs = source.outputs

    def proven(self) -> Verification:
        """The last verification of the migration, else one on these inputs."""
        return self.migration.verification or self.migration.verify(self.arrays)


class WeightsSide:
    """A file of weights: `.pdparams`, or Paddle's tensors in a `.safetensors`.

    Its fully connected layers keep (in, out), as all of Paddle's do. Nothing runs, so nothing that
    is paired is proven. Raises `ModelFileError` when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.tensors: list[torch.Tensor] = []
        self.input_names: tuple[str, ...] = ()
        self.outputs: tuple[torch.Tensor, ...] = ()
        arrays = _read(path)
        self.stored: Mapping[str, Parameter] = {n: _parameter(n, a) for n, a in arrays.items()}
        self.units: Mapping[str, Unit] = _units(arrays)

    def proven(self) -> None:
        """Nothing runs."""
        return


def side_of(source: Any, inputs: Any, load: Any) -> Side:
    """The side for what a person gave; `load` is `wb.load`."""
    if isinstance(source, Migration):
        return ModelSide(source, inputs)
    if isinstance(source, (str, Path)) and Path(source).suffix in WEIGHTS:
        if inputs is not None:
            raise InputError(
                f"{source} holds weights and no network, so it cannot run on inputs.",
                "Leave the inputs out, or give the exported model or the live layer.",
            )
        return WeightsSide(Path(source).expanduser())
    return ModelSide(load(source), inputs)


def _read(path: Path) -> Mapping[str, np.ndarray]:
    if path.suffix == ".pdparams":
        return source_named("paddle").weights(path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error


def _parameter(name: str, array: np.ndarray) -> Parameter:
    return Parameter(name, array.shape, str(array.dtype), True, lambda: array)


#: What Paddle calls the tensors of a layer, and torch.
_KEYS = {"_mean": "running_mean", "_variance": "running_var"}


def _units(arrays: Mapping[str, np.ndarray]) -> dict[str, Unit]:
    """The tensors by the layer that their names share."""
    found: dict[str, Unit] = {}
    for name, array in arrays.items():
        path, _, key = name.rpartition(".")
        if key in COUNTERS:
            continue
        unit = found.setdefault(path, Unit(path, "", {}))
        key = _KEYS.get(key, key)
        unit.tensors[key] = torch.from_numpy(np.array(array))
        unit.origin[key] = name
    for unit in found.values():
        unit.kind = _kind(unit)
    return found


def _kind(unit: Unit) -> str:
    """What a layer is, as far as its tensors tell; a matrix alone may be an embedding too."""
    weight = unit.tensors.get("weight")
    if "running_mean" in unit.tensors:
        return "batch_norm"
    if weight is None:
        return ""
    if weight.ndim == 2:
        return "matmul"
    return "" if weight.ndim == 1 else f"conv{weight.ndim - 2}d"
