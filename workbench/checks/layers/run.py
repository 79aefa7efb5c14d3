"""The checks of one set of inputs: the rules in float64, the module as it runs, the outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import torch
from torch import fx

from workbench.checks.layers.as_run import AsRun
from workbench.checks.layers.float64 import RuleChecks, alone, check_rules
from workbench.checks.results.checks import Check, LayerCheck, OutputCheck, Run
from workbench.checks.rounding.judging import first_line, health_of, worst
from workbench.checks.rounding.known import loose_unit
from workbench.checks.twin.wide_model import WideModel, WideValues
from workbench.checks.values.block_rows import (
    block_key,
    block_module,
    blocks_inside,
    loop_numbers,
    met_inside,
)
from workbench.checks.values.closeness import judge
from workbench.checks.values.fixed import fixed_values
from workbench.checks.values.integrity import Integrity
from workbench.checks.values.row_runner import RowRunner, quiet
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Mapping, Row, walk_rows
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build_row
from workbench.targets.pytorch.weights import as_tensor

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

_UNCHECKED = Check("unchecked")


class RunChecks:
    """Checks of one set of inputs."""

    def __init__(
        self,
        mapping: Mapping,
        runner: RowRunner,
        reference: Reference,
        integrity: Integrity | None = None,
        wide: WideModel | None = None,
    ) -> None:
        self.mapping, self.runner, self.reference = mapping, runner, reference
        self.integrity = integrity or Integrity()
        self.numbers = loop_numbers(mapping)
        self.paddles = PaddleValues(mapping.program, reference, self.numbers)
        self.wide = wide if wide is not None and wide.runner and reference.wide else None
        self.wides = self._wide_values(reference.wide) if self.wide else None
        self.rules = RuleChecks()
        self.checked: dict[str, Check] = {}
        self.fixed = fixed_values(mapping)
        self.makers = {value: row for row in mapping.rows for value in row.values}
        self.met = {
            row.path: met_inside(mapping.program, reference, key, block)
            for key, _, _, block in blocks_inside(mapping.rows)
            for row in block.rows
        }
        self.coarse: dict[str, str] = {}
        self.recompiled = True
        self.seen: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def _wide_values(self, reference: Reference | None) -> WideValues:
        assert self.wide is not None
        assert reference is not None
        return WideValues(self.wide.mapping.program, reference, self.numbers)

    def check(self, progress: Progress, only: Collection[str] | None = None) -> Run:
        """Every row, then the outputs; with `only`, just these rows alone."""
        if only is not None:
            return self._only(only)
        rows = list(self.mapping.rows)
        if self.wide is not None and self.wide.runner is not None:
            given = self.wide.mapping, self.wide.runner, self._values(), self.wide.loose
            self.rules = check_rules(*given, progress)
        real = AsRun(self.mapping, self.runner, self.paddles, self.wides)
        for row in progress(rows, "running the module"):
            self._row(row, real)
        layers: list[LayerCheck] = []
        for row in rows:
            layers.append(self._layer(row, real.chain.get(row.path, _UNCHECKED)))
            if row.blocks:
                self._check_blocks(row)
            inner = [inner for block in row.blocks for inner in walk_rows(block.rows)]
            layers += [self._layer(row, _UNCHECKED) for row in inner]
        ends = self._outputs(real)
        return Run(self.reference.described(self.mapping.program), tuple(layers), ends)

    def _only(self, paths: Collection[str]) -> Run:
        """The rows of these paths alone; nothing is told of the outputs."""
        layers: list[LayerCheck] = []
        for row in self.mapping.rows:
            inside = [inner for block in row.blocks for inner in walk_rows(block.rows)]
            if not {row.path, *(inner.path for inner in inside)} & set(paths):
                continue
            self.checked[row.path] = self._row_alone(row)
            self._check_blocks(row)
            layers += [self._layer(one, _UNCHECKED) for one in (row, *inside)]
        return Run(self.reference.described(self.mapping.program), tuple(layers), ())

    def _row_alone(self, row: Row) -> Check:
        if row.is_parameter:
            return self._stored(row)
        if not row.is_comparable or row.path not in self.runner.rows:
            return _UNCHECKED
        own = check_real(row, self.runner, self.paddles)
        wide = self.wide
        if wide is None or wide.runner is None or row.path not in wide.runner.rows:
            return own
        exact = _proven(wide.mapping[row.path], wide.runner, self._values(), wide.loose)
        return own if exact.verdict == "unchecked" else worst([exact, own])

    def _values(self) -> WideValues:
        assert self.wides is not None
        return self.wides

    # --- rows -------------------------------------------------------------------------------------

    def _row(self, row: Row, real: AsRun) -> None:
        if row.values:
            self.seen[row.path] = self._seen(row.values[0], self.paddles)
        if row.is_parameter:
            self.checked[row.path] = self._stored(row)
            real.step(row, False, False)
            return
        exact = self.rules.rows.get(row.path, _UNCHECKED)
        unproven = exact.verdict == "unchecked" or row.path in self.rules.unable
        changed = row.path in self.integrity.changes
        real.step(row, exact.failed and not unproven, unproven or changed)
        own = self._orphaned(row, real.alone.get(row.path, _UNCHECKED))
        self.coarse[row.path] = self._why_coarse(row, unproven)
        self.checked[row.path] = own if unproven else worst([exact, own]) if own.failed else exact

    def _why_coarse(self, row: Row, unproven: bool) -> str:
        """Why the row was not compared in float64; empty where it was, or not compared at all."""
        if not row.is_comparable or self.wide is None:
            return ""
        told = self.rules.unable.get(row.path) or self.rules.coarse.get(row.path, "")
        recorded = any(map(self.paddles.is_recorded, row.values))
        return told or ("its values in float64 are not known" if unproven and recorded else "")

    def _stored(self, row: Row) -> Check:
        """A stored tensor against the file, bit by bit."""
        made = self.runner.alone(row.path, self.paddles.get) if row.path in self.runner.rows else {}
        return worst(
            _equal(made[value], self.paddles.get(value)) for value in row.values if value in made
        )

    def _orphaned(self, row: Row, check: Check) -> Check:
        """Without blame where the row reads another row that is at fault and was not recorded."""
        borrowed = {*self.runner.borrowed, self.integrity.orphans.get(row.path, "")} - {row.path}
        guilty = sorted(borrowed & set(self.integrity.changes))
        if check.failed and guilty and row.path not in self.integrity.changes:
            return Check("unchecked", check.error, problem=f"it reads {guilty[0]}, at fault")
        return check

    # --- inside blocks --------------------------------------------------------------------------

    def _check_blocks(self, row: Row) -> None:
        """The rows inside a branch or loop alone, as they ran in Paddle the first times."""
        wide = self.wide.runner if self.wide is not None else None
        self._blocks(row, self.runner, wide)

    def _blocks(self, row: Row, runner: RowRunner, wide: RowRunner | None) -> None:
        for number, block in enumerate(row.blocks):
            graph = block_module(runner.modules, runner.rows.get(row.path, ()), number)
            if not isinstance(graph, fx.GraphModule):
                continue
            inner, wide_inner = RowRunner(graph, self.integrity), None
            if wide is not None:
                wide_graph = block_module(wide.modules, wide.rows.get(row.path, ()), number)
                wide_inner = RowRunner(wide_graph) if wide_graph is not None else None
            for reference in self.reference.blocks.get(block_key(row, number), ()):
                for part in block.rows:
                    self._inner(part, inner, wide_inner, reference)
            for part in block.rows:
                self._blocks(part, inner, wide_inner)

    def _inner(
        self, row: Row, runner: RowRunner, wide: RowRunner | None, reference: Reference
    ) -> None:
        if row.path not in runner.rows or row.is_parameter:
            return
        paddles = PaddleValues(self.mapping.program, reference, self.numbers)
        check = _UNCHECKED
        if row.is_comparable and wide is not None and reference.wide and row.path in wide.rows:
            assert self.wide is not None
            twin = self.wide.mapping[row.path]
            check = _proven(twin, wide, self._wide_values(reference.wide), self.wide.loose)
        changed = row.path in self.integrity.changes
        if row.is_comparable and (changed or check.verdict == "unchecked"):
            check = worst([check, check_real(row, runner, paddles)])
        before = self.checked.get(row.path)
        self.checked[row.path] = worst([check, before]) if before else check
        if row.values and row.path not in self.seen:
            self.seen[row.path] = self._seen(row.values[0], paddles)

    # --- outputs ----------------------------------------------------------------------------------

    def _outputs(self, real: AsRun) -> tuple[OutputCheck, ...]:
        """What the module returns, in order, against what the file's own fetch list gives."""
        program = self.mapping.program
        returned = self._returned(real)
        checks = []
        for number, value in enumerate(program.outputs):
            check = self._end(number, value, returned, real)
            shape, health = self._seen(value, self.paddles)
            traits = tuple(self.makers[value].traits) if value in self.makers else ()
            checks.append(OutputCheck(value.label, shape, value.dtype, check, health, traits))
        return tuple(checks)

    def _returned(self, real: AsRun) -> Any:
        """The module's results: a tuple, or the error of a module that cannot run.

        A module that is not called as its graph says is called; one with rows that cannot be
        compared (random ones) then gives nothing to compare.
        """
        module = self.runner.module
        stopped = real.chain.get(real.run.failed)
        if stopped is not None and not stopped.failed:
            return None  # it was to work on nothing, which torch refuses
        try:
            if not real.run.failed:
                made = real.run.output()
            if real.run.failed or not runs_as_its_graph(module, self._order()):
                if not all(row.is_comparable for row in self.mapping.walk()):
                    return None
                by_graph = None if real.run.failed else made
                inputs = [self.paddles.get(value) for value in self.mapping.program.inputs]
                with torch.no_grad(), quiet():
                    made = module(*inputs)
                self.recompiled = by_graph is None or _same(made, by_graph)
        except Exception as error:  # noqa: BLE001 - a model that cannot run is a finding
            return error
        return made if isinstance(made, (tuple, list)) else (made,)

    def _end(self, number: int, value: Value, returned: Any, real: AsRun) -> Check:
        maker = self.makers.get(value)
        if returned is None or (maker is not None and not maker.is_comparable):
            return _UNCHECKED
        if isinstance(returned, Exception):
            return Check("wrong", problem=first_line(returned))
        if number >= len(returned):
            return Check("wrong", problem=f"the module returns {len(returned)} values only")
        ours, theirs = returned[number], self._fetched(number, value)
        if theirs is None:
            return _UNCHECKED
        told = self._as_tapped(number, value)
        check = real.judged(value, ours, theirs)
        if check.failed and not self.recompiled:
            told = "the module gives another result than its graph; call module.recompile()"
        if told:
            return Check("wrong", check.error, check.tolerance, problem=told)
        known = real.values.get(value, _UNCHECKED)
        if not check.failed or not isinstance(ours, torch.Tensor):
            return check
        exact = self.rules.values.get(value, _UNCHECKED)
        if known.verdict == "unchecked" and known.problem and exact.verdict != "unchecked":
            return exact  # rounding decides in the real dtypes; in float64 it agrees
        return check

    def _fetched(self, number: int, value: Value) -> torch.Tensor | None:
        if number in self.reference.fetched and not self.mapping.program.own_outputs:
            array = np.asarray(self.reference.output(number))
            return as_tensor(array, self.reference.fetched[number])
        return self.paddles.get(value)

    def _as_tapped(self, number: int, value: Value) -> str:
        """What is wrong where the program's output is not what its file fetches at that place."""
        fetched, tapped = self._fetched(number, value), self.paddles.get(value)
        if fetched is None or tapped is None or not self.paddles.is_recorded(value):
            return ""
        if fetched.shape == tapped.shape and _equal(fetched, tapped).verdict == "exact":
            return ""
        return f"output {number} of the file is another value than {value.label}"

    def _order(self) -> list[fx.Node]:
        """The nodes in the order in which the chain ran them."""
        rows = [row.path for row in self.mapping.rows if row.path in self.runner.rows]
        return [node for path in rows for node in self.runner.rows[path]]

    # --- results --------------------------------------------------------------------------------

    def _layer(self, row: Row, chain: Check) -> LayerCheck:
        main = row.values[0] if row.values else None
        shape, health = self.seen.get(row.path, (main.shape if main else (), ()))
        changed = self.integrity.changes.get(row.path, "")
        return LayerCheck(
            row.path, row.ops, row.target, shape, main.dtype if main else "",
            self.checked.get(row.path, _UNCHECKED), chain, health, changed,
            coarse=self.coarse.get(row.path, ""), traits=tuple(row.traits),
            ran=bool(self.met.get(row.path, True)),
        )  # fmt: skip

    def _seen(self, value: Value, paddles: PaddleValues) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Shape and health of Paddle's value; what the program itself fixes is healthy."""
        theirs = paddles.get(value)
        if not isinstance(theirs, torch.Tensor):
            return value.shape, ()
        healthy = value in self.fixed
        return tuple(theirs.shape), () if healthy else health_of(theirs, paddles.size(value))


