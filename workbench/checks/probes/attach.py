"""A verification with the outcome of probing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from torch import fx

from workbench.checks.layers.run import Progress
from workbench.checks.probes.check import NOTHING, Probed, probe_rows
from workbench.checks.results.verification import Verification
from workbench.core.mapping import Mapping
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference


def probed(
    mapping: Mapping,
    module: fx.GraphModule,
    found: Verification,
    references: Sequence[Reference],
    runtime: Runtime,
    everything: bool,
    progress: Progress = lambda items, _: items,
) -> tuple[Verification, Probed]:
    """The verification with a probe for rows in blocks, rows that nothing proved, or `everything`.

    A module that is not what its mapping says is not probed: it is at fault anyway, and its rows
    are not those that would be probed.
    """
    if any(layer.changed for layer in found.layers):
        return found, NOTHING
    start = time.perf_counter()
    checks = {layer.path: layer.alone for layer in found.layers}
    weak = {one.path for one in found.unproven if not one.is_output}
    outcome = probe_rows(mapping, module, references, runtime, checks, weak, everything, progress)
    runs = tuple(
        replace(
            run,
            layers=tuple(
                replace(layer, probe=outcome.checks.get(layer.path, layer.probe))
                for layer in run.layers
            ),
        )
        for run in found.runs
    )
    notes = tuple(
        f"{count} {'row' if count == 1 else 'rows'} could not be probed: {reason}."
        for reason, count in outcome.unprobed.items()
    )
    seconds = found.seconds + time.perf_counter() - start
    return replace(found, runs=runs, seconds=seconds, notes=(*found.notes, *notes)), outcome
