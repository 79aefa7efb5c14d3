"""Which dynamic dimensions of a program may have sizes of their own: Paddle is asked."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.checks.values.inputs import sample_inputs
from workbench.checks.values.sizes import SMALL, Groups, Sizes, apart
from workbench.core.program import Program
from workbench.sources.interface import Runtime


def groups_apart(program: Program, runtime: Runtime) -> Groups:
    """The dimensions that Paddle lets differ from each other; none where it cannot be asked."""

    def takes(ways: Sequence[Groups]) -> Sequence[bool]:
        samples = [sample_inputs(program, sizes=Sizes(SMALL, groups)) for groups in ways]
        return runtime.takes(program, samples)

    return apart(program, takes) if program.source is not None else {}
