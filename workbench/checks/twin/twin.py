"""The widened twin: the same program in float64, converted by the same rules and edits.

Paddle's CPU kernels run in float64 too. A rule that is right then agrees with Paddle to about
1e-15, so that an error which float32 rounding hides stands far above the noise. The numbers of the
program stay what they are; only the dtypes in which both sides compute are wider.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checks.twin.calls import numbers_in, same_call, widened_call
from workbench.conversion.apply import make_mapping
from workbench.conversion.book import RuleBook
from workbench.core.dtypes import WIDER
from workbench.core.mapping import Mapping, Row
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.registry import source_of


class Twin:
    """A program in float64, in a folder of its own, and what the rules make of it.

    `narrow` names the operators that Paddle has no float64 kernel for; they run in their own
    dtypes, between casts. Raises `WorkbenchError` or `OSError` when the program cannot be widened.
    """

    def __init__(self, program: Program, rules: RuleBook) -> None:
        self.real, self.rules = program, rules
        self.narrow: set[str] = set()
        self.model: Any = None  # kept by `wide_model`
        self._temporary = tempfile.TemporaryDirectory(prefix="workbench-")
        self.folder = Path(self._temporary.name)
        self._source = source_of(program)
        self._file: Path | None = None
        self.program = self._read(self._source.widened(program, self.folder))

    def _read(self, made: Program) -> Program:
        """The widened program as its passes leave it."""
        self.saved = made.ops
        made = replace(made, structured_names=self.real.structured_names)
        if self.real.fetched:
            values = {value.id: value for value in (*values_of_program(made), *made.outputs)}
            fetched = tuple(values[identity] for identity in self.real.fetched)
            made = made.with_block(replace(made.block, results=fetched))
        return self._source.prepare(made)

    @property
    def running(self) -> Program:
        """The program as its framework runs it: narrow operators declare their own dtypes."""
        return replace(self.program, source=self._file or self.program.source)

    def keep_narrow(self, names: Collection[str]) -> None:
        """Let further operators, by name without dialect, run in their own dtypes."""
        self.narrow |= set(names)
        self._file = self._source.running(self.real, self.folder, self.narrow)

    @cached_property
    def _made(self) -> dict[str, Row]:
        """What the rules make of the widened program, by place."""
        return {place_of(row): row for row in make_mapping(self.program, self.rules).walk()}

    @cached_property
    def _made_real(self) -> dict[str, Row]:
        """What the rules make of the program itself, by place."""
        return {place_of(row): row for row in make_mapping(self.real, self.rules).walk()}

    @cached_property
    def values(self) -> dict[int, Value]:
        """The values of the widened program, by number."""
        return {value.id: value for value in values_of_program(self.program)}

    def mapping(self, mapping: Mapping) -> tuple[Mapping, dict[str, str]]:
        """The mapping of the widened program; and why rows of it are not those of the real one.

        Of a row that is as its rule makes it the rule's own row for float64 is taken; any other
        (edited, replaced, rewritten) is widened as it stands.
        """
        loose: dict[str, str] = {}
        rows = tuple(self._row(row, loose) for row in mapping.rows)
        return Mapping(self.program, rows), loose

    def row(self, row: Row, loose: dict[str, str]) -> Row:
        """One row in float64; it need not be in a mapping. `loose` is told as in `mapping`."""
        return self._row(row, loose)

    def stored_rows(self) -> tuple[Row, ...]:
        """The rows of stored tensors that the rules make."""
        return tuple(row for row in self._made.values() if row.is_parameter)

    def _row(self, row: Row, loose: dict[str, str]) -> Row:
        blocks = tuple(
            replace(
                block,
                rows=tuple(self._row(inner, loose) for inner in block.rows),
                arguments=tuple(self._value(value) for value in block.arguments),
                captures=tuple(self._value(value) for value in block.captures),
            )
            for block in row.blocks
        )
        place = place_of(row)
        made, real = self._made.get(place), self._made_real.get(place)
        if made is not None and real is not None and row.call == real.call:
            if same_call(row.call, made.call) and row.outputs == made.outputs:
                return replace(made, path=row.path, blocks=blocks)
            loose[row.path] = f"its rule makes {made.target or 'another call'} of it in float64"
        return replace(
            row,
            call=widened_call(row, self._value, [*numbers_in(made), *self._settings(row)]),
            outputs=tuple((self._value(value), where) for value, where in row.outputs),
            blocks=blocks,
        )

    def _value(self, value: Value) -> Value:
        return self.values.get(value.id, value)

    def _settings(self, row: Row) -> Iterator[float]:
        """The real numbers among the settings of a row's operators, as the file holds them, and one
        over each: a rewrite may multiply where the program divides.
        """
        for op in (row.op, *row.op.merged) if row.op else ():
            found: list[object] = []
            for setting in op.attributes.values():
                found += setting if isinstance(setting, tuple) else [setting]
            for operand in op.operands:
                known = self.program.known.get(operand.id)
                found += known.items if known is not None else ()
            for item in found:
                if isinstance(item, float):
                    yield item
                    if item:
                        yield 1 / item


def place_of(row: Row) -> str:
    """Where the row's operator stands in the program; the parameter's name of a stored tensor."""
    return row.op.index if row.op else next((v.parameter for v in row.values), row.path)


def is_wide(program: Program) -> bool:
    """True when nothing in the program is narrower than float64."""
    return not any(value.dtype in WIDER for value in values_of_program(program))


def values_of_program(program: Program) -> Iterator[Value]:
    """Every value of a program, those inside blocks too."""
    yield from program.inputs
    for op in program.walk():
        yield from op.operands
        yield from op.outputs.values()
        for block in op.blocks:
            yield from block.arguments


def widened_inputs(program: Program, inputs: Collection[np.ndarray]) -> list[np.ndarray]:
    """The inputs in the dtypes of the twin; bfloat16 is held as its bits."""
    made = []
    for value, array in zip(program.inputs, inputs, strict=True):
        if value.dtype == "bfloat16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        made.append(array.astype(WIDER[value.dtype]) if value.dtype in WIDER else array)
    return made
