"""Try the usual confusions on a layer with Paddle's recorded inputs, and tell which one it is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dict
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from torch import fx

from workbench.checks.diagnosis.confusions import confusions, constants
from workbench.checks.diagnosis.differences import from_rule, place_of, plain_edit, rule_row
from workbench.checks.diagnosis.outputs import output_findings
from workbench.checks.diagnosis.patterns import first_pair, line_between, pattern
from workbench.checks.diagnosis.structure import own_settings, structural
from workbench.checks.diagnosis.weights import Candidate
from workbench.checks.layers.verify import check_row
from workbench.checks.results.checks import Check, Finding
from workbench.checks.results.statistics import largest_difference
from workbench.checks.results.verification import Verification
from workbench.checks.rounding.judging import worst
from workbench.checks.values.block_rows import references_of
from workbench.checks.values.closeness import unit_of
from workbench.checks.values.integrity import check_integrity
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import reference_tensor
from workbench.conversion.apply import make_mapping
from workbench.conversion.book import RuleBook
from workbench.core.errors import WorkbenchError
from workbench.core.mapping import Mapping, Row
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.sources.registry import source_of
from workbench.targets.pytorch.builder import build_row

#: Seconds and attempts that one layer may take.
SECONDS, ATTEMPTS = 10.0, 300
#: Layers that are diagnosed after a verification.
LAYERS = 5

#: What is told of a branch, and of a loop, that differs although every layer inside agrees.
BRANCH = "every layer inside agrees: the other branch is taken, or other values are handed on"
LOOP = (
    "every layer inside agrees: the loop runs more or fewer times than Paddle's, or hands on other "
    "values"
)
#: Paddle's values on the probing inputs at which a row differs, by path.
Probes = Dict[str, Sequence[Reference]]


def diagnose_all(
    mapping: Mapping,
    verification: Verification,
    references: Sequence[Reference],
    module: fx.GraphModule | None = None,
    rules: RuleBook | None = None,
    probes: Probes | None = None,
) -> tuple[Finding, ...]:
    """Findings for the first root causes of a failed verification.

    `probes` are Paddle's values for rows that differ on probing inputs only.
    """
    made = _made(mapping, rules)
    changes = {layer.path: layer.changed for layer in verification.layers if layer.changed}
    found: list[Finding] = []
    for layer in verification.root_causes[:LAYERS]:
        row = mapping[layer.path]
        probed = None if layer.alone.failed else (probes or {}).get(row.path)
        failing = _failing_first(verification, layer.path, references)
        values = probed or references_of(mapping, row.path, failing)
        found += _findings(mapping, row, values, changes.get(row.path, ""), made, module)
        if row.blocks and not any(one.path == row.path for one in found):
            told = BRANCH if row.has(Trait.BRANCH) else LOOP
            found.append(_finding(row, told, layer.own, None, None, "pattern"))
    return (*found, *output_findings(mapping, verification, references))


def _failing_first(
    verification: Verification, path: str, references: Sequence[Reference]
) -> list[Reference]:
    """The references of runs in which a layer fails, then the others: a fault may show at one size
    only.
    """
    if len(verification.runs) != len(references):
        return list(references)
    failed = [
        any(layer.path == path and layer.alone.failed for layer in run.layers)
        for run in verification.runs
    ]
    order = sorted(range(len(references)), key=lambda number: not failed[number])
    return [references[number] for number in order]


def diagnose(
    mapping: Mapping,
    row: Row,
    references: Sequence[Reference],
    module: fx.GraphModule | None = None,
    rules: RuleBook | None = None,
) -> list[Finding]:
    """Why the row differs from Paddle; the first finding is the most likely.

    `references` are Paddle's values of a verification. `module`, when given, is looked at too: it
    may have been changed after conversion. `rules` say what the row should be, by default those of
    its framework; with an empty book only the usual confusions are tried. Each finding was tried:
    `error_after` is what remains when it is mended. Empty when the row agrees with Paddle or
    nothing explains it.
    """
    changes = check_integrity(mapping, module).changes if module is not None else {}
    told = changes.get(row.path, "")
    references = references_of(mapping, row.path, references)
    return list(_findings(mapping, row, references, told, _made(mapping, rules), module))


def _made(mapping: Mapping, rules: RuleBook | None) -> list[dict[str, Row]]:
    """What the rules make of the program, by the place of the operator; then what ours make."""
    found = []
    ours = source_of(mapping.program).rules
    books = (rules or ours, ours) if rules is None or rules.names() else ()
    for book in dict.fromkeys(books):
        with suppress(WorkbenchError):
            made = make_mapping(mapping.program, book)
            found.append({place_of(row): row for row in made.walk()})
    return found


def _findings(
    mapping: Mapping,
    row: Row,
    references: Sequence[Reference],
    changed: str,
    made: list[dict[str, Row]],
    module: fx.GraphModule | None,
) -> Iterator[Finding]:
    trial = _Trial(mapping, references)
    as_mapped = trial.check(row)
    if changed:
        before = as_mapped
        if module is not None:
            try:
                before = worst(check_row(mapping, row.path, r, module) for r in references)
            except Exception:  # noqa: BLE001 - the changed module cannot run
                before = Check("wrong", problem="it cannot run")
        told = f"the module was changed after conversion: {changed}"
        yield _finding(row, told, before, as_mapped, None, "changed", "convert the model again")
    if not as_mapped.failed:
        return
    far = as_mapped.error is not None and as_mapped.error.max_abs > 100 * as_mapped.tolerance
    worse = as_mapped.error.max_abs if far and as_mapped.error is not None else math.inf
    for candidate in _candidates(mapping, row, references, made):
        check = trial.check(candidate.row, worse)
        if check.verdict in ("exact", "rounding"):
            edit = plain_edit(mapping, row, candidate.edit)
            yield _finding(row, candidate.cause, as_mapped, check, edit, "tried")
            return
        if trial.spent:
            break
    told = pattern(mapping, row, references)
    if told:
        yield _finding(row, told, as_mapped, None, None, "pattern")


def _candidates(
    mapping: Mapping, row: Row, references: Sequence[Reference], made: list[dict[str, Row]]
) -> Iterator[Candidate]:
    for by_rule in (rule_row(row, rows) for rows in made):
        if by_rule is None:
            continue
        candidate = from_rule(mapping, row, replace(by_rule, path=row.path))
        if candidate is not None:
            yield candidate
    pair = first_pair(mapping, row, references)
    if pair is not None:
        yield from constants(row, *line_between(*pair))
    yield from own_settings(row)
    yield from structural(row, partial(_shape, references))
    yield from confusions(mapping, row)


def _shape(references: Sequence[Reference], value: Value) -> tuple[int, ...]:
    """The sizes that a value had in Paddle; () where it was not recorded."""
    known = next((one for one in references if value in one), None)
    return known.array(value).shape if known is not None else ()


class _Trial:
    """Checks rows that were perhaps meant, cheapest input first, within a budget."""

    def __init__(self, mapping: Mapping, references: Sequence[Reference]) -> None:
        self.mapping = mapping
        self.references = sorted(references, key=lambda r: sum(a.nbytes for a in r.inputs))
        self.until = time.monotonic() + SECONDS
        self.left = ATTEMPTS

    @property
    def spent(self) -> bool:
        """True when no more attempts are to be made."""
        return self.left <= 0 or time.monotonic() > self.until

    def check(self, row: Row, worse: float = math.inf) -> Check:
        """The row alone on every reference; stops at the first that fails.

        A row whose error is not far below `worse` is not judged any further.
        """
        self.left -= 1
        check = Check("unchecked")
        try:
            module = build_row(self.mapping, row)
            mapping = replace(self.mapping, rows=(row,))
            if self._hopeless(module, row, worse):
                return Check("wrong", problem="no better")
            for reference in self.references:
                check = worst([check, check_row(mapping, row.path, reference, module)])
                if check.failed:
                    break
        except Exception as error:  # noqa: BLE001 - a candidate that cannot be built or run
            return Check("wrong", problem=str(error))
        return check

    def _hopeless(self, module: fx.GraphModule, row: Row, worse: float) -> bool:
        """True when one run shows that the error stays as large as it was."""
        get = partial(reference_tensor, self.references[0])
        made = RowRunner(module).alone(row.path, get)
        for value, ours in made.items():
            theirs = get(value)
            if theirs is None or not isinstance(ours, torch.Tensor):
                continue
            if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
                return True
            if largest_difference(ours, theirs) > max(0.1 * worse, _rounding(theirs)):
                return True
        return False


def _rounding(theirs: torch.Tensor) -> float:
    """What float32 may hide of an error that shows in float64."""
    if not theirs.is_floating_point() or not theirs.numel():
        return 0.0
    finite = theirs[torch.isfinite(theirs)].abs()
    return unit_of(theirs.dtype) * float(finite.max()) if finite.numel() else 0.0


def _finding(
    row: Row,
    cause: str,
    before: Check,
    after: Check | None,
    edit: dict[str, object] | None,
    how: str,
    remedy: str = "",
) -> Finding:
    return Finding(
        row.path,
        cause,
        before.error.max_abs if before.error else float("inf") if before.problem else 0.0,
        after.error.max_abs if after and after.error else None,
        max(before.tolerance, after.tolerance if after else 0.0),
        edit,
        how,
        remedy,
    )
