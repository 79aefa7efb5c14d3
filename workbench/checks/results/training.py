"""What a comparison of training steps found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.checks.results.checks import Check
from workbench.core import shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class StatisticsCheck:
    """What a batch norm keeps (`key`: running_mean or running_var) after training.

    `check` compares it with Paddle's value, a variance after Paddle's biased one was made unbiased:
    `factor` is n / (n - 1). `apart` is how far the two are apart as they stand, over their scale.
    """

    path: str
    key: str
    check: Check
    apart: float
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Course:
    """One optimiser's steps: losses before each step and after the last, and what they may differ.

    `updates` is how far the two frameworks' changes of all weights are apart, over their size.
    `statistics` are those of the batch norms at the end, where they were trained.
    """

    optimiser: str
    options: tuple[tuple[str, float], ...]
    paddle: tuple[float, ...]
    torch: tuple[float, ...]
    tolerance: tuple[float, ...]
    updates: float
    statistics: tuple[StatisticsCheck, ...] = ()

    @property
    def passed(self) -> bool:
        """True when every loss, a number, and every statistic agrees within its tolerance."""
        return self.ratio <= 1 and not any(one.check.failed for one in self.statistics)

    @property
    def worst_statistics(self) -> tuple[StatisticsCheck, ...]:
        """The statistics that differ, then those closest to their tolerance."""
        order = sorted(self.statistics, key=lambda one: (one.check.failed, one.check.ratio))
        return tuple(reversed(order))

    @property
    def ratio(self) -> float:
        """The largest difference of a loss over its tolerance."""
        lines = zip(self.paddle, self.torch, self.tolerance, strict=True)
        found = [abs(a - b) / t if t else math.inf if a != b else 0.0 for a, b, t in lines]
        return max((math.inf if math.isnan(one) else one for one in found), default=0.0)


@dataclass(frozen=True, slots=True)
class TrainingParity:
    """The result of `m.training()`: a course for each optimiser, and what differs on purpose.

    `batch_norm` is "stored" where it kept its statistics, "train" where it took the batch's.
    """

    inputs: tuple[str, ...]
    courses: tuple[Course, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    batch_norm: str = "stored"

    @property
    def passed(self) -> bool:
        """True when the losses of every optimiser agree."""
        return bool(self.courses) and all(course.passed for course in self.courses)

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        told = ", ".join(
            f"{course.optimiser} {'agrees' if course.ratio <= 1 else 'differs'} "
            f"({course.ratio:.2g}× its tolerance)"
            for course in self.courses
        )
        steps = len(self.courses[0].torch) - 1 if self.courses else 0
        verdict = "passed" if self.passed else "failed"
        return f"{verdict}: losses over {steps} steps: {told}{self._statistics}"

    @property
    def _statistics(self) -> str:
        """What became of the running statistics, in a few words."""
        found = [one for course in self.courses for one in course.statistics]
        if not found:
            return ""
        bad = max(found, key=lambda one: (one.check.failed, one.check.ratio))
        if bad.check.failed:
            return f"; {bad.key} of {bad.path} is {bad.check.ratio:.3g}× its tolerance away"
        return f"; running statistics agree ({bad.check.ratio:.2g}× their tolerance)"

    def frame(self) -> pd.DataFrame:
        """One line a step and optimiser."""
        import pandas as pd

        lines = [
            {"optimiser": course.optimiser, "step": step, "paddle": a, "torch": b, "tolerance": t}
            for course in self.courses
            for step, (a, b, t) in enumerate(
                zip(course.paddle, course.torch, course.tolerance, strict=True)
            )
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        return f"TrainingParity({self.summary})"

    def _repr_html_(self) -> str:
        return shown.html(self)
