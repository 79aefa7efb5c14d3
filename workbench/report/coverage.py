"""What the verification proves and what it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workbench.checks.results.checks import LayerCheck
from workbench.checks.results.verification import Verification
from workbench.checks.values.inputs import is_dynamic
from workbench.core.mapping import Mapping, Row

#: States of a row, from proven to not: compared on a healthy reference; compared, but the reference
#: says little; not compared.
STATES = ("proven", "weak", "unchecked")


@dataclass(frozen=True, slots=True)
class Covered:
    """The state of one row and, unless it is *proven*, the reason as a code of the texts."""

    path: str
    state: str
    reason: str = ""


def coverage(mapping: Mapping, verification: Verification | None) -> list[Covered]:
    """The state of every row that computes something, in program order."""
    found: dict[str, list[LayerCheck]] = {}
    for run in verification.runs if verification else ():
        for layer in run.layers:
            found.setdefault(layer.path, []).append(layer)
    outer = {row.path for row in mapping.rows}
    missing = {one.path for one in verification.unproven} if verification else set()
    proven = set(found) - missing
    return [
        Covered(row.path, "proven")
        if row.path in proven and row.is_comparable
        else _state(row, found.get(row.path, []), row.path in outer)
        for row in mapping.walk()
        if not row.is_parameter
    ]


def _state(row: Row, checks: list[LayerCheck], outer: bool) -> Covered:
    """The state of a row that nothing proved."""
    compared = [check for check in checks if check.verdict != "unchecked"]
    if not compared:
        return Covered(row.path, "unchecked", _why_unchecked(row, checks, outer))
    reasons = dict.fromkeys(health.split()[0] for check in compared for health in check.health)
    return Covered(row.path, "weak", next(iter(reasons)))


def _why_unchecked(row: Row, checks: list[LayerCheck], outer: bool) -> str:
    if row.is_random:
        return "random"
    if row.is_mistaken:
        return "mistake"
    if not outer:
        return "block"
    if any(check.alone.error is not None for check in checks):
        return "decision"
    return "missing" if checks else "not_run"


def grouped(states: Iterable[Covered]) -> list[dict[str, Any]]:
    """Rows that prove nothing, grouped by state and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for covered in states:
        if covered.state != "proven":
            groups.setdefault((covered.state, covered.reason), []).append(covered.path)
    return [
        {"state": state, "reason": reason, "paths": paths}
        for (state, reason), paths in groups.items()
    ]


def concerns(
    mapping: Mapping,
    verification: Verification | None,
    states: Iterable[Covered],
    stale: bool = False,
) -> list[dict[str, Any]]:
    """What a reader should know before relying on the verdict: codes of the texts, with numbers.

    `stale` says that there was a verification, of the mapping before an edit.
    """
    found: list[dict[str, Any]] = []

    def add(code: str, count: int) -> None:
        if count:
            found.append({"code": code, "count": count})

    add("stale", int(stale))
    if verification is not None:
        outputs = [output.check.verdict for output in verification.outputs]
        add("outputs_unchecked", outputs.count("unchecked"))
        add("one_run", int(is_dynamic(mapping.program) and len(verification.runs) == 1))
        add("weak", sum(covered.state == "weak" for covered in states))
        add("unchecked", sum(covered.state == "unchecked" for covered in states))
        add("chain", _in_chain_only(verification))
        add("flipped", sum(bool(_flipped(layer)) for layer in verification.layers))
    add("edited", sum(bool(row.edited) for row in mapping.walk()))
    add("custom", sum(row.status == "custom" for row in mapping.walk()))
    return found


def _in_chain_only(verification: Verification) -> int:
    """Layers that agree alone and exceed their tolerance in the chain of a model that passes."""
    if verification.failed:
        return 0
    return sum(layer.chain.failed and not layer.failed for layer in verification.layers)


def _flipped(layer: LayerCheck) -> bool:
    return layer.chain.verdict == "unchecked" and layer.chain.cause == "excused"
