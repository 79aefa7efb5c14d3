"""What to try when a layer disagrees with Paddle: causes that were really tried on the layer."""

from __future__ import annotations

from workbench.checks.results.checks import Finding
from workbench.core.mapping import Mapping, Row
from workbench.notebook.live import Checker
from workbench.notebook.wire import Json


def tries_for(mapping: Mapping, row: Row, checker: Checker) -> list[Json]:
    """Why the row differs, with edits that are ready to apply; a hint when nothing explains it."""
    return [_told(finding) for finding in checker.diagnose(mapping, row.path)] or [
        {"text": _hint(row)}
    ]


def _told(finding: Finding) -> Json:
    told: Json = {"text": finding.cause, "how": finding.how, "remedy": finding.remedy}
    if finding.edit is not None:
        told |= {"edit": finding.edit, "action": _action(finding)}
    if finding.error_after is not None:
        told |= {"before": str(finding.error_before), "after": str(finding.error_after)}
    return told


def _action(finding: Finding) -> str:
    """What the edit does, in words."""
    edit = finding.edit or {}
    if edit.get("reset"):
        return "go back to what the rule makes"
    parts = [f"target {edit['target']}"] if "target" in edit else []
    parts += [f"{name}={value}" for name, value in edit.get("arguments", {}).items()]
    for key, steps in edit.get("weights", {}).items():
        given = steps.get("steps", []) if isinstance(steps, dict) else steps
        parts.append(f"{key}: {', '.join(map(str, given)) or 'copied as it is'}")
    return ", ".join(parts)


def _hint(row: Row) -> str:
    if row.weights:
        return (
            "None of the usual confusions (weights, switches, axes, numbers) explains it. "
            "Compare the weight's shape and order with Paddle's documentation of the operator."
        )
    return (
        "None of the usual confusions explains it. Compare the arguments with Paddle's "
        "documentation of the operator."
    )
