"""Checks of whole scopes (an encoder block, a neck): fed Paddle's inputs, and in the chain.

Between the layer and the whole model stands the module. What leaves a scope was compared in the
chain already; alone, a scope is run on the values that Paddle gave it from outside, its own layers
one after the other, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from workbench.checks.results.checks import Check, LayerCheck, Run
from workbench.checks.rounding.judging import first_line, worst
from workbench.checks.rounding.known import loose_unit
from workbench.checks.twin.wide_model import WideModel, WideValues, wide_model
from workbench.checks.values.closeness import judge
from workbench.checks.values.row_runner import RowRunner, untouched
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Mapping, Row
from workbench.core.scope_tree import scope_tree, scopes_in
from workbench.core.values import ARRAY, Value
from workbench.sources.reference import Reference

_UNCHECKED = Check("unchecked")
#: A scope may be off by so many times what one layer may.
TIMES = 10.0


def scopes_in_chain(mapping: Mapping, runs: Sequence[Run]) -> tuple[LayerCheck, ...]:
    """Each scope by what leaves it in the chain, outer scopes first; nothing is run.

    `runs` are the checks of the layers. A check's path is that of the scope, its target the number
    of layers.
    """
    layers = [{layer.path: layer for layer in run.layers} for run in runs]
    found = []
    for path, rows in scopes_of(mapping).items():
        outputs = set(_leaving(mapping, rows))
        makers = [row for row in rows if set(row.values) & outputs]
        chain = worst(run[row.path].chain for run in layers for row in makers)
        ops = tuple(dict.fromkeys(name for row in rows for name in row.ops))
        main = makers[-1].values[0] if makers else None
        shape, dtype = (main.shape, main.dtype) if main else ((), "")
        found.append(LayerCheck(path, ops, f"{len(rows)} layers", shape, dtype, _UNCHECKED, chain))
    return tuple(found)


def check_scopes(
    mapping: Mapping, module: fx.GraphModule, references: Sequence[Reference], runs: Sequence[Run]
) -> tuple[LayerCheck, ...]:
    """`scopes_in_chain`, with the worst check of each scope alone over all runs."""
    runner = RowRunner(module)
    changed = any(layer.changed for run in runs for layer in run.layers)
    wide = None if changed else wide_model(mapping, references)
    inside = scopes_of(mapping)
    found = []
    with untouched(module):
        scopes = [_Scopes(mapping, runner, reference, wide) for reference in references]
        for check in scopes_in_chain(mapping, runs):
            rows = inside[check.path]
            outputs = _leaving(mapping, rows)
            paths = [row.path for row in rows]
            alone = worst(scope.alone(paths, outputs) for scope in scopes)
            found.append(replace(check, alone=alone))
    return tuple(found)


def scopes_of(mapping: Mapping) -> dict[str, list[Row]]:
    """The rows of each scope that holds more than one and less than all, outer scopes first.

    Of nested scopes with the same rows only the innermost is kept.
    """
    outside = {id(row) for row in mapping.rows if not row.is_parameter}
    kept: dict[tuple[str, ...], tuple[str, list[Row]]] = {}
    for scope in sorted(scopes_in(scope_tree(mapping)), key=lambda scope: scope.depth):
        rows = [row for row in scope.rows if id(row) in outside]
        if 1 < len(rows) < len(outside):
            kept[tuple(row.path for row in rows)] = (scope.path, rows)
    return dict(kept.values())


def _leaving(mapping: Mapping, rows: Sequence[Row]) -> list[Value]:
    """The values that a scope makes and others read."""
    inside = {row.path for row in rows}
    read = set(mapping.program.outputs)
    for row in mapping.rows:
        if row.path not in inside:
            read.update(row.reads)
    return [value for row in rows for value in row.values if value in read]


class _Scopes:
    """Scopes alone on one set of inputs: in float64 where Paddle's values are known so."""

    def __init__(
        self, mapping: Mapping, runner: RowRunner, reference: Reference, wide: WideModel | None
    ) -> None:
        self.mapping, self.runner = mapping, runner
        self.paddles = PaddleValues(mapping.program, reference)
        if wide is not None and wide.runner is not None and reference.wide is not None:
            self.mapping, self.runner = wide.mapping, wide.runner
            self.paddles = WideValues(wide.mapping.program, reference.wide)

    def alone(self, paths: Sequence[str], outputs: Sequence[Value]) -> Check:
        """The worst of what leaves a scope that is fed Paddle's values."""
        rows = [self.mapping[path] for path in paths]
        if any(not row.is_comparable or any(v.dtype == ARRAY for v in row.reads) for row in rows):
            return _UNCHECKED
        try:
            return self._run(rows, outputs)
        except Exception as error:  # noqa: BLE001 - a scope that cannot run is a finding
            return Check("wrong", problem=first_line(error))

    def _run(self, rows: Sequence[Row], outputs: Sequence[Value]) -> Check:
        """Run the rows on what those before them made; a layer may round more than float64 does."""
        own: dict[Value, Any] = {}

        def get(value: Value) -> torch.Tensor | None:
            return own[value] if value in own else self.paddles.get(value)

        last = {value: row.path for row in rows for value in row.reads}
        checks, coarse = [], 0.0
        for row in rows:
            made = self.runner.alone(row.path, get)
            coarse = max(coarse, TIMES * (loose_unit(row, self.paddles) or 0.0))
            own |= {value: made[value] for value in row.values if value in made}
            checks += [self._check(v, own[v], coarse) for v in row.values if v in set(outputs)]
            for value in row.reads:
                if last[value] == row.path and value not in outputs:
                    own.pop(value, None)
        return worst(checks)

    def _check(self, value: Value, ours: Any, coarse: float) -> Check:
        theirs = self.paddles.beside(value, ours)
        if theirs is None:
            return _UNCHECKED
        return judge(ours, theirs, max(coarse, TIMES * self.paddles.unit(value)))
