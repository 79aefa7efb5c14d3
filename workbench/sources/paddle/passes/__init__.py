"""Passes: each is one function from a program to a program, in a file of its own."""

from __future__ import annotations

from workbench.conversion.passes import Pass, State, run_in_order
from workbench.core.program import Program
from workbench.sources.paddle.passes.branches import branches
from workbench.sources.paddle.passes.control import control
from workbench.sources.paddle.passes.conv_bias import conv_bias
from workbench.sources.paddle.passes.identities import identities
from workbench.sources.paddle.passes.inplace import inplace
from workbench.sources.paddle.passes.linear import linear
from workbench.sources.paddle.passes.lists import lists
from workbench.sources.paddle.passes.loop_sizes import loop_sizes
from workbench.sources.paddle.passes.no_ops import no_ops
from workbench.sources.paddle.passes.one_dimension import one_dimension
from workbench.sources.paddle.passes.pads import pads
from workbench.sources.paddle.passes.recurrent import recurrent
from workbench.sources.paddle.passes.shape_arithmetic import shape_arithmetic
from workbench.sources.paddle.passes.traits import traits
from workbench.sources.paddle.passes.transposed_sizes import transposed_sizes
from workbench.sources.paddle.passes.where_broadcast import where_broadcast

_SIZES = (State.LISTS_APART, State.WRITTEN_ONCE, State.TRUE_SIZES)

#: In the order in which they run.
PASSES = (
    Pass(lists, ensures=(State.LISTS_APART,)),
    Pass(transposed_sizes),
    Pass(loop_sizes, ensures=(State.TRUE_SIZES,)),
    Pass(inplace, (State.LISTS_APART,), (State.WRITTEN_ONCE,)),
    Pass(identities, (State.WRITTEN_ONCE,)),
    Pass(branches, (State.WRITTEN_ONCE,), (State.ONE_BRANCHING,)),
    Pass(where_broadcast),
    Pass(shape_arithmetic, _SIZES, (State.KNOWN_SIZES,)),
    Pass(no_ops, (State.KNOWN_SIZES, State.WRITTEN_ONCE)),
    Pass(control, (State.KNOWN_SIZES, State.ONE_BRANCHING), (State.TIDY_CONTROL,)),
    Pass(linear, (State.WRITTEN_ONCE,)),
    Pass(conv_bias, (State.WRITTEN_ONCE,)),
    Pass(one_dimension, (State.LISTS_APART,)),
    Pass(recurrent, (State.LISTS_APART,)),
    Pass(pads, (State.WRITTEN_ONCE,)),
    Pass(traits, (State.TIDY_CONTROL,), (State.TRAITS,)),
)


def run_passes(program: Program) -> Program:
    """The program in the shape that rules expect, see `conversion.passes.State`.

    Raises `ModelFileError` when the program does not hold together.
    """
    return run_in_order(PASSES, program)
