"""The layers in the chain: fed our own values, and what rounding before them may explain.

Rounding errors of many layers add up like a random walk as long as no layer enlarges them. Where a
value is further away, a second run of the chain adds to every layer a random error as large as was
measured there, and shows how far the rest moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as Map
from typing import Any

import torch

from workbench.accumulation import NAN_TOLD
from workbench.alone import refused
from workbench.judging import compare, compare_again, decides, excused, resized
from workbench.mapping import Mapping, Row
from workbench.paddle_values import PaddleValues
from workbench.program import Value
from workbench.row_runner import Chain, RowRunner
from workbench.shaking import rounding, shake
from workbench.verification import Check

#: Checks in the chain, by row and value.
Chains = dict[str, dict[Value, Check]]

_UNCHECKED = Check("unchecked")


class ChainChecks:
    """Every row fed our own values; beside a run with random errors from where these are needed.

    `alone` holds the checks of the rows alone; a row's must be there before its `step`. With `draw`
    other random errors are drawn, and the second run is there from the start. `found` are the
    checks, `results` our values of the program's outputs.
    """

    def __init__(
        self,
        mapping: Mapping,
        runner: RowRunner,
        paddles: PaddleValues,
        alone: Map[str, Check],
        draw: int = 0,
    ) -> None:
        self.runner, self.paddles, self.alone, self.draw = runner, paddles, alone, draw
        self.feeds = mapping.program.inputs
        self.chain = runner.chain(self.inputs)
        self.shaken: Chain | None = runner.chain(self.inputs) if draw else None
        self.wanted = set(mapping.program.outputs)
        self.done: list[Row] = []
        self.walk: dict[Value, float] = {}
        self.scales = {value: self._scale(value) for value in self.feeds}
        self.excuse = ""
        self.found: Chains = {}
        self.results: dict[Value, Any] = {}

    @property
    def inputs(self) -> list[torch.Tensor]:
        """The model's inputs; as they were, should a layer have written into them."""
        given = [self.paddles.get(value) for value in self.feeds]
        return [tensor for tensor in given if tensor is not None]

    def step(self, row: Row) -> None:
        """Run the next row, after its check alone."""
        if row.path not in self.runner.rows:
            return
        made, checks = self._checks(row)
        self.done.append(row)
        self.found[row.path] = checks
        self.results.update({value: made[value] for value in made if value in self.wanted})

    def _checks(self, row: Row) -> tuple[dict[Value, Any], dict[Value, Check]]:
        """The row fed our own values; after a random one the chain goes on with Paddle's."""
        if self.chain.failed:
            return {}, dict.fromkeys(row.values, _UNCHECKED)
        try:
            made = self.chain.step(row.path, None if row.is_comparable else self._paddles)
        except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
            self.chain.failed = row.path
            return {}, dict.fromkeys(row.values, refused(row, self.paddles, error))
        moved = self._shaken(row) if self.shaken else {}
        self._grow(row, made)
        if not row.is_comparable or row.is_parameter:
            return made, {}
        checks = {value: self._plain(value, made.get(value)) for value in row.values}
        if not self.shaken and any(check.failed for check in checks.values()):
            moved = self._caught_up(row)
        if self.shaken:
            checks = {v: self._again(c, made.get(v), moved.get(v)) for v, c in checks.items()}
        alone = self.alone[row.path]
        if not self.excuse and not alone.failed:
            self.excuse = _excuse(row, alone, checks, made, moved)
        if not self.excuse or alone.failed:
            return made, checks
        return made, {value: excused(check, self.excuse) for value, check in checks.items()}

    def _plain(self, value: Value, ours: Any) -> Check:
        """Judged by what rounding errors add up to that no layer enlarges."""
        theirs = self.paddles.beside(value, ours)
        return compare(ours, theirs, None, self.walk[value], self.paddles.size(value))

    def _again(self, check: Check, ours: Any, moved: Any) -> Check:
        """Judged by the run with random errors too."""
        if check.error is None:
            return check
        return compare_again(check.error, ours, moved, check.noise)

    def _grow(self, row: Row, made: Map[Value, Any]) -> None:
        """How far rounding takes each value of a row as long as no layer enlarges errors.

        Relative errors are passed on, those of an operand as far as it is as large as the others.
        """
        reads = [value for value in row.reads if value in self.scales]
        largest = max((self.scales[value] for value in reads), default=0.0)
        error = max((self.walk.get(value, 0.0) for value in reads), default=0.0)
        relative = error / largest if largest else 0.0
        alone = self.alone[row.path]
        for value in row.values:
            scale, own = self._scale(value), rounding(alone)
            ours = made.get(value)
            if alone.verdict != "exact" and isinstance(ours, torch.Tensor):
                own = max(own, _epsilon(ours) * scale)
            self.scales[value], self.walk[value] = scale, math.hypot(relative * scale, own)

    def _scale(self, value: Value) -> float:
        """The largest magnitude of Paddle's value; 0 where it is not finite or not known."""
        size = self.paddles.size(value)
        return size.scale if size is not None and size.finite else 0.0

    def _caught_up(self, row: Row) -> dict[Value, Any]:
        """Start the run with random errors, up to this row."""
        self.shaken = self.runner.chain(self.inputs)
        for earlier in self.done:
            self._shaken(earlier)
        return self._shaken(row)

    def _shaken(self, row: Row) -> dict[Value, Any]:
        shaken = self.shaken
        if shaken is None or shaken.failed:
            return {}
        alone = self.alone[row.path]
        try:
            change = shake(alone, self.draw) if row.is_comparable else self._paddles
            return shaken.step(row.path, change)
        except Exception:  # noqa: BLE001 - a decision flipped into what cannot run
            shaken.failed = row.path
            return {}

    def _paddles(self, value: Value, ours: Any) -> Any:
        theirs = self.paddles.get(value)
        return ours if theirs is None else theirs


def _epsilon(tensor: torch.Tensor) -> float:
    floating = tensor.is_floating_point() or tensor.is_complex()
    return torch.finfo(tensor.dtype).eps if floating else 0.0


def _excuse(
    row: Row,
    alone: Check,
    checks: dict[Value, Check],
    made: dict[Value, Any],
    moved: dict[Value, Any],
) -> str:
    """Why this row and what follows may differ although no layer is at fault."""
    failed = [value for value, check in checks.items() if check.failed]
    if not failed:
        return ""
    if decides(row.ops):
        return f"a decision in {row.path} flipped"
    if alone.problem in NAN_TOLD:
        return f"Paddle's NaN became a number in {row.path}, or a number NaN"
    if any(resized(made.get(value), moved.get(value)) for value in failed):
        return f"rounding alone changes the shape of {row.path}"
    return ""


def widest(one: dict[Value, Check], other: dict[Value, Check]) -> dict[Value, Check]:
    """For each value the check that rounding explains, else that of the wider tolerance."""
    return {
        value: max(check, other.get(value, check), key=lambda c: (not c.failed, c.tolerance))
        for value, check in one.items()
    }
