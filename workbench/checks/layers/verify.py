"""Verification: every layer against Paddle, its rule in float64 and the module as it runs.

The rule of a layer is judged in float64 on both sides (see `checks.twin`), where what is right
agrees to about 1e-15. The module is then run in the program's own dtypes, from the inputs to the
outputs, beside Paddle's values.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from torch import fx

from workbench.checks.layers.run import Progress, RunChecks, check_real, row_in_float64
from workbench.checks.layers.scopes import scopes_in_chain
from workbench.checks.results.checks import Check, Run
from workbench.checks.results.verification import Verification
from workbench.checks.twin.recording import recorder
from workbench.checks.twin.wide_model import wide_model
from workbench.checks.values.integrity import check_integrity
from workbench.checks.values.revealing_inputs import Sample
from workbench.checks.values.row_runner import RowRunner, untouched
from workbench.checks.values.source_values import PaddleValues
from workbench.conversion.book import RuleBook
from workbench.core.errors import RuntimeFailedError
from workbench.core.mapping import Mapping
from workbench.core.program import short
from workbench.core.traits import Trait
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference
from workbench.sources.registry import source_of

#: What to do when Paddle takes none of our own inputs.
GIVE_INPUTS = (
    "The sample inputs do not suit this model. Give real ones: m.verify(inputs=...), or --inputs "
    "FILE.npz on the command line."
)
#: A further run needs so many times the room on disk that the largest one took.
ROOM = 2


def verify(
    mapping: Mapping,
    module: fx.GraphModule,
    samples: Sequence[Sample],
    runtime: Runtime,
    progress: Progress = lambda items, _: items,
    rules: RuleBook | None = None,
) -> tuple[Verification, tuple[Reference, ...]]:
    """Compare the module with Paddle on each sample; returns Paddle's values too.

    Raises `RuntimeFailedError` when Paddle cannot run the program on a sample that is required, or
    on none.
    """
    start = time.perf_counter()
    recorded, refused = _recorded(
        mapping, samples, runtime, rules or source_of(mapping.program).rules, progress
    )
    references = tuple(reference for _, reference in recorded)
    found = check_references(mapping, module, references, progress)
    pairs = zip(found, recorded, strict=True)
    runs = tuple(replace(run, told=sample.told) for run, (sample, _) in pairs)
    scopes = scopes_in_chain(mapping, runs)
    notes = (*_mistakes(mapping), *_coarse(runs), *refused)
    return Verification(runs, time.perf_counter() - start, notes, scopes=scopes), references


def _recorded(
    mapping: Mapping,
    samples: Sequence[Sample],
    runtime: Runtime,
    rules: RuleBook,
    progress: Progress,
) -> tuple[list[tuple[Sample, Reference]], list[str]]:
    """Paddle's values for the samples that it takes, and which were left out, in words.

    Raises `RuntimeFailedError` when it takes none.
    """
    records = recorder(mapping, runtime, rules)
    taken: list[tuple[Sample, Reference]] = []
    left_out, refused, largest = [], None, 0
    for sample in progress(samples, "running Paddle"):
        shapes = ", ".join(str(list(array.shape)) for array in sample.arrays)
        told = f"{sample.told or 'sample inputs'} {shapes}"
        if not sample.required and _free() < ROOM * largest:
            left_out.append(f"{told} were left out: {_no_room(largest)}")
            continue
        try:
            reference = records.record(sample.arrays)
        except RuntimeFailedError as error:
            if sample.required:
                raise
            refused = refused or error
            why = error.message.splitlines()[0][:200]
            left_out.append(f"Paddle does not take {told}, left out: {why}")
        else:
            taken.append((sample, reference))
            largest = max(largest, reference.nbytes)
    if refused is not None and not taken:
        raise _refused(mapping, refused, told)
    return taken, [*left_out, *records.notes]


def _refused(mapping: Mapping, error: RuntimeFailedError, told: str) -> RuntimeFailedError:
    """Why Paddle took none of our inputs: they do not fit, or its CPU build lacks the dtype."""
    dtypes = {value.dtype for op in mapping.program.walk() for value in op.outputs.values()}
    halves = " and ".join(sorted(dtypes & {"float16", "bfloat16"}))
    if not halves:
        return type(error)(f"{error.message}\nInputs were {told}.", GIVE_INPUTS)
    return type(error)(
        f"The program computes in {halves}, for which Paddle has few kernels on a CPU.\n"
        f"{error.message}\nInputs were {told}.",
        "Export the model in float32 and verify that: the rules are the same. The conversion "
        "itself does not need it; m.export writes it, unverified.",
    )


def _free() -> int:
    return shutil.disk_usage(tempfile.gettempdir()).free


def _no_room(needed: int) -> str:
    return (
        f"Paddle's values of one run take {needed / 1e9:.1f} GB, and {tempfile.gettempdir()} has "
        f"{_free() / 1e9:.1f} GB left. Set TMPDIR to a folder with more room."
    )


def _coarse(runs: Sequence[Run]) -> tuple[str, ...]:
    """Which layers were compared to the precision of the program's own dtypes only."""
    layers = {layer.path: layer for run in runs for layer in run.layers if layer.coarse}
    if not layers:
        return ()
    counts = Counter(", ".join(map(short, layer.ops)) for layer in layers.values())
    told = ", ".join(f"{name} ({count})" for name, count in counts.most_common())
    return (
        f"{len(layers)} of {len(runs[0].layers)} layers were compared to the precision of the "
        f"program's own dtypes only, not in float64: {told}.",
    )


def _mistakes(mapping: Mapping) -> Iterator[str]:
    """What to know of rows where Paddle itself is wrong."""
    told = {
        Trait.MISTAKEN: "Paddle computes {} by mistake ({} rows, see their notes). These are not "
        "compared, and the check goes on with Paddle's values after them.",
        Trait.SUBSTITUTED: "Paddle's kernel computes something else than the formula of {} "
        "({} rows, see their notes). Paddle computed the formula with its other operators.",
    }
    for trait, text in told.items():
        found = [row for row in mapping.walk() if trait in row.traits]
        names = sorted({row.op.short_name for row in found if row.op is not None})
        if names:
            yield text.format(", ".join(names), len(found))


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
    wide = wide_model(mapping, references)
    with untouched(module):
        return tuple(
            RunChecks(mapping, runner, reference, integrity, wide).check(progress, only)
            for reference in references
        )


def check_row(mapping: Mapping, path: str, reference: Reference, module: fx.GraphModule) -> Check:
    """Check one layer alone on recorded values, for instance after an edit.

    The row is judged in float64 where its values are known so; in the program's own dtypes `module`
    is judged. For a layer in a block `reference` is one of `block_rows.references_of`.
    """
    row = mapping[path]
    paddles = PaddleValues(mapping.program, reference)
    runner = RowRunner(module)
    if row.path not in runner.rows:
        return Check("unchecked")
    with untouched(module):
        own = check_real(row, runner, paddles) if row.is_comparable else Check("unchecked")
    if row.is_parameter or not row.is_comparable or own.failed:
        return own
    exact = row_in_float64(row, reference)
    return own if exact.verdict == "unchecked" else exact
