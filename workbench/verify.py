"""Verification: every layer against Paddle, alone and in the chain, and the outputs end to end.

The tolerance of a layer is not a constant. Where a few units of the dtype's epsilon do not explain
an error, the same layer runs in float64 on the same inputs; the difference is the rounding noise of
the float32 run, and Paddle's result may differ by a few times that. What rounding may do further
down the chain is measured too: a second run of the chain adds to every layer a random error
as large as the one measured there, and shows how far the rest moves.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import fx

from workbench.block_rows import values_inside
from workbench.errors import PaddleProcessError
from workbench.integrity import check_integrity
from workbench.mapping import Mapping
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import Reference, record
from workbench.revealing import Sample
from workbench.row_runner import RowRunner, untouched
from workbench.run_checks import Progress, RunChecks
from workbench.scope_checks import scopes_in_chain
from workbench.verification import Check, Run, Verification


def verify(
    mapping: Mapping,
    module: fx.GraphModule,
    samples: Sequence[Sample],
    process: PaddleProcess,
    progress: Progress = lambda items, _: items,
) -> tuple[Verification, tuple[Reference, ...]]:
    """Compare the module with Paddle on each sample; returns Paddle's values too.

    Raises `PaddleProcessError` when Paddle cannot run the program on a sample that is required.
    """
    start = time.perf_counter()
    recorded, refused = _recorded(mapping, samples, process)
    references = tuple(reference for _, reference in recorded)
    found = check_references(mapping, module, references, progress)
    pairs = zip(found, recorded, strict=True)
    runs = tuple(replace(run, told=sample.told) for run, (sample, _) in pairs)
    scopes = scopes_in_chain(mapping, runs)
    notes = (*_mistakes(mapping), *refused)
    return Verification(runs, time.perf_counter() - start, notes, scopes=scopes), references


def _recorded(
    mapping: Mapping, samples: Sequence[Sample], process: PaddleProcess
) -> tuple[list[tuple[Sample, Reference]], list[str]]:
    """Paddle's values for the samples that it takes, and which it refused, in words."""
    wanted = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    wanted += mapping.program.outputs
    inside = values_inside(mapping)
    taken, refused = [], []
    for sample in samples:
        try:
            reference = record(process, mapping.program, sample.arrays, wanted, inside)
        except PaddleProcessError as error:
            if sample.required:
                raise
            shapes = ", ".join(str(list(array.shape)) for array in sample.arrays)
            told = sample.told or "sample inputs"
            why = error.message.splitlines()[0][:200]
            refused.append(f"Paddle does not take {told} {shapes}, left out: {why}")
        else:
            taken.append((sample, reference))
    return taken, refused


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
            RunChecks(mapping, runner, reference, integrity).check(progress, only)
            for reference in references
        )


def check_row(mapping: Mapping, path: str, reference: Reference, module: fx.GraphModule) -> Check:
    """Check one layer alone on recorded values, for instance after an edit.

    For a layer in a block `reference` is one of `block_rows.references_of`.
    """
    with untouched(module):
        return RunChecks(mapping, RowRunner(module), reference).alone(mapping[path])
