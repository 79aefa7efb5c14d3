"""What Paddle computes for a set of inputs: the program as it is, and its widened twin."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.checks.twin.twin import Twin, is_wide, widened_inputs
from workbench.checks.values.block_rows import values_inside
from workbench.conversion.book import RuleBook
from workbench.core.dtypes import is_float
from workbench.core.errors import RuntimeFailedError, WorkbenchError
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference

#: The weights are in Paddle's memory and in ours at the same time.
COPIES = 2
#: So many operators may be kept narrow before the twin is given up.
_MOST = 40


class Recorder:
    """Records Paddle's values of a program, set of inputs by set of inputs.

    `wanted` are values of the outermost block, `inside` those of inner blocks by key. `notes` tell
    why values in float64 could not be had.
    """

    def __init__(
        self,
        program: Program,
        wanted: Sequence[Value],
        inside: Mapping[str, Sequence[Value]],
        runtime: Runtime,
        rules: RuleBook,
    ) -> None:
        self.program, self.runtime, self.rules = program, runtime, rules
        self.wanted, self.inside = wanted, inside
        self.notes: list[str] = []
        self._twin: Twin | None = None
        self._done = is_wide(program)

    def record(self, inputs: Sequence[np.ndarray]) -> Reference:
        """Paddle's values of one set of inputs, with those in float64 as `wide`.

        Raises `RuntimeFailedError` when Paddle does not take the inputs.
        """
        reference = self.runtime.values(self.program, inputs, self.wanted, self.inside)
        if not self._done:
            self._widen(reference, inputs)
        return reference

    def _widen(self, reference: Reference, inputs: Sequence[np.ndarray]) -> None:
        try:
            twin = self._twin or self._new_twin()
            reference.add_wide(twin, self._record_wide(twin, inputs))
        except (WorkbenchError, OSError, ValueError) as error:
            self._done = self._twin is None
            why = getattr(error, "message", str(error)).splitlines()[0][:200]
            told = f"Not judged in float64, but in the program's own dtypes: {why}"
            self.notes += [told] if told not in self.notes else []
        else:
            self._twin = twin

    def _new_twin(self) -> Twin:
        _check_room(self.program)
        return Twin(self.program, self.rules)

    def _record_wide(self, twin: Twin, inputs: Sequence[np.ndarray]) -> Reference:
        """Run the widened program; an operator that cannot run in float64 is kept narrow."""
        wide = widened_inputs(twin.real, inputs)
        for _ in range(_MOST):
            try:
                given = twin.running, wide, self.wanted, self.inside, twin.narrow
                return self.runtime.values(*given)
            except RuntimeFailedError as error:
                culprit = _culprit(error, twin)
                if not culprit or culprit in twin.narrow:
                    raise
                twin.keep_narrow({culprit})
        raise RuntimeFailedError("Too many operators have no float64 kernel.")


def recorder(mapping: RowMapping, runtime: Runtime, rules: RuleBook) -> Recorder:
    """Records what the rows of a mapping read and make, and the outputs."""
    wanted = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    wanted += mapping.program.outputs
    return Recorder(mapping.program, wanted, values_inside(mapping), runtime, rules)


def _check_room(program: Program) -> None:
    """Raise `WorkbenchError` when the weights in float64 fit neither memory nor disk."""
    sizes = [math.prod(one.shape) for one in program.parameters.values() if is_float(one.dtype)]
    needed = 8 * sum(sizes)
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if COPIES * needed > memory or needed > shutil.disk_usage(tempfile.gettempdir()).free:
        raise WorkbenchError(f"the weights take {needed / 1e9:.1f} GB in float64")


def _culprit(error: RuntimeFailedError, twin: Twin) -> str:
    """The operator that stopped the run, by name without dialect; empty when it cannot be told.

    The framework may name it; else it is the first, in order, none of whose float results
    was stored.
    """
    if error.operator:
        return error.operator
    for op in twin.saved:
        made = [value for value in op.outputs.values() if is_float(value.dtype)]
        if made and not op.blocks and not any(value.id in error.stored for value in made):
            return op.name.partition(".")[2]
    return ""
