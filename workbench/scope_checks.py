"""Checks of whole scopes (an encoder block, a neck): fed Paddle's inputs, and in the chain.

Between the layer and the whole model stands the module. A scope is run on the values that Paddle
gave it from outside, its own layers one after the other, and what leaves it is compared. Its
tolerance comes from a second run with the rounding errors of its layers added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import fx

from workbench.judging import compare, first_line, worst
from workbench.mapping import Mapping, Row
from workbench.paddle_side.reference import Reference
from workbench.program import ARRAY, Value
from workbench.row_runner import RowRunner
from workbench.verification import Check, LayerCheck, Run
from workbench.verify import reference_tensor, shake, untouched


def check_scopes(
    mapping: Mapping, module: fx.GraphModule, references: Sequence[Reference], runs: Sequence[Run]
) -> tuple[LayerCheck, ...]:
    """The worst check of each scope over all runs, outer scopes first.

    `runs` are the checks of the layers on the same references. A check's path is the scope's path
    of classes, its target the number of layers.
    """
    runner = RowRunner(module)
    found = []
    with untouched(module):
        for path, rows in scopes_of(mapping).items():
            outputs = _leaving(mapping, rows)
            checks = [
                _Scope(mapping, runner, reference, run).check(rows, outputs)
                for reference, run in zip(references, runs, strict=True)
            ]
            alone = worst(check for check, _ in checks)
            chain = worst(check for _, check in checks)
            main = outputs[0] if outputs else None
            shape, dtype = (main.shape, main.dtype) if main else ((), "")
            ops = tuple(dict.fromkeys(name for row in rows for name in row.ops))
            told = f"{len(rows)} layers"
            found.append(LayerCheck(path, ops, told, shape, dtype, alone, chain))
    return tuple(found)


def scopes_of(mapping: Mapping) -> dict[str, list[Row]]:
    """The rows of each scope that holds more than one and less than all, outer scopes first.

    Of nested scopes with the same rows only the innermost is kept.
    """
    found: dict[str, list[Row]] = {}
    for row in mapping.rows:
        steps = [step for step in row.scope.split("/") if step]
        for depth in range(1, len(steps) + 1):
            found.setdefault("/" + "/".join(steps[:depth]) + "/", []).append(row)
    made = [row for row in mapping.rows if not row.is_parameter]
    kept = {tuple(row.path for row in rows): path for path, rows in found.items()}
    return {
        path: found[path]
        for rows, path in sorted(kept.items(), key=lambda pair: pair[1].count("/"))
        if 1 < len(rows) < len(made)
    }


def _leaving(mapping: Mapping, rows: Sequence[Row]) -> list[Value]:
    """The values that a scope makes and others read."""
    inside = {row.path for row in rows}
    read = set(mapping.program.outputs)
    for row in mapping.rows:
        if row.path not in inside:
            read.update(row.reads)
    return [value for row in rows for value in row.values if value in read]


class _Scope:
    """One scope on one set of inputs."""

    def __init__(self, mapping: Mapping, runner: RowRunner, reference: Reference, run: Run) -> None:
        self.mapping, self.runner, self.reference = mapping, runner, reference
        self.layers = {layer.path: layer for layer in run.layers}

    def check(self, rows: Sequence[Row], outputs: Sequence[Value]) -> tuple[Check, Check]:
        """The scope alone, and the worst of its outputs in the chain."""
        makers = [self.layers[r.path].chain for r in rows if set(r.values) & set(outputs)]
        chain = worst(makers)
        if any(not row.is_comparable or any(v.dtype == ARRAY for v in row.reads) for row in rows):
            return Check("unchecked"), chain
        try:
            made = self._run(rows, outputs, shaken=False)
        except Exception as error:  # noqa: BLE001 - a scope that cannot run is a finding
            return Check("wrong", problem=first_line(error)), chain
        try:
            moved = self._run(rows, outputs, shaken=True)
        except Exception:  # noqa: BLE001 - a decision flipped into what cannot run
            moved = {}
        alone = worst(compare(made.get(v), self._paddles(v), moved.get(v)) for v in outputs)
        return alone, chain

    def _run(self, rows: Sequence[Row], outputs: Sequence[Value], shaken: bool) -> dict[Value, Any]:
        own: dict[Value, Any] = {}

        def get(value: Value) -> torch.Tensor | None:
            return own[value] if value in own else self._paddles(value)

        for row, done in self._order(rows, outputs):
            made = self.runner.alone(row.path, get)
            change = shake(self.layers[row.path].alone) if shaken else None
            own |= {v: change(v, made[v]) if change else made[v] for v in row.values if v in made}
            for value in done:
                own.pop(value, None)
        return own

    def _order(
        self, rows: Sequence[Row], outputs: Sequence[Value]
    ) -> Iterator[tuple[Row, list[Value]]]:
        """Each row with the values that are not needed after it."""
        last = {value: row.path for row in rows for value in row.reads}
        for row in rows:
            yield row, [v for v in row.reads if last[v] == row.path and v not in outputs]

    def _paddles(self, value: Value) -> torch.Tensor | None:
        if value.parameter in self.mapping.program.parameters:
            return None
        return reference_tensor(self.reference, value)