def check_real(row: Row, runner: RowRunner, paddles: PaddleValues) -> Check:
    """A row on Paddle's own inputs in the program's own dtypes."""
    return worst(alone(runner, row, paddles, loose_unit(row, paddles) or 0.0).values())


def row_in_float64(row: Row, reference: Reference) -> Check:
    """One row, which need not be in a mapping, against Paddle's values in float64.

    Unchecked where these are not known, or where the row has no form in float64 that is the one
    that will run. Raises what building it raises.
    """
    twin, wide = reference.twin, reference.wide
    if twin is None or wide is None or row.blocks:
        return _UNCHECKED
    loose: dict[str, str] = {}
    made = twin.row(row, loose)
    if loose:
        return _UNCHECKED
    runner = RowRunner(build_row(Mapping(twin.program, twin.stored_rows()), made))
    paddles = WideValues(twin.program, wide)
    if any(map(paddles.is_narrow, made.values)):
        return _UNCHECKED
    return check_real(made, runner, paddles)


def _proven(row: Row, runner: RowRunner, paddles: PaddleValues, loose: Collection[str]) -> Check:
    """A row on Paddle's own inputs in float64; unchecked where that is not what will run."""
    if row.path in loose:
        return _UNCHECKED
    return check_real(row, runner, paddles)


