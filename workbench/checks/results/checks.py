"""One comparison and what is made of many: a layer, an output, a run, what explains a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.checks.results.statistics import ErrorStats

#: Verdicts from best to worst. *unchecked*: nothing to compare (random, list, inside a block).
VERDICTS = ("unchecked", "exact", "rounding", "suspicious", "wrong")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: its error, the tolerance that the rounding noise allows, and the verdict.

    `tolerance` is absolute, like `error.max_abs`. `problem` says in words what is wrong beyond
    numbers: another shape or dtype, an exception. `cause` says as data what the check rests on
    where it is not numbers: "raised" (torch refused to run the layer), "excused" (a decision before
    it flipped); empty otherwise.
    """

    verdict: str
    error: ErrorStats | None = None
    tolerance: float = 0.0
    noise: float = 0.0
    problem: str = ""
    cause: str = ""

    @property
    def ratio(self) -> float:
        """Error over tolerance; above 1 is more than rounding explains."""
        if self.error is None:
            return float("inf") if self.problem else 0.0
        if self.error.max_abs == 0:
            return 0.0
        return self.error.max_abs / self.tolerance if self.tolerance else float("inf")

    @property
    def failed(self) -> bool:
        """True for verdicts that rounding does not explain."""
        return self.verdict in ("suspicious", "wrong")

    @property
    def told(self) -> str:
        """The problem in words, or how far the error is from what rounding explains."""
        if self.problem or self.error is None:
            return self.problem
        return f"error {self.error.max_abs:.3g}, {self.ratio:.3g}× what rounding explains"


@dataclass(frozen=True, slots=True)
class LayerCheck:
    """A layer checked *alone* (fed Paddle's own inputs) and *in the chain* (fed our own).

    `changed` tells what of the module is not as the mapping and the model's file say, which numbers
    on sample inputs may not show. `probe` is the layer alone on inputs that were chosen for it.
    `coarse` tells why its rule was compared to the precision of the program's own dtypes only, and
    not in float64; empty where it was.
    `health` says why the reference can show little, `traits` are those of the row (`traits.Trait`).
    `ran` is false for a layer of a branch that was not taken.
    """

    path: str
    ops: tuple[str, ...]
    target: str
    shape: tuple[int, ...]
    dtype: str
    alone: Check
    chain: Check
    health: tuple[str, ...] = ()
    changed: str = ""
    probe: Check = Check("unchecked")
    coarse: str = ""
    traits: tuple[str, ...] = ()
    ran: bool = True

    @property
    def own(self) -> Check:
        """The layer itself: alone on the values of the run, or on probing inputs where these show
        a fault that the run does not, or nothing of the run could be compared.
        """
        if self.alone.failed or (self.alone.verdict != "unchecked" and not self.probe.failed):
            return self.alone
        return self.alone if self.probe.verdict == "unchecked" else self.probe

    @property
    def verdict(self) -> str:
        """Verdict on the layer itself: an error in the chain may come from an earlier layer."""
        if self.changed:
            return "wrong"
        return self.own.verdict if self.own.verdict != "unchecked" else self.chain.verdict

    @property
    def failed(self) -> bool:
        """True when the layer itself is at fault."""
        return self.own.failed or bool(self.changed)

    @property
    def why(self) -> str:
        """What is wrong with the layer, in words; empty when nothing is."""
        if not (self.failed or self.chain.failed):
            return ""
        check = self.own if self.own.failed or self.changed else self.chain
        told = check.told if check.failed else ""
        return "; ".join(filter(None, [self.changed, told])) or "differs"


@dataclass(frozen=True, slots=True)
class OutputCheck:
    """An output of the whole model, end to end."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    check: Check
    health: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a layer differs: the cause in words, the error with it and without it, and the edit.

    `edit` holds the changes for `mapping.edit(path, **edit)`, in plain values; None when an edit
    cannot mend it, then `remedy` may say what does. `how` tells what the finding rests on:
    "changed" (the module is not as the mapping says), "tried" (the mended layer agrees with
    Paddle), "pattern" (what the difference looks like).
    """

    path: str
    cause: str
    error_before: float
    error_after: float | None
    tolerance: float
    edit: dict[str, Any] | None = None
    how: str = "tried"
    remedy: str = ""

    @property
    def command(self) -> str:
        """The Python that mends it; empty when there is no edit."""
        if self.edit is None:
            return ""
        told = "".join(f", {name}={value!r}" for name, value in self.edit.items())
        return f"m.mapping = m.mapping.edit({self.path!r}{told})"

    def __str__(self) -> str:
        after = (
            f"; mended, the error is {self.error_after:.3g} instead of {self.error_before:.3g}"
            if self.error_after is not None
            else ""
        )
        return f"{self.path}: {self.cause}{after}"


@dataclass(frozen=True, slots=True)
class Run:
    """All checks for one set of inputs; `told` says what these are meant to show."""

    inputs: tuple[str, ...]
    layers: tuple[LayerCheck, ...]
    outputs: tuple[OutputCheck, ...]
    told: str = ""
