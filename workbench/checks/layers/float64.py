"""Every row in float64 against Paddle in float64, which shows whether its rule is right.

The twin's rows run one after another, fed our own values. As long as these agree with Paddle's, a
row is checked alone and in the chain at once. Where a row differs it runs again on Paddle's own
inputs, which tells whether it is at fault itself; then the chain goes on with Paddle's values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from workbench.checks.layers.blame import refused
from workbench.checks.results.checks import Check
from workbench.checks.rounding.judging import first_line, worst
from workbench.checks.rounding.known import loose_shift, loose_unit
from workbench.checks.rounding.sensitivity import moved_by_rounding
from workbench.checks.rounding.ties import TIES, only_ties
from workbench.checks.twin.wide_model import WideValues
from workbench.checks.values.closeness import EXACT, judge, unit_of
from workbench.checks.values.row_runner import Chain, NotRecordedError, RowRunner
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.core.values import ARRAY, Value

_UNCHECKED = Check("unchecked")
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(slots=True)
class RuleChecks:
    """What a run in float64 showed: a check for each row and for each value that was compared.

    `unable` tells of rows that do not run in float64, or whose values Paddle did not compute in
    it: what they are worth is for the program's own dtypes to say. `coarse` are rows that agree to
    float32's precision only, since Paddle computes partly in it or since they have another form in
    float64.
    """

    rows: dict[str, Check] = field(default_factory=dict)
    values: dict[Value, Check] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)
    coarse: dict[str, str] = field(default_factory=dict)


def check_rules(
    mapping: RowMapping,
    runner: RowRunner,
    paddles: WideValues,
    loose: Mapping[str, str],
    progress: Progress = lambda items, _: items,
) -> RuleChecks:
    """Run the rows of the outermost block on one set of inputs.

    `mapping` and `runner` are those of the twin, `paddles` Paddle's values of it; `loose` are rows
    whose form in float64 is not the one that will run.
    """
    return _Run(mapping, runner, paddles, loose).run(progress)


class _Run:
    def __init__(
        self,
        mapping: RowMapping,
        runner: RowRunner,
        paddles: WideValues,
        loose: Mapping[str, str],
    ) -> None:
        self.mapping, self.runner, self.paddles, self.loose = mapping, runner, paddles, loose
        self.found = RuleChecks()
        inputs = [paddles.get(value) for value in mapping.program.inputs]
        self.chain: Chain = runner.chain([tensor for tensor in inputs if tensor is not None])

    def run(self, progress: Progress) -> RuleChecks:
        for row in progress(self.mapping.rows, "checking the rules"):
            if row.path in self.runner.rows:
                self._step(row)
        return self.found

    def _step(self, row: Row) -> None:
        if not row.is_comparable:
            self._uncompared(row)
            return
        try:
            made = self.chain.step(row.path)
        except Exception as error:  # noqa: BLE001 - a row that cannot run is a finding
            self._cannot(row, error)
            return
        checks = {value: self._check(row, value, made.get(value)) for value in row.values}
        coarse = self._coarse(row)
        if any(check.failed for check in checks.values()):
            checks = self._alone(row, checks)
        elif coarse:
            self._go_on(row)
        self.found.values |= checks
        check = worst(checks.values())
        exact = check.error is not None and check.error.relative <= EXACT
        if coarse and not exact:
            self.found.coarse[row.path] = coarse
        if check.failed and row.path in self.loose:
            self.found.unable[row.path] = self.loose[row.path]
        if check.verdict != "unchecked" and any(map(self.paddles.is_narrow, row.values)):
            self.found.unable[row.path] = "Paddle has no float64 kernel for it"
        self.found.rows[row.path] = check

    def _coarse(self, row: Row) -> str:
        """Why a row is compared to float32's precision only; empty where it is not."""
        if row.path in self.loose:
            return self.loose[row.path]
        inside = loose_unit(row, self.paddles) is not None
        return "Paddle computes partly in float32 here" if inside else ""

    def _uncompared(self, row: Row) -> None:
        """A random row, or one that Paddle computes by mistake: the chain takes Paddle's values."""
        try:
            self.chain.step(row.path, self._paddles)
        except Exception as error:  # noqa: BLE001 - a row that cannot run is a finding
            self._cannot(row, error)
        else:
            self.found.rows[row.path] = _UNCHECKED

    def _paddles(self, value: Value, ours: Any) -> Any:
        theirs = self.paddles.get(value)
        return ours if theirs is None else theirs

    def _check(self, row: Row, value: Value, ours: Any) -> Check:
        theirs = self.paddles.get(value)
        if theirs is None or not isinstance(ours, torch.Tensor):
            return _UNCHECKED
        unit = max(self._least(row), self.paddles.unit(value))
        known = self.paddles.known(value, theirs)
        return judge(ours, theirs, unit, lambda: loose_shift(row, self.paddles), known)

    def _least(self, row: Row) -> float:
        """The relative error that every value of a row may have."""
        looser = loose_unit(row, self.paddles) or 0.0
        return max(looser, unit_of(torch.float32)) if row.path in self.loose else looser

    def _alone(self, row: Row, chain: dict[Value, Check]) -> dict[Value, Check]:
        """The row on Paddle's own inputs; then the chain goes on with Paddle's values."""
        if any(value.dtype == ARRAY for value in row.reads):
            self._go_on(row)
            return self._of_array(row, chain)
        checks = alone(self.runner, row, self.paddles, self._least(row))
        self._go_on(row)
        return checks

    def _of_array(self, row: Row, chain: dict[Value, Check]) -> dict[Value, Check]:
        """A row that reads a tensor array, whose elements cannot be had: a loop that wrote them is
        at fault, if there is one.
        """
        arrays = set(_arrays(row))
        for writer in reversed(self.mapping.rows[: self.mapping.rows.index(row)]):
            if not arrays & set(_arrays(writer)):
                continue
            arrays |= set(_arrays(writer))
            known = self.found.rows.get(writer.path, _UNCHECKED)
            if not writer.blocks and not known.failed:
                continue
            if known.verdict == "unchecked":
                told = f"what it writes into an array differs where {row.path} reads it"
                failed = worst(chain.values())
                self.found.rows[writer.path] = replace(failed, problem=told)
            told = f"it reads an array that {writer.path} writes"
            return {value: Check("unchecked", c.error, problem=told) for value, c in chain.items()}
        return chain

    def _go_on(self, row: Row) -> None:
        self.chain.put(row.path, self.paddles.get)

    def _cannot(self, row: Row, error: Exception) -> None:
        """A row that does not run in float64, or on values that an earlier one left as lists."""
        self.found.rows[row.path] = refused(row, self.paddles, error)
        self.found.unable[row.path] = f"it does not run in float64 ({first_line(error)})"
        self._go_on(row)


