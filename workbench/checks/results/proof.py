"""What a verification proves: which layers and outputs nothing was compared with that could show
an error, and what to give so that something is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.core.traits import Trait

if TYPE_CHECKING:
    from workbench.checks.results.checks import LayerCheck, OutputCheck, Run

#: The outcomes of a verification.
OUTCOMES = ("passed", "not proven", "failed")
#: Why nothing was proven, in words, and what to do about it; the codes are in the order in which
#: they are told.
REASONS = {
    "mistaken": ("Paddle computes it by mistake", "judge by the note of the row"),
    "random": (
        "it draws random numbers, which two frameworks never share",
        "compare the distribution of what it draws by hand",
    ),
    "empty": (
        "its reference is empty: nothing was found",
        "give a real picture or text with --inputs",
    ),
    "NaN": ("its reference holds NaN", "give inputs of which Paddle makes numbers with --inputs"),
    "infinite": (
        "its reference holds infinite numbers",
        "give inputs of which Paddle makes numbers with --inputs",
    ),
    "constant": ("its reference is one number throughout", "give real inputs with --inputs"),
    "vanishing": ("its reference is almost zero", "give real inputs with --inputs"),
    "unjudged": (
        "rounding decides what it is",
        "give inputs that are less close to a tie with --inputs",
    ),
    "not_run": (
        "it did not run, or Paddle hands out no value",
        "give inputs that take its branch with --inputs, or try --thorough",
    ),
}  # fmt: skip
#: Names that are told of a group.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Unproven:
    """A layer, or an output, that no run and no probe proved; `reason` is a key of `REASONS`."""

    path: str
    reason: str
    is_output: bool = False


def unproven(runs: Sequence[Run]) -> tuple[Unproven, ...]:
    """What no run and no probe proved: outputs first, then layers in order."""
    outputs = zip(*(run.outputs for run in runs), strict=True)
    layers = zip(*(run.layers for run in runs), strict=True)
    ends = [_unproven_output(number, checks) for number, checks in enumerate(outputs, 1)]
    proven = bool(ends) and not any(ends)
    found = [*ends, *(_unproven_layer(checks, proven) for checks in layers)]
    return tuple(one for one in found if one is not None)


def _unproven_output(number: int, checks: Sequence[OutputCheck]) -> Unproven | None:
    compared = [one for one in checks if one.check.verdict != "unchecked"]
    if any(not one.health for one in compared):
        return None
    name = checks[0].name if not checks[0].name.startswith("%") else f"output {number}"
    return Unproven(name, _reason(checks, compared), is_output=True)


def _unproven_layer(checks: Sequence[LayerCheck], ends: bool) -> Unproven | None:
    """`ends` says that the outputs are proven, and with them what ran and has no values of its own
    to compare, such as a list, or draws the numbers that they were compared with.
    """
    if any(one.probe.verdict != "unchecked" or (ends and _is_covered(one)) for one in checks):
        return None
    compared = [one for one in checks if one.verdict != "unchecked"]
    if any(not one.health for one in compared):
        return None
    return Unproven(checks[0].path, _reason(checks, compared))


def _reason(checks: Sequence[Any], compared: Sequence[Any]) -> str:
    """A key of `REASONS`: the traits of the row, else what its references lack."""
    for trait in (Trait.MISTAKEN, Trait.RANDOM):
        if trait in checks[0].traits:
            return str(trait)
    lacks = [health.split()[0] for one in compared or checks for health in one.health]
    if lacks:
        return str(lacks[0])
    judged = any(_was_met(one) for one in checks)
    return "unjudged" if judged else "not_run"


def _is_covered(one: LayerCheck) -> bool:
    switched_off = Trait.MISTAKEN in one.traits or _was_met(one)
    return one.ran and one.verdict == "unchecked" and not switched_off


def _was_met(one: Any) -> bool:
    """True when there was something to compare, and no verdict on it."""
    checks = (one.alone, one.chain) if hasattr(one, "alone") else (one.check,)
    return any(check.error is not None or check.problem for check in checks)


def told_of(found: Iterable[Unproven]) -> str:
    """One sentence for each reason: what is not proven, why, and what to give."""
    groups: dict[str, list[Unproven]] = {}
    for one in found:
        groups.setdefault(one.reason, []).append(one)
    order = [reason for reason in REASONS if reason in groups]
    return "; ".join(f"{_names(groups[reason])}: {', '.join(REASONS[reason])}" for reason in order)


def _names(group: Sequence[Unproven]) -> str:
    names = ", ".join(one.path for one in group[:NAMED])
    return f"{names} and {len(group) - NAMED} more" if len(group) > NAMED else names
