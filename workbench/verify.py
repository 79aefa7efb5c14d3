"""Verification: every layer against Paddle, alone and in the chain, and the outputs end to end.

The tolerance of a layer is not a constant. The same layer runs in float64 on the same inputs; the
difference is the rounding noise of the float32 run, and Paddle's result may differ by a few times
that. What rounding may do further down the chain is measured too: a second run of the chain adds to
every layer a random error as large as the one measured there, and shows how far the rest moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import fx

from workbench.alone import NAN_READ, check_alone
from workbench.integrity import Integrity, check_integrity
from workbench.judging import (
    WRONG,
    amplified,
    compare,
    decides,
    first_line,
    health_of,
    judge,
    resized,
    worst,
)
from workbench.mapping import Mapping, Row, walk_rows
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import Reference, record
from workbench.program import Program, Value
from workbench.row_runner import Chain, Change, RowRunner
from workbench.verification import Check, LayerCheck, OutputCheck, Run, Verification
from workbench.weights import as_tensor

__all__ = [
    "WRONG", "check_references", "check_row", "health_of", "judge", "overwritten",
    "reference_tensor", "shake", "untouched", "verify",
]  # fmt: skip

#: In-place operators whose first operand is only read.
_STATISTICS = {"pd_op.batch_norm_", "pd_op.sync_batch_norm_"}
_UNCHECKED = Check("unchecked")
#: Random errors are drawn again so often when the chain differs although every layer agrees: in a
#: small tensor one draw may happen to cancel.
DRAWS = 6

#: Checks in the chain, by row and value.
Chains = dict[str, dict[Value, Check]]

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def verify(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[Sequence[np.ndarray]],
    process: PaddleProcess,
    progress: Progress = lambda items, _: items,
) -> tuple[Verification, tuple[Reference, ...]]:
    """Compare the module with Paddle on each set of inputs; returns Paddle's values too.

    `inputs` holds, for each run, one array per model input in feed order. Raises
    `PaddleProcessError` when Paddle cannot run the program on them.
    """
    start = time.perf_counter()
    wanted = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    lost = overwritten(mapping.program) - set(mapping.program.outputs)
    wanted = [*(value for value in wanted if value not in lost), *mapping.program.outputs]
    references = tuple(record(process, mapping.program, arrays, wanted) for arrays in inputs)
    runs = check_references(mapping, module, references, progress)
    notes = _mistakes(mapping)
    return Verification(runs, time.perf_counter() - start, notes), references


def _mistakes(mapping: Mapping) -> tuple[str, ...]:
    """What to know of rows where Paddle itself is wrong: they cannot be compared."""
    found = [row for row in mapping.walk() if row.is_mistaken]
    names = sorted({row.op.short_name for row in found if row.op is not None})
    if not names:
        return ()
    told = f"Paddle computes {', '.join(names)} by mistake ({len(found)} rows, see their notes)."
    return (
        f"{told} These are not compared, and the check goes on with Paddle's values after them.",
    )


def overwritten(program: Program) -> set[Value]:
    """Values whose memory is written to after they were made.

    In-place operators write into their first operand, a loop into the values that it starts from.
    Paddle hands values over at the end of a run, so of these it would hand over what was written
    later. They are computed from the values before them instead.
    """
    found: set[Value] = set()
    for op in program.walk():
        if op.name == "pd_op.while":
            found.update(op.operands)
        elif op.name.endswith("_") and op.name not in _STATISTICS:
            found.update(list(op.operands)[:1])
    return found


def check_references(
    mapping: Mapping,
    module: fx.GraphModule,
    references: Sequence[Reference],
    progress: Progress = lambda items, _: items,
    only: Collection[str] | None = None,
) -> tuple[Run, ...]:
    """Compare the module with values that Paddle computed earlier, and with the model's file.

    With `only`, just the rows of these paths are run, each alone.
    """
    integrity = check_integrity(mapping, module)
    runner = RowRunner(module, integrity)
    with untouched(module):
        return tuple(
            _Run(mapping, runner, reference, integrity).check(progress, only)
            for reference in references
        )


def check_row(mapping: Mapping, path: str, reference: Reference, module: fx.GraphModule) -> Check:
    """Check one layer alone on recorded values, for instance after an edit."""
    with untouched(module):
        return _Run(mapping, RowRunner(module), reference).alone(mapping[path])


def reference_tensor(reference: Reference, value: Value) -> torch.Tensor | None:
    """Paddle's value as a tensor, or None when it was not recorded."""
    if value not in reference:
        return None
    array = reference.array(value)
    dtype = reference.dtypes[value.id]
    return as_tensor(np.asarray(array), dtype, copy=False)