def _arrays(row: Row) -> tuple[Value, ...]:
    """The tensor arrays that a row reads or makes."""
    return tuple(value for value in (*row.reads, *row.values) if value.dtype == ARRAY)


def alone(
    runner: RowRunner,
    row: Row,
    paddles: PaddleValues,
    least: float = 0.0,
    extra: Callable[[Value], torch.Tensor | float] = lambda value: 0.0,
) -> dict[Value, Check]:
    """A row on Paddle's own inputs, each value judged.

    Where it would fail else, the rounding of its own terms is allowed, and equal numbers in another
    order. Every value may be off by the relative error `least`; `extra` gives what else each
    element of a value may be off.
    """
    try:
        made = runner.alone(row.path, paddles.get)
    except NotRecordedError:
        return dict.fromkeys(row.values, _UNCHECKED)
    except Exception as error:  # noqa: BLE001 - a row that cannot run is a finding
        return dict.fromkeys(row.values, refused(row, paddles, error))

    def judged(value: Value, more: torch.Tensor | float = 0.0) -> Check:
        theirs = paddles.beside(value, made.get(value))
        if theirs is None:
            return _UNCHECKED
        unit = max(least, paddles.unit(value))
        shift = loose_shift(row, paddles) if unit > EXACT else 0.0
        return judge(made.get(value), theirs, unit, lambda: extra(value) + more + shift)

    checks = {value: judged(value) for value in row.values}
    failed = [value for value, check in checks.items() if check.failed]
    if failed and all(checks[value].error is not None for value in failed):
        moved = moved_by_rounding(runner, row, paddles, made)
        checks |= {value: judged(value, moved.get(value, 0.0)) for value in failed}
        failed = [value for value in failed if checks[value].failed]
    if failed and only_ties(row, paddles.get, made):
        told = {v: Check("unchecked", checks[v].error, problem=TIES) for v in failed}
        return checks | told
    return checks