def _equal(ours: Any, theirs: torch.Tensor | None) -> Check:
    check = judge(ours, theirs, 0.0)
    return Check("wrong", check.error) if check.verdict == "rounding" else check


def _same(one: Any, other: Any) -> bool:
    """True when two results of the module are equal, bit for bit."""
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return bool(one == other)
    return (
        one.shape == other.shape
        and one.dtype == other.dtype
        and _equal(one, other).verdict == "exact"
    )


def runs_as_its_graph(module: fx.GraphModule, order: list[fx.Node]) -> bool:
    """True when a call of the module is known to run just these nodes, in this order.

    Its code must be what its graph says now, and nothing may be hung on or put over it.
    """
    nodes = [node for node in module.graph.nodes if node.op not in ("placeholder", "output")]
    hooks = (
        module._forward_hooks, module._forward_pre_hooks,
        torch.nn.modules.module._global_forward_hooks,
        torch.nn.modules.module._global_forward_pre_hooks,
    )  # fmt: skip
    if nodes != order or any(hooks) or {"forward", "__call__"} & set(vars(module)):
        return False
    compiled = inspect.unwrap(type(module).forward).__code__
    if not compiled.co_filename.startswith("<eval_with_key>"):
        return False
    return module.code == module.graph.python_code("self").src
