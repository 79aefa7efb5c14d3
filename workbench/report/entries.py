"""One comparison in plain types."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from workbench.checks.results.checks import Check
from workbench.checks.results.statistics import ErrorStats

#: The figures of one comparison; None where nothing was compared.
FIGURES = (
    *(field.name for field in fields(ErrorStats)), "relative", "tolerance", "noise", "ratio",
)  # fmt: skip


def check_entry(check: Check) -> dict[str, Any]:
    """One comparison in plain types."""
    entry: dict[str, Any] = {"verdict": check.verdict, "problem": check.problem}
    if check.error is None:
        return entry | dict.fromkeys(FIGURES)
    return entry | {
        **asdict(check.error),
        "relative": check.error.relative,
        "tolerance": check.tolerance,
        "noise": check.noise,
        "ratio": check.ratio,
    }
