"""The module as it will run, in the program's own dtypes, row by row beside Paddle.

Whether the rules are right was shown in float64. This shows what only the real dtypes do: a kernel
that overflows, a cast, a NaN. The measure is Paddle's own rounding: how far its values in the real
dtypes are from its values in float64. Ours may be a few times as far; our own deviation excuses
nothing.
"""

from __future__ import annotations

from typing import Any

import torch

from workbench.checks.layers.blame import refused
from workbench.checks.layers.float64 import alone
from workbench.checks.results.checks import Check
from workbench.checks.rounding.judging import worst
from workbench.checks.rounding.known import loose_unit
from workbench.checks.values.closeness import judge, noise_by_group, unit_of
from workbench.checks.values.row_runner import Chain, RowRunner
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value

#: How many times Paddle's own rounding ours may be.
TIMES = 8.0
#: What is told of a row at which rounding decides, such as the order of nearly equal scores.
DECIDED = "rounding decides here: on Paddle's own inputs the layer agrees"
_UNCHECKED = Check("unchecked")


class AsRun:
    """One run of the real module, fed our own values from the first row to the last.

    `wide` are Paddle's values of the same inputs in float64, where they could be had. After the
    run, `chain` holds the check of each row and `alone` those of rows that were run on Paddle's own
    inputs, since the chain differed there.
    """

    def __init__(
        self, mapping: Mapping, runner: RowRunner, paddles: PaddleValues, wide: PaddleValues | None
    ) -> None:
        self.runner, self.paddles, self.wide = runner, paddles, wide
        inputs = [paddles.get(value) for value in mapping.program.inputs]
        self.run: Chain = runner.chain([tensor for tensor in inputs if tensor is not None])
        self.chain: dict[str, Check] = {}
        self.alone: dict[str, Check] = {}
        self.values: dict[Value, Check] = {}
        self.failed = ""

    def step(self, row: Row, at_fault: bool, look_closer: bool) -> None:
        """Run the next row.

        A row that is `at_fault` in float64 is not excused, and the chain goes on with what it made;
        with `look_closer` the row runs on Paddle's own inputs too, whatever the chain shows.
        """
        if row.path not in self.runner.rows or self.run.failed:
            return
        try:
            made = self.run.step(row.path, None if row.is_comparable else self._paddles)
        except Exception as error:  # noqa: BLE001 - a row that cannot run is a finding
            self._stopped(row, error)
            return
        if not row.is_comparable or row.is_parameter:
            return
        checks = {value: self._check(value, made.get(value)) for value in row.values}
        if at_fault or self.failed:
            self.failed = self.failed or row.path
        elif look_closer or any(check.failed for check in checks.values()):
            checks = self._closer(row, checks)
        self.values |= checks
        self.chain[row.path] = worst(checks.values())

    def _paddles(self, value: Value, ours: Any) -> Any:
        theirs = self.paddles.get(value)
        return ours if theirs is None else theirs

    def _stopped(self, row: Row, error: Exception) -> None:
        """A row that cannot run: the chain ends, unless it runs on Paddle's own inputs."""
        own = worst(self._alone(row).values())
        self.alone[row.path] = own
        if own.failed or own.verdict == "unchecked":
            self.run.failed = row.path
            self.chain[row.path] = refused(row, self.paddles, error)
            return
        self.run.put(row.path, self.paddles.get)
        self.chain[row.path] = Check("unchecked", problem=DECIDED)

    def _check(self, value: Value, ours: Any) -> Check:
        return self.judged(value, ours, self.paddles.beside(value, ours))

    def judged(self, value: Value, ours: Any, theirs: torch.Tensor | None) -> Check:
        """A value of ours against Paddle's, by Paddle's own rounding of it."""
        if theirs is None or not isinstance(ours, torch.Tensor):
            return _UNCHECKED
        if not (theirs.is_floating_point() or theirs.is_complex()):
            return judge(ours, theirs, 0.0)
        known = self.paddles.known(value, theirs)
        return judge(ours, theirs, unit_of(theirs.dtype), lambda: self._noise(value), known)

    def _noise(self, value: Value) -> torch.Tensor | float:
        """What Paddle's own rounding allows each element; 0 where it is not known."""
        theirs, exact = self.paddles.get(value), self._exact(value)
        if theirs is None or exact is None or self.wide is None:
            return 0.0
        groups = self.wide.known(value, exact).groups(exact)
        return TIMES * noise_by_group(theirs, exact, groups)

    def _exact(self, value: Value) -> torch.Tensor | None:
        """Paddle's value in float64, where it has the shape of the real one."""
        theirs = self.paddles.get(value)
        exact = self.wide.get(value) if self.wide is not None else None
        if theirs is None or exact is None or exact.shape != theirs.shape:
            return None
        return exact if exact.is_floating_point() else None

    def _closer(self, row: Row, checks: dict[Value, Check]) -> dict[Value, Check]:
        """The row on Paddle's own inputs; where it agrees there, rounding before it decides."""
        own = self._alone(row)
        self.alone[row.path] = worst(own.values())
        if self.alone[row.path].failed:
            self.failed = row.path
            return checks
        if any(check.failed for check in checks.values()):
            self.run.put(row.path, self.paddles.get)
        return {
            value: Check("unchecked", check.error, problem=DECIDED) if check.failed else check
            for value, check in checks.items()
        }

    def _alone(self, row: Row) -> dict[Value, Check]:
        least = loose_unit(row, self.paddles) or 0.0
        return alone(self.runner, row, self.paddles, least, self._noise)
