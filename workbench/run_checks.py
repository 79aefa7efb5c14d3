"""The checks of one set of inputs: every row alone and in the chain, then the outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import fx

from workbench.alone import check_alone
from workbench.block_rows import block_key, block_module, blocks_inside, loop_numbers, met_inside
from workbench.in_chain import ChainChecks, Chains, widest
from workbench.integrity import Integrity
from workbench.judging import amplified, compare, first_line, health_of, worst
from workbench.mapping import Mapping, Row, walk_rows
from workbench.paddle_side.reference import Reference
from workbench.paddle_values import PaddleValues
from workbench.program import Value
from workbench.proof import fixed_values
from workbench.row_runner import RowRunner, quiet
from workbench.verification import Check, LayerCheck, OutputCheck, Run

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

_UNCHECKED = Check("unchecked")
#: Random errors are drawn again so often when the chain differs although every layer agrees: in a
#: small tensor one draw may happen to cancel.
DRAWS = 6


class RunChecks:
    """Checks of one set of inputs."""

    def __init__(
        self,
        mapping: Mapping,
        runner: RowRunner,
        reference: Reference,
        integrity: Integrity | None = None,
    ) -> None:
        self.mapping = mapping
        self.runner = runner
        self.reference = reference
        self.numbers = loop_numbers(mapping)
        self.paddles = PaddleValues(mapping.program, reference, self.numbers)
        self.integrity = integrity or Integrity()
        self.checked: dict[str, Check] = {}
        self.fixed = fixed_values(mapping)
        self.makers = {value: row for row in mapping.rows for value in row.values}
        self.met = {
            row.path: met_inside(mapping.program, reference, key, block)
            for key, _, _, block in blocks_inside(mapping.rows)
            for row in block.rows
        }
        self.seen: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def check(self, progress: Progress, only: Collection[str] | None = None) -> Run:
        """Every row, then the outputs; with `only`, just these rows alone."""
        rows = list(self.mapping.rows)
        if only is not None:
            rows = [row for row in rows if any(r.path in only for r in walk_rows((row,)))]
        chains: Chains = {}
        outputs: dict[Value, Check] = {}
        if only is not None:
            for row in progress(rows, "verifying"):
                self._alone(row)
        else:
            chains, outputs = self._in_chain(rows, progress)
        layers: list[LayerCheck] = []
        for row in rows:
            layers.append(self._layer(row, worst(chains.get(row.path, {}).values())))
            if row.blocks:
                self._check_blocks(row, self.runner)
            inner = [inner for block in row.blocks for inner in walk_rows(block.rows)]
            layers += [self._layer(row, _UNCHECKED) for row in inner]
        ends = tuple(self._output(value, outputs) for value in self.mapping.program.outputs)
        described = self.reference.described(self.mapping.program)
        return Run(described, tuple(layers), ends)

    def alone(self, row: Row) -> Check:
        """The row fed Paddle's own inputs; a stored tensor compared with the file."""
        if row.path not in self.runner.rows:
            return _UNCHECKED
        return check_alone(self.runner, row, self.paddles, self.integrity)

    # --- inside blocks --------------------------------------------------------------------------

    def _check_blocks(self, row: Row, runner: RowRunner) -> None:
        """The rows inside a branch or loop alone, as they ran in Paddle the first times."""
        for number, block in enumerate(row.blocks):
            graph = block_module(runner.modules, runner.rows.get(row.path, ()), number)
            if not isinstance(graph, fx.GraphModule):
                continue
            inner = RowRunner(graph, self.integrity)
            for reference in self.reference.blocks.get(block_key(row, number), ()):
                paddles = PaddleValues(self.mapping.program, reference, self.numbers)
                for part in block.rows:
                    self._check_inner(part, inner, paddles)
            for part in block.rows:
                self._check_blocks(part, inner)

    def _check_inner(self, row: Row, runner: RowRunner, paddles: PaddleValues) -> None:
        if row.path not in runner.rows:
            return
        check = check_alone(runner, row, paddles, self.integrity)
        before = self.checked.get(row.path)
        self.checked[row.path] = worst([check, before]) if before else check
        if row.values and row.path not in self.seen:
            self.seen[row.path] = self._seen(row.values[0], paddles)

    # --- in the chain ---------------------------------------------------------------------------

    def _in_chain(self, rows: list[Row], progress: Progress) -> tuple[Chains, dict[Value, Check]]:
        """Every row alone and in the chain; the chain again while only the chain differs."""
        first = self._chain_checks()
        for row in progress(rows, "verifying"):
            self._alone(row)
            first.step(row)
        chains = first.found
        for draw in range(1, DRAWS):
            if not self._only_in_chain(chains):
                break
            again = self._chain_checks(draw)
            for row in rows:
                again.step(row)
            chains = {path: widest(chains[path], again.found[path]) for path in chains}
        wanted = set(self.mapping.program.outputs)
        made = [pair for checks in chains.values() for pair in checks.items()]
        outputs = {value: check for value, check in made if value in wanted}
        return chains, outputs | self._end_to_end(first.inputs, first.results, outputs)

    def _chain_checks(self, draw: int = 0) -> ChainChecks:
        return ChainChecks(self.mapping, self.runner, self.paddles, self.checked, draw)

    def _only_in_chain(self, chains: Chains) -> bool:
        """True when every layer agrees alone and yet the chain does not."""
        if any(check.failed for check in self.checked.values()):
            return False
        return any(check.failed for checks in chains.values() for check in checks.values())

    def _end_to_end(
        self, inputs: list[torch.Tensor], results: dict[Value, Any], checks: dict[Value, Check]
    ) -> dict[Value, Check]:
        """The module called as people call it: it must give what its nodes gave one by one."""
        if not all(row.is_comparable for row in self.mapping.walk()):
            return {}
        if runs_as_its_graph(self.runner.module, self._order()):
            return {}
        try:
            with torch.no_grad(), quiet():
                made = self.runner.module(*inputs)
        except Exception as error:  # noqa: BLE001 - a model that cannot run is a finding
            failed = Check("wrong", problem=first_line(error))
            return {value: failed for value in self.mapping.program.outputs if value in checks}
        outputs = made if isinstance(made, tuple) else (made,)
        found: dict[Value, Check] = {}
        for value, ours in zip(self.mapping.program.outputs, outputs, strict=False):
            known = results.get(value)
            if not isinstance(ours, torch.Tensor) or not isinstance(known, torch.Tensor):
                continue
            again = compare(ours, known, None)
            tolerance = max(again.tolerance, checks.get(value, again).tolerance)
            if again.failed and (again.error is None or again.error.max_abs > tolerance):
                told = "the module gives another result than its graph; call module.recompile()"
                found[value] = Check("wrong", again.error, tolerance, problem=told)
        return found

    def _order(self) -> list[fx.Node]:
        """The nodes in the order in which the chain ran them."""
        rows = [row.path for row in self.mapping.rows if row.path in self.runner.rows]
        return [node for path in rows for node in self.runner.rows[path]]

    # --- results --------------------------------------------------------------------------------

    def _alone(self, row: Row) -> None:
        self.checked[row.path] = self.alone(row)
        if row.values:
            self.seen[row.path] = self._seen(row.values[0])

    def _seen(
        self, value: Value, paddles: PaddleValues | None = None
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Shape and health of Paddle's value; what the program itself fixes is healthy."""
        paddles = paddles or self.paddles
        theirs = paddles.get(value)
        if theirs is None:
            return value.shape, ()
        healthy = value in self.fixed
        return tuple(theirs.shape), () if healthy else health_of(theirs, paddles.size(value))

    def _layer(self, row: Row, chain: Check) -> LayerCheck:
        main = row.values[0] if row.values else None
        shape, health = self.seen.get(row.path, (main.shape if main else (), ()))
        changed = self.integrity.changes.get(row.path, "")
        return LayerCheck(
            row.path, row.ops, row.target, shape, main.dtype if main else "",
            self.checked.get(row.path, _UNCHECKED), chain, health, changed,
            traits=tuple(row.traits), ran=bool(self.met.get(row.path, True)),
        )  # fmt: skip

    def _output(self, value: Value, checks: dict[Value, Check]) -> OutputCheck:
        check = checks.get(value, _UNCHECKED)
        if check.verdict == "unchecked" and value in self.mapping.program.inputs:
            check = Check("exact")
        theirs = self.paddles.get(value)
        if theirs is not None:
            check = amplified(check, theirs.dtype)
        shape, health = self._seen(value)
        traits = tuple(self.makers[value].traits) if value in self.makers else ()
        return OutputCheck(value.label, shape, value.dtype, check, health, traits)


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
