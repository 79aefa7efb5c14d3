"""Passes: what each of them requires of a program and ensures for those that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench.core.errors import ModelFileError
from workbench.core.program import Program


class State(StrEnum):
    """What holds of a program after a pass that ensures it."""

    LISTS_APART = "operators read and make values, not lists, wherever they can"
    TRUE_SIZES = "a declared size is the size, or -1"
    WRITTEN_ONCE = "no operator writes into its operand; every value has one maker"
    ONE_BRANCHING = "a choice is one `if` with two branches"
    KNOWN_SIZES = "`Program.known` holds sizes as numbers or integer expressions"
    TIDY_CONTROL = "decided branches are taken, counting loops are `workbench.for`"
    TRAITS = "every operator carries what its rule states of it"


#: What every source's passes end in; rules, targets and checks rely on it.
COMMON_SHAPE = frozenset(State)


@dataclass(frozen=True, slots=True)
class Pass:
    """One function from a program to a program, with what it requires and what it ensures."""

    run: Callable[[Program], Program]
    requires: tuple[State, ...] = ()
    ensures: tuple[State, ...] = ()

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.run.__name__


def run_in_order(passes: Sequence[Pass], program: Program) -> Program:
    """Run every pass in order.

    Raises `ModelFileError` when one meets what no saved program has: an operator without an operand
    that it must have, an attribute of another type.
    """
    for one in passes:
        try:
            program = one.run(program)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(
                f"{program.source or 'The program'} does not hold together: {one.name} failed "
                f"on it ({type(error).__name__}: {error}).",
                "Export the model again; if that does not help, please send us the file.",
            ) from error
    return program


def unmet(passes: Sequence[Pass]) -> list[str]:
    """What is required and not ensured before, by name of the pass; empty when the order is right.

    What the passes leave out of `COMMON_SHAPE` is told under "the end".
    """
    have: set[State] = set()
    told = []
    for one in passes:
        told += [f"{one.name}: {state}" for state in one.requires if state not in have]
        have.update(one.ensures)
    return told + [f"the end: {state}" for state in sorted(COMMON_SHAPE - have)]
