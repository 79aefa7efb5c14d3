"""What the report says beyond the layers: diagnosis, gradients, task, comparison, benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench.checks.results.checks import VERDICTS
from workbench.checks.results.comparison import KINDS, Comparison
from workbench.checks.results.gradients import GradientCheck, GradientParity
from workbench.checks.results.training import StatisticsCheck, TrainingParity
from workbench.checks.results.verification import Verification
from workbench.checks.tasks.task import TaskParity
from workbench.checks.values.gaps import Gap, find_gaps
from workbench.report.entries import check_entry

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

#: Gradients that are shown one by one: those that differ, else those closest to their tolerance.
SHOWN = 12


def parity_content(migration: Evidence, verification: Verification | None) -> dict[str, Any]:
    """The content in plain types; None for what was not run."""
    gradients = migration.gradient_parity
    training = migration.training_parity
    task = migration.task_parity
    comparison = migration.comparison if verification is not None else None
    return {
        "diagnosis": _diagnosis(verification),
        "gradients": _gradients(gradients) if gradients is not None else None,
        "training": _training(training) if training is not None else None,
        "task": _task(task) if task is not None else None,
        "comparison": _comparison(comparison) if comparison is not None else None,
        "benchmark": list(migration.timings),
    }


def parity_concerns(data: dict[str, Any]) -> list[dict[str, Any]]:
    """What of all this a reader should know before relying on the verdict."""
    gradients, task, comparison = data["gradients"], data["task"], data["comparison"]
    courses = data["training"]["courses"] if data["training"] else []
    gaps = {gap["kind"]: len(gap["layers"]) for gap in data["coverage"]["gaps"]}
    counts = {
        "branch": gaps.get("branch", 0),
        "zero_inputs": gaps.get("zero_inputs", 0),
        "unseen_rows": gaps.get("unseen_rows", 0),
        "gradients": gradients["differing"] if gradients else 0,
        "training": sum(not course["passed"] for course in courses),
        "task": task["samples"] - task["same"] if task else 0,
        "worse": comparison["counts"]["worse"] if comparison else 0,
    }
    return [{"code": code, "count": count} for code, count in counts.items() if count]


def gaps_content(migration: Evidence, verification: Verification | None) -> list[dict[str, Any]]:
    """What the inputs left untouched, one entry for each kind."""
    references = migration.references
    if verification is None or not references:
        return []
    found: dict[str, list[Gap]] = {}
    for gap in find_gaps(migration.mapping, migration.convert(), references):
        found.setdefault(gap.kind, []).append(gap)
    return [
        {
            "kind": kind,
            "layers": [
                {"path": gap.path, "count": gap.count, "total": gap.total, "detail": gap.detail}
                for gap in sorted(gaps, key=lambda gap: -gap.count / gap.total)
            ],
        }
        for kind, gaps in found.items()
    ]


def _diagnosis(verification: Verification | None) -> list[dict[str, Any]]:
    if verification is None or not verification.failed:
        return []
    return [
        {
            "path": finding.path,
            "cause": finding.cause,
            "how": finding.how,
            "error_before": finding.error_before,
            "error_after": finding.error_after,
            "tolerance": finding.tolerance,
            "command": finding.command,
            "remedy": finding.remedy,
        }
        for finding in verification.diagnosis
    ]


def _gradients(found: GradientParity) -> dict[str, Any]:
    bad = [check for check in found.checks if check.failed or check.chain.failed]
    bad.sort(key=lambda check: not check.failed)
    ends = [check for check in found.checks if check.kind != "value"]
    near = sorted(ends, key=lambda check: -max(check.alone.ratio, check.chain.ratio))
    first = found.first_mismatch
    return {
        "passed": found.passed,
        "status": found.summary.partition(":")[0],
        "summary": found.summary,
        "seconds": found.seconds,
        "inputs": list(found.inputs),
        "notes": list(found.notes),
        "counts": {kind: len(found.of(kind)) for kind in ("parameter", "input", "value")},
        "verdicts": _verdicts(found.checks),
        "first": {"name": first.name, "paths": list(first.paths)} if first else None,
        "shown": [_gradient(check) for check in (bad or near)[:SHOWN]],
        "differing": len(bad),
        "all": [_gradient(check) for check in found.checks],
    }


def _verdicts(checks: Iterable[GradientCheck]) -> dict[str, int]:
    counts = dict.fromkeys(VERDICTS, 0)
    for check in checks:
        counts[check.alone.verdict] += 1
    return {verdict: count for verdict, count in counts.items() if count}


def _gradient(check: GradientCheck) -> dict[str, Any]:
    return {
        "name": check.name,
        "kind": check.kind,
        "paths": list(check.paths),
        "shape": list(check.shape),
        "health": list(check.health),
        "alone": _brief(check_entry(check.alone)),
        "chain": _brief(check_entry(check.chain)),
    }


def _brief(entry: dict[str, Any]) -> dict[str, Any]:
    """The figures of a gradient, without its histogram."""
    kept = ("verdict", "problem", "relative", "max_abs", "scale", "cosine", "tolerance", "ratio")
    return {key: entry[key] for key in kept}


def _training(found: TrainingParity) -> dict[str, Any]:
    return {
        "passed": found.passed,
        "status": "passed" if found.passed else "failed",
        "inputs": list(found.inputs),
        "warnings": list(found.warnings),
        "batch_norm": found.batch_norm,
        "courses": [
            {
                "optimiser": course.optimiser,
                "options": dict(course.options),
                "paddle": list(course.paddle),
                "torch": list(course.torch),
                "tolerance": list(course.tolerance),
                "ratio": course.ratio,
                "updates": course.updates,
                "passed": course.passed,
                "statistics": [_statistic(one) for one in course.worst_statistics],
            }
            for course in found.courses
        ],
    }


def _statistic(found: StatisticsCheck) -> dict[str, Any]:
    return {
        "path": found.path,
        "key": found.key,
        "apart": found.apart,
        "factor": found.factor,
        **_brief(check_entry(found.check)),
    }


def _task(found: TaskParity) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "source": found.source,
        "steps": list(found.steps),
        "samples": found.samples,
        "same": found.same,
        "agreement": found.agreement,
        "passed": found.passed,
        "status": "passed" if found.passed else "failed",
        "interval": list(found.interval),
        "rule": found.rule,
        "constant": found.constant,
        "skipped": [{"sample": name, "why": why} for name, why in found.skipped],
        "paddle": found.paddle,
        "torch": found.torch,
        "disagreements": [
            {"sample": one.sample, "paddle": one.paddle, "torch": one.torch}
            for one in found.disagreements
        ],
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "before": found.before,
        "now": found.now,
        "same": found.same,
        "counts": {kind: len(found.of(kind)) for kind in KINDS},
        "changes": [
            {
                "path": change.path,
                "kind": change.kind,
                "place": change.place,
                "before": _brief(check_entry(change.before)) if change.before else None,
                "now": _brief(check_entry(change.now)) if change.now else None,
            }
            for change in found.changes
        ],
    }
