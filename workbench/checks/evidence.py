"""What was found about a model: the results that a report, a bundle and a notebook show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from workbench.checks.subject import Subject

if TYPE_CHECKING:
    from workbench.checks.results.comparison import Comparison
    from workbench.checks.results.gradients import GradientParity
    from workbench.checks.results.training import TrainingParity
    from workbench.checks.results.verification import Verification
    from workbench.checks.tasks.task import TaskParity
    from workbench.checks.values.revealing_inputs import Sample
    from workbench.sources.interface import Runtime
    from workbench.sources.reference import Reference


class Evidence(Subject, Protocol):
    """A subject with what was found so far; None or empty for what was not looked for."""

    verification: Verification | None
    gradient_parity: GradientParity | None
    task_parity: TaskParity | None
    training_parity: TrainingParity | None
    comparison: Comparison | None
    timings: tuple[str, ...]
    references: tuple[Reference, ...]
    rewrites: tuple[str, ...]
    code: str

    def verify(self, inputs: Any = None, *, thorough: bool = False) -> Verification:
        """Compare every layer and the outputs with the source framework."""

    def prove(
        self,
        samples: Sequence[Sample],
        runtime: Runtime,
        thorough: bool = False,
        show: Callable[[Iterable[Any], str], Iterable[Any]] = ...,
    ) -> Verification:
        """The one way to verify: checks, probes, causes."""

    def explained(self) -> Verification:
        """The last verification, with what explains its failures."""
