"""The live check: one edited layer, rebuilt and run on Paddle's recorded inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from workbench.checks.diagnosis.diagnose import diagnose
from workbench.checks.layers.verify import check_row
from workbench.checks.results.checks import Check, Finding
from workbench.checks.twin.recording import Recorder
from workbench.checks.values.block_rows import references_of
from workbench.checks.values.inputs import sample_inputs
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import reference_tensor
from workbench.conversion.book import RuleBook
from workbench.core.errors import WorkbenchError
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.sources.reference import Reference
from workbench.sources.registry import source_of
from workbench.targets.pytorch.builder import build_row

_POINTS = 400


class Checker(Protocol):
    """What the editor needs to check a row."""

    def prepare(self) -> None:
        """Get Paddle's values; may take seconds. Raises `WorkbenchError` when it cannot."""

    @property
    def ready(self) -> bool:
        """True when rows can be checked."""

    def check(self, mapping: Mapping, path: str) -> Check:
        """The row alone, fed Paddle's inputs."""

    def scatter(self, mapping: Mapping, path: str) -> dict[str, Any] | None:
        """Paddle's values against ours, a sample of the row's first output."""

    def diagnose(self, mapping: Mapping, path: str) -> Sequence[Finding]:
        """Why the row differs from Paddle; may take seconds."""


class LiveChecker:
    """Checks rows against values that Paddle computed once, kept on disk."""

    def __init__(
        self,
        program: Program,
        recorded: Callable[[], Sequence[Reference]] = tuple,
        rules: RuleBook | None = None,
    ) -> None:
        self.program = program
        self.recorded = recorded
        self.source = source_of(program)
        self.rules = rules or self.source.rules
        self._own: Reference | None = None

    @property
    def reference(self) -> Reference | None:
        """The values of the last verification, else our own."""
        return next(iter(self.recorded()), self._own)

    @property
    def ready(self) -> bool:
        """True when Paddle's values are there."""
        return self.reference is not None

    def prepare(self) -> None:
        """Run the model once in a Paddle process of its own and keep all values."""
        if self.ready:
            return
        values = [value for op in self.program.ops for value in op.outputs.values()]
        with contextlib.closing(self.source.runtime()) as runtime:
            records = Recorder(self.program, values, {}, runtime, self.rules)
            self._own = records.record(self._small_inputs())

    def _small_inputs(self) -> list[np.ndarray]:
        """Sample inputs with a batch of one where it may be, so that a check takes no time."""
        arrays = sample_inputs(self.program)
        return [
            array[:1] if value.shape and value.shape[0] < 0 else array
            for value, array in zip(self.program.inputs, arrays, strict=True)
        ]

    def check(self, mapping: Mapping, path: str) -> Check:
        """Build the row alone and compare it; *wrong*, with the reason, when it cannot be built."""
        reference = self.reference
        if reference is None:
            return Check("unchecked", problem="Paddle's values are not there yet")
        row = mapping[path]
        if row.call is None:
            return Check("unchecked", problem=row.reason)
        if row.is_parameter:
            return Check("unchecked", problem="checked in the rows that read it")
        needed = [value for value in row.reads if not value.parameter]
        reference = _met(mapping, path, reference)
        if not any(v in reference for v in row.values) or not all(v in reference for v in needed):
            return Check("unchecked", problem="Paddle gives no values to compare with here")
        try:
            module = build_row(mapping, row)
        except WorkbenchError as error:
            return Check("wrong", problem=error.message)
        return check_row(mapping, path, reference, module)

    def scatter(self, mapping: Mapping, path: str) -> dict[str, Any] | None:
        """A sample of Paddle's values and ours, with the largest difference among them."""
        reference, row = self.reference, mapping[path]
        value = row.values[0] if row.values else None
        if reference is None or value is None or row.call is None:
            return None
        reference = _met(mapping, path, reference)
        if value not in reference:
            return None
        try:
            runner = RowRunner(build_row(mapping, row))
            ours = runner.alone(path, lambda wanted: reference_tensor(reference, wanted)).get(value)
        except Exception:  # noqa: BLE001 - what goes wrong is told by `check`
            return None
        theirs = reference_tensor(reference, value)
        if not isinstance(ours, torch.Tensor) or theirs is None or ours.shape != theirs.shape:
            return None
        return scatter_points(theirs, ours)

    def diagnose(self, mapping: Mapping, path: str) -> Sequence[Finding]:
        """Try the usual confusions on the row with Paddle's recorded values."""
        reference, row = self.reference, mapping[path]
        if reference is None or row.call is None:
            return ()
        return diagnose(mapping, row, [reference], rules=self.rules)


def _met(mapping: Mapping, path: str, reference: Reference) -> Reference:
    """Paddle's values as the row met them: in a block, those of the last run that was kept."""
    return (references_of(mapping, path, [reference]) or (reference,))[-1]


def scatter_points(theirs: torch.Tensor, ours: torch.Tensor) -> dict[str, Any] | None:
    """Up to 400 pairs spread over the tensor, the worst one last."""
    if not theirs.numel() or theirs.is_complex():
        return None
    left, right = theirs.detach().flatten().double(), ours.detach().flatten().double()
    finite = torch.isfinite(left) & torch.isfinite(right)
    left, right = left[finite], right[finite]
    if not left.numel():
        return None
    places = torch.linspace(0, left.numel() - 1, min(_POINTS, left.numel())).long()
    places = torch.cat([places, (left - right).abs().argmax()[None]])
    return {"x": left[places].tolist(), "y": right[places].tolist(), "of": int(theirs.numel())}
