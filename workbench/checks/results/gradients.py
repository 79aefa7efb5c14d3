"""What a comparison of gradients found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.checks.results.checks import VERDICTS, Check
from workbench.core import shown

if TYPE_CHECKING:
    import pandas as pd

#: What a gradient is the gradient of.
KINDS = ("input", "parameter", "value")


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """One gradient *alone* (layers given Paddle's incoming gradient) and *in the chain*.

    `kind` is input, parameter or value (a value inside the model). `paths` are the layers whose
    backward pass makes the gradient; one of them is at fault when it fails alone.
    """

    name: str
    kind: str
    paths: tuple[str, ...]
    shape: tuple[int, ...]
    alone: Check
    chain: Check
    health: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True when rounding does not explain the gradient, alone."""
        return self.alone.failed


@dataclass(frozen=True, slots=True)
class GradientParity:
    """The result of `m.gradients()`: every gradient of one backward pass, in program order."""

    inputs: tuple[str, ...]
    seed: int
    checks: tuple[GradientCheck, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """True when no gradient differs by more than rounding explains, and some were compared."""
        compared = [check for check in self.checks if check.alone.verdict != "unchecked"]
        ends = [check for check in self.checks if check.kind != "value"]
        return (
            bool(compared)
            and not any(check.failed for check in compared)
            and not any(check.chain.failed for check in ends)
        )

    @property
    def verdict(self) -> str:
        """Worst verdict of all gradients alone."""
        return max(
            (check.alone.verdict for check in self.checks),
            key=VERDICTS.index,
            default="unchecked",
        )

    def of(self, kind: str) -> tuple[GradientCheck, ...]:
        """The checks of one kind."""
        return tuple(check for check in self.checks if check.kind == kind)

    @property
    def first_mismatch(self) -> GradientCheck | None:
        """The first gradient that differs, in the order of the backward pass."""
        backward = list(reversed(self.checks))
        found = [check for check in backward if check.failed]
        if not found and not self.passed:
            found = [check for check in backward if check.chain.failed]
        return found[0] if found else None

    @property
    def largest_error(self) -> GradientCheck | None:
        """The input or parameter whose gradient has the largest scale-relative error."""
        ends = [
            c
            for c in self.checks
            if c.kind != "value" and c.chain.error is not None and not c.health
        ]
        return max(
            ends, key=lambda c: c.chain.error.relative if c.chain.error else 0.0, default=None
        )

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        if self.passed:
            parameters, inputs = self._compared("parameter"), self._compared("input")
            largest = self.largest_error
            told = (
                f"; largest error {largest.chain.error.relative:.1e} of its scale ({largest.name})"
                if largest and largest.chain.error
                else ""
            )
            return (
                f"passed: gradients of {parameters} parameters and {inputs} inputs agree with "
                f"Paddle within rounding{self._others}{told}"
            )
        bad = self.first_mismatch
        if bad is None:
            return "unverified: no gradient could be compared"
        check = bad.alone if bad.alone.failed else bad.chain
        how = check.problem or (
            f"error {check.error.max_abs:.3g}, {check.ratio:.3g}× what rounding explains"
            if check.error
            else "differs"
        )
        where = f" (backward of {', '.join(bad.paths)})" if bad.paths else ""
        return f"failed: gradient of {bad.kind} {bad.name}{where}: {how}"

    @property
    def _others(self) -> str:
        """How many inputs and parameters were not compared, and why."""
        left = [c for c in self.checks if c.kind != "value" and c.alone.verdict == "unchecked"]
        none = sum(not check.alone.problem for check in left)
        told = f" ({none} have none in either framework)" if none else ""
        return told + (f" ({len(left) - none} could not be compared)" if len(left) > none else "")

    def _compared(self, kind: str) -> int:
        return sum(check.alone.verdict != "unchecked" for check in self.of(kind))

    def frame(self) -> pd.DataFrame:
        """One line a gradient: errors alone and in the chain, tolerances, verdicts."""
        import pandas as pd

        return pd.DataFrame([_line(check) for check in self.checks])

    def __repr__(self) -> str:
        return f"GradientParity({self.summary})"

    def _repr_html_(self) -> str:
        return shown.html(self)


def _line(check: GradientCheck) -> dict[str, Any]:
    line: dict[str, Any] = {
        "name": check.name, "kind": check.kind, "layers": ", ".join(check.paths),
        "shape": check.shape,
    }  # fmt: skip
    for name, one in (("alone", check.alone), ("chain", check.chain)):
        error = one.error
        line[f"{name}_max_abs"] = error.max_abs if error else None
        line[f"{name}_relative"] = error.relative if error else None
        line[f"{name}_cosine"] = error.cosine if error else None
        line[f"{name}_tolerance"] = one.tolerance
        line[f"{name}_verdict"] = one.verdict
    line["problem"] = check.alone.problem or check.chain.problem
    line["health"] = "; ".join(check.health)
    return line