@contextmanager
def untouched(module: fx.GraphModule) -> Iterator[None]:
    """A layer in training mode updates its statistics when it runs: put them back."""
    kept = [
        (buffer, buffer.clone())
        for part in module.modules()
        if part.training
        for buffer in part._buffers.values()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)


class _Run:
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
        self.integrity = integrity or Integrity()
        self.excuse = ""

    def get(self, value: Value) -> torch.Tensor | None:
        """What Paddle computed, or what the file stores."""
        parameter = self.mapping.program.parameters.get(value.parameter)
        if parameter is not None:
            return as_tensor(parameter.load(), parameter.dtype, copy=False)
        return reference_tensor(self.reference, value)

    def check(self, progress: Progress, only: Collection[str] | None = None) -> Run:
        """Every row, then the outputs; with `only`, just these rows alone."""
        rows = [row for row in self.mapping.rows if only is None or row.path in only]
        alone = {
            row.path: self.alone(row) if row.path in self.runner.rows else _UNCHECKED
            for row in progress(rows, "verifying")
        }
        chains: Chains = {}
        outputs: dict[Value, Check] = {}
        if only is None:
            inputs = [self.get(value) for value in self.mapping.program.inputs]
            tensors = [tensor for tensor in inputs if tensor is not None]
            chains, results = self._chain(tensors, alone)
            for draw in range(1, DRAWS):
                if not _only_in_chain(alone, chains):
                    break
                again, _ = self._chain(tensors, alone, draw)
                chains = {path: _widest(chains[path], again[path]) for path in chains}
            wanted = set(self.mapping.program.outputs)
            made = [pair for checks in chains.values() for pair in checks.items()]
            outputs = {value: check for value, check in made if value in wanted}
            outputs |= self._end_to_end(tensors, results, outputs)
        layers: list[LayerCheck] = []
        for row in rows:
            found = worst(chains.get(row.path, {}).values())
            layers.append(self._layer(row, alone[row.path], found))
            layers += [self._inner(inner) for b in row.blocks for inner in walk_rows(b.rows)]
        ends = tuple(self._output(value, outputs) for value in self.mapping.program.outputs)
        described = tuple(
            f"{value.name} {list(array.shape)}"
            for value, array in zip(self.mapping.program.inputs, self.reference.inputs, strict=True)
        )
        return Run(described, tuple(layers), ends)

    def theirs(self, value: Value) -> torch.Tensor | None:
        """Paddle's value in the dtype that the program declares.

        Where the program says bfloat16, a convolution of Paddle on a CPU keeps float32.
        """
        found = self.get(value)
        if found is not None and value.dtype == "bfloat16" and found.dtype == torch.float32:
            return found.bfloat16()
        return found

    # --- alone ----------------------------------------------------------------------------------

    def alone(self, row: Row) -> Check:
        """The row fed Paddle's own inputs; a stored tensor compared with the file."""
        return check_alone(self.runner, row, self.get, self.theirs, self.reference, self.integrity)

    # --- in the chain ---------------------------------------------------------------------------

    def _chain(
        self, inputs: list[torch.Tensor], alone: dict[str, Check], draw: int = 0
    ) -> tuple[Chains, dict[Value, Any]]:
        """Every row fed our own values, beside a run with random errors; and the outputs."""
        chain, shaken = self.runner.chain(inputs), self.runner.chain(inputs)
        wanted = set(self.mapping.program.outputs)
        self.excuse = ""
        found: Chains = {}
        results: dict[Value, Any] = {}
        for row in self.mapping.rows:
            if row.path not in self.runner.rows:
                continue
            made, found[row.path] = self._in_chain(row, chain, shaken, alone[row.path], draw)
            results.update({value: made[value] for value in made if value in wanted})
        return found, results

    def _in_chain(
        self, row: Row, chain: Chain, shaken: Chain, alone: Check, draw: int
    ) -> tuple[dict[Value, Any], dict[Value, Check]]:
        """The row fed our own values; after a random one the chain goes on with Paddle's."""
        if chain.failed:
            return {}, dict.fromkeys(row.values, _UNCHECKED)
        random = not row.is_comparable
        try:
            made = chain.step(row.path, self._paddles if random else None)
        except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
            chain.failed = row.path
            return {}, dict.fromkeys(row.values, Check("wrong", problem=first_line(error)))
        moved: dict[Value, Any] = {}
        if not shaken.failed:
            try:
                moved = shaken.step(row.path, self._paddles if random else shake(alone, draw))
            except Exception:  # noqa: BLE001 - a decision flipped into what cannot run
                shaken.failed = row.path
        if random or row.is_parameter:
            return made, {}
        checks = {
            value: compare(made.get(value), self.theirs(value), moved.get(value))
            for value in row.values
        }
        if not self.excuse and not alone.failed:
            self.excuse = self._excuse(row, alone, checks, made, moved)
        if not self.excuse or alone.failed:
            return made, checks
        return made, {
            value: Check("unchecked", check.error, problem=self.excuse) if check.failed else check
            for value, check in checks.items()
        }

    def _excuse(
        self,
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
        if alone.problem == NAN_READ:
            return f"Paddle's NaN became a number in {row.path}, or a number NaN"
        if any(resized(made.get(value), moved.get(value)) for value in failed):
            return f"rounding alone changes the shape of {row.path}"
        return ""

    def _paddles(self, value: Value, ours: Any) -> Any:
        theirs = self.get(value)
        return ours if theirs is None else theirs

    # --- results --------------------------------------------------------------------------------

    def _end_to_end(
        self, inputs: list[torch.Tensor], results: dict[Value, Any], checks: dict[Value, Check]
    ) -> dict[Value, Check]:
        """The module called as people call it: it must give what its nodes gave one by one."""
        if not all(row.is_comparable for row in self.mapping.walk()):
            return {}
        try:
            with torch.no_grad():
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
            if ours.dtype == known.dtype and torch.equal(ours, known):
                continue
            again = compare(ours, known, None)
            tolerance = max(again.tolerance, checks.get(value, again).tolerance)
            if again.failed and (again.error is None or again.error.max_abs > tolerance):
                told = "the module gives another result than its graph; call module.recompile()"
                found[value] = Check("wrong", again.error, tolerance, problem=told)
        return found

    def _layer(self, row: Row, alone: Check, chain: Check) -> LayerCheck:
        main = row.values[0] if row.values else None
        theirs = self.get(main) if main is not None else None
        shape = tuple(theirs.shape) if theirs is not None else (main.shape if main else ())
        health = health_of(theirs) if theirs is not None and not row.is_parameter else ()
        dtype = main.dtype if main else ""
        changed = self.integrity.changes.get(row.path, "")
        return LayerCheck(
            row.path, row.ops, row.target, shape, dtype, alone, chain, health, changed
        )

    def _inner(self, row: Row) -> LayerCheck:
        """A row inside a block: Paddle does not hand its values over."""
        return self._layer(row, _UNCHECKED, _UNCHECKED)

    def _output(self, value: Value, checks: dict[Value, Check]) -> OutputCheck:
        theirs = self.get(value)
        shape = tuple(theirs.shape) if theirs is not None else value.shape
        health = health_of(theirs) if theirs is not None else ()
        check = checks.get(value, _UNCHECKED)
        if check.verdict == "unchecked" and value in self.mapping.program.inputs:
            check = Check("exact")
        if theirs is not None:
            check = amplified(check, theirs.dtype)
        return OutputCheck(value.label, shape, value.dtype, check, health)


def _only_in_chain(alone: dict[str, Check], chains: Chains) -> bool:
    """True when every layer agrees alone and yet the chain does not."""
    if any(check.failed for check in alone.values()):
        return False
    return any(check.failed for checks in chains.values() for check in checks.values())


def _widest(one: dict[Value, Check], other: dict[Value, Check]) -> dict[Value, Check]:
    """For each value the check that rounding explains, else that of the wider tolerance."""
    return {
        value: max(check, other.get(value, check), key=lambda c: (not c.failed, c.tolerance))
        for value, check in one.items()
    }


def shake(alone: Check, draw: int = 0) -> Change | None:
    """Add a random error as large as rounding was measured to be in this layer."""
    size = alone.noise
    if alone.error is not None:
        size = max(size, min(alone.error.max_abs, alone.tolerance))
    if not size:
        return None

    def change(value: Value, result: Any) -> Any:
        if not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        generator = torch.Generator().manual_seed(value.id + 1_000_003 * draw)
        shift = torch.rand(result.shape, generator=generator) * 2 - 1
        return result + (shift * size).to(result.dtype)

    return change
