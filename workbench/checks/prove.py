"""The one way to prove a conversion: `m.verify()`, the editor and the command line call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.checks.diagnosis import diagnose_all
from workbench.checks.layers.verify import verify
from workbench.checks.probes import probed
from workbench.checks.probes.check import Probed
from workbench.checks.results.verification import Verification
from workbench.checks.subject import Subject
from workbench.checks.values.revealing_inputs import Sample
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference

Show = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Proof:
    """A verification with what it rests on: the source's values, and those of the probes."""

    verification: Verification
    references: tuple[Reference, ...]
    probed: Probed


def prove(
    subject: Subject,
    samples: Sequence[Sample],
    runtime: Runtime,
    thorough: bool = False,
    show: Show = lambda items, _: items,
) -> Proof:
    """Compare every layer and the outputs on each sample, probe rows, and explain failures.

    `show` wraps what is gone through, with a word for it, to tell how far it is. Raises
    `RuntimeFailedError` when the source framework cannot run the program.
    """
    given = subject.mapping, subject.convert()
    found, references = verify(*given, samples, runtime, show, subject.rules)
    found, outcome = probed(*given, found, references, runtime, thorough, show)
    if found.failed:
        causes = diagnose_all(
            given[0], found, references, given[1], subject.rules, outcome.references
        )
        found = replace(found, diagnosis=causes)
    return Proof(replace(found, thorough=thorough), references, outcome)
