"""What a framework offers to be a source of models: reading, rules, and running.

`sources/paddle` is the first one. A second framework is a folder beside it with a `Source`, and a
line in `registry`; nothing else of the workbench knows which framework a program comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from workbench.conversion.book import RuleBook
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.core.program import Op, Program
from workbench.core.values import Value
from workbench.sources.reference import GradientReference, Reference

#: Names of files and folders that tell nothing about the model.
_GENERIC = ("inference", "model", "__model__", "best_model", "infer")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model. `params` may be missing for a model without parameters.

    Program and parameters may be links to anywhere, as the caches of model hubs make them; `config`
    lies in the program's folder (see `workbench.core.files`).
    """

    program: Path
    params: Path
    config: Path | None = None

    @property
    def legacy(self) -> bool:
        """True for a program that must be translated first, such as Paddle 2's `.pdmodel`."""
        return self.program.suffix != ".json"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A program with where it came from. `temporary` keeps a translated copy alive."""

    program: Program
    origin: str
    files: ModelFiles | None = None
    temporary: Any = None


def name_of(origin: str) -> str:
    """A short name for a model, fit for a folder: of its file, or its folder where files of every
    model are called so (`inference.json`); of the class of a live layer.
    """
    if origin.startswith("live "):
        return origin.removeprefix("live ")
    path = Path(origin)
    steps = (path.stem, *(folder.name for folder in path.resolve().parents))
    return next((step for step in steps if step and step not in _GENERIC), "model")


@dataclass(frozen=True, slots=True)
class Slice:
    """The operators of one row, in the program's order.

    `feeds` are the values that come from outside; of these the numbers of `free` may be chosen.
    `wanted` are the row's values that the framework can hand over.
    """

    ops: tuple[Op, ...]
    feeds: tuple[Value, ...]
    free: tuple[Value, ...]
    wanted: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Fed:
    """What a value from outside is in one copy of a slice: its shape and dtype."""

    shape: tuple[int, ...]
    dtype: str


class Slicer(Protocol):
    """Cuts rows out of a program."""

    def cut(self, row: Row, has: Callable[[Value], bool]) -> Slice | None:
        """The row's operators; None when they cannot be run apart from the rest.

        `has` tells of which values from outside it is known what they were.
        """


@dataclass(frozen=True, slots=True)
class Course:
    """A few training steps of a program: what is trained, towards what, and how.

    `targets` are what the values of the loss should become; `parameters` are trained and handed
    back, `kept` (running statistics) only handed back.
    """

    inputs: Sequence[np.ndarray]
    targets: Mapping[Value, np.ndarray]
    parameters: Sequence[str]
    kept: Sequence[str]
    optimiser: str
    options: Mapping[str, float]
    steps: int


@dataclass(frozen=True, slots=True)
class BackwardStart:
    """Where a backward pass begins: positions of values, as in `Program.positions`.

    `barriers` are the operators without a gradient on the way, with the values that they make.
    """

    roots: Sequence[tuple[int, int]]
    barriers: Mapping[str, Sequence[tuple[int, int]]]


class Runtime(Protocol):
    """The framework at work, in a process of its own that may die alone.

    Every method raises `RuntimeFailedError` when the framework is missing, refuses the program, or
    its process dies; the next call starts a new one.
    """

    @property
    def alive(self) -> bool:
        """True while the process runs."""

    def version(self) -> str:
        """The framework's version."""

    def values(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        values: Iterable[Value],
        inside: Mapping[str, Iterable[Value]] | None = None,
        narrow: Iterable[str] = (),
    ) -> Reference:
        """Run the program once; keep these values, and what its own fetch list gives.

        `inside` names values of inner blocks by the block's key, `narrow` operators of a float64
        program that run in their own dtypes.
        """

    def outputs(
        self, program: Program, batches: Sequence[Sequence[np.ndarray]]
    ) -> Iterator[list[np.ndarray]]:
        """The outputs of each batch in fetch order, half precision as float32."""

    def takes(self, program: Program, samples: Sequence[Sequence[np.ndarray]]) -> Sequence[bool]:
        """Which sets of inputs the framework accepts; none where it died of one."""

    def backward_start(self, program: Program, outputs: Sequence[Value]) -> BackwardStart:
        """From which values a backward pass of these outputs can begin."""

    def gradients(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[Value, np.ndarray],
        values: Iterable[Value],
        parameters: Sequence[str],
    ) -> GradientReference:
        """One backward pass, its roots weighted by `cotangents`: gradients of these values."""

    def train(self, program: Program, course: Course) -> tuple[list[float], dict[str, np.ndarray]]:
        """The losses before each step and after the last, and the tensors that came of it."""

    def run_slices(
        self,
        slicer: Slicer,
        part: Slice,
        copies: Sequence[tuple[Mapping[Value, Fed], Reference]],
    ) -> None:
        """Run copies of a slice, each on the inputs of its reference, which gets the results."""

    def time_forward(
        self, program: Program, inputs: Sequence[np.ndarray], repeat: int, threads: int
    ) -> dict[str, float]:
        """Median seconds of a forward pass in the framework's own engine, by its setting."""

    def close(self) -> None:
        """End the process."""


class Source(Protocol):
    """A framework that models come from."""

    #: Short name, as programs carry it: "paddle".
    name: str
    #: The rules that every migration from this framework starts from.
    rules: RuleBook

    def recognises(self, model: Any) -> bool:
        """True when a path or a live model is of this framework."""

    def load(
        self, model: Any, input_spec: Sequence[Any] | None = None, names: str | Path | None = None
    ) -> Loaded:
        """Read a model; raises `ModelFileError` when it is missing, damaged or foreign."""

    def weights(self, path: Path) -> Mapping[str, np.ndarray]:
        """A file of weights alone: arrays by name; raises `ModelFileError` when it is none."""

    def prepare(self, program: Program) -> Program:
        """Run the passes: no operator writes into its operand, sizes are integer expressions,
        control flow is `workbench.if`, `for` and `while`, lists are taken apart.
        """

    def runtime(self) -> Runtime:
        """A new runtime; its process starts when it is first asked."""

    def slicer(self, mapping: RowMapping) -> Slicer:
        """Cuts rows out of the mapping's program; raises `RuntimeFailedError` when it cannot."""

    def widened(self, program: Program, folder: Path) -> Program:
        """The program before its passes with every floating dtype made wider (`dtypes.WIDER`).

        Its files are written into `folder`.
        """

    def running(self, program: Program, folder: Path, narrow: Iterable[str]) -> Path:
        """The file of a widened program in which operators named in `narrow` keep their dtypes."""

    def training(self, program: Program, batch_norms: Sequence[int], folder: Path) -> Program:
        """The program with the batch norms at these positions in training mode."""
