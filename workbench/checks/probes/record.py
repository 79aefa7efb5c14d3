"""Paddle's values of a row on probing inputs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from workbench.checks.probes.inputs import Probe
from workbench.core.errors import RuntimeFailedError
from workbench.core.values import Value
from workbench.sources.interface import Fed, Runtime, Slice, Slicer
from workbench.sources.reference import Reference

#: After so many deaths of the Paddle process nothing more is asked.
DEATHS = 3
_BITS = {1: torch.uint8, 2: torch.int16}


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Paddle's values of one slice on one set of inputs; the inputs stand in `reference` too."""

    part: Slice
    probe: Probe
    reference: Reference


class Prober:
    """Runs slices in Paddle. What it recorded stays on disk as long as it lives."""

    def __init__(self, slicer: Slicer, runtime: Runtime) -> None:
        self.slicer = slicer
        self.runtime = runtime
        self.deaths = 0
        self._folder = tempfile.TemporaryDirectory(prefix="workbench-probes-")
        self._count = 0

    def record(self, part: Slice, probes: Sequence[Probe]) -> list[Recorded]:
        """All sets in one run; where Paddle refuses that, each in a run of its own.

        What Paddle refuses is left out, and everything where its process dies.
        """
        if self.deaths >= DEATHS:
            return []
        try:
            return self._run(part, probes)
        except RuntimeFailedError:
            died = not self.runtime.alive
            self.deaths += died
            if died or len(probes) == 1:
                return []
        return [one for probe in probes for one in self.record(part, [probe])]

    def repeats(self, recorded: Recorded) -> bool:
        """True when Paddle gives the same values again."""
        again = self.record(recorded.part, [recorded.probe])
        if not again:
            return False
        pairs = [
            (recorded.reference.array(value), again[0].reference.array(value))
            for value in recorded.part.wanted
            if value in recorded.reference
        ]
        same = all(one.shape == two.shape and one.tobytes() == two.tobytes() for one, two in pairs)
        self.drop(again)
        return same

    def drop(self, recorded: Sequence[Recorded]) -> None:
        """Delete the values from disk."""
        for one in recorded:
            shutil.rmtree(one.reference.folder, ignore_errors=True)

    def _run(self, part: Slice, probes: Sequence[Probe]) -> list[Recorded]:
        folder = Path(self._folder.name) / str(self._count)
        self._count += 1
        made = [
            Recorded(part, probe, _stored(probe.tensors, folder / str(number)))
            for number, probe in enumerate(probes)
        ]
        copies = [
            (
                {v: Fed(tuple(t.shape), _dtype(t)) for v, t in one.probe.tensors.items()},
                one.reference,
            )
            for one in made
        ]
        self.runtime.run_slices(self.slicer, part, copies)
        return made


def _stored(tensors: Mapping[Value, torch.Tensor], folder: Path) -> Reference:
    """The inputs as a reference, to which Paddle's values are added."""
    folder.mkdir(parents=True)
    reference = Reference([], folder)
    for value, tensor in tensors.items():
        np.save(folder / f"v{value.id}.npy", _storage(tensor))
        reference.dtypes[value.id] = _dtype(tensor)
    return reference


def _dtype(tensor: torch.Tensor) -> str:
    """What the tensor is, which may be wider than the program says (see docs/architecture.md)."""
    return str(tensor.dtype).removeprefix("torch.")


def _storage(tensor: torch.Tensor) -> np.ndarray:
    """The tensor as it is stored, bfloat16 and float8 as their bits."""
    tensor = tensor.detach().contiguous()
    name = str(tensor.dtype)
    if "bfloat16" in name or "float8" in name:
        bits = tensor.view(_BITS[tensor.element_size()]).numpy()
        return bits.view(np.uint16) if tensor.element_size() == 2 else bits
    return tensor.numpy()
