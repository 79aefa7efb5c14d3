"""Why an output differs although every layer agrees: it is another value of the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workbench.checks.results.checks import Finding
from workbench.checks.results.verification import Verification
from workbench.core.mapping import Mapping
from workbench.core.values import Value
from workbench.sources.reference import Reference


def output_findings(
    mapping: Mapping, found: Verification, references: Sequence[Reference]
) -> Iterator[Finding]:
    """One finding for each output that is not what the file fetches at its place."""
    if found.root_causes or not references:
        return
    reference = references[0]
    for number, output in enumerate(found.outputs):
        if not output.check.failed or number not in reference.fetched:
            continue
        made = _maker(mapping, reference, number)
        if made == mapping.program.outputs[number]:
            continue
        error = output.check.error
        yield Finding(
            output.name, _told(mapping, number, made), error.max_abs if error else float("inf"),
            None, output.check.tolerance, None, "pattern",
        )  # fmt: skip


def _maker(mapping: Mapping, reference: Reference, number: int) -> Value | None:
    """The value of the program that equals what the file fetches, the outputs first."""
    fetched = np.asarray(reference.output(number))
    made = [value for row in mapping.rows for value in row.values]
    for value in (*mapping.program.outputs, *reversed(made)):
        if value in reference and np.array_equal(
            np.asarray(reference.array(value)), fetched, equal_nan=fetched.dtype.kind in "fc"
        ):
            return value
    return None


def _told(mapping: Mapping, number: int, made: Value | None) -> str:
    outputs = mapping.program.outputs
    if made is None:
        return (
            f"output {number} of the file is made of ours by what was left out, a last softmax "
            "perhaps, or is no value of this program"
        )
    if made in outputs:
        place = outputs.index(made)
        return (
            f"the outputs are in another order: output {number} of the file is our output {place}"
        )
    row = next((row for row in mapping.rows if made in row.values), None)
    name = ", ".join(row.ops) if row is not None else made.label
    where = row.path if row is not None else made.label
    return f"a last layer is left out or added: the file returns the result of {where} ({name})"
