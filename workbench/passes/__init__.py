"""Passes: each is one function from a program to a program, in a file of its own."""

from __future__ import annotations

from workbench.errors import ModelFileError
from workbench.passes.branches import branches
from workbench.passes.control import control
from workbench.passes.conv_bias import conv_bias
from workbench.passes.identities import identities
from workbench.passes.inplace import inplace
from workbench.passes.linear import linear
from workbench.passes.lists import lists
from workbench.passes.loop_sizes import loop_sizes
from workbench.passes.no_ops import no_ops
from workbench.passes.one_dimension import one_dimension
from workbench.passes.pads import pads
from workbench.passes.recurrent import recurrent
from workbench.passes.shape_arithmetic import shape_arithmetic
from workbench.passes.transposed_sizes import transposed_sizes
from workbench.passes.where_broadcast import where_broadcast
from workbench.program import Program

#: In the order in which they run.
PASSES = (
    lists,
    transposed_sizes,
    loop_sizes,
    inplace,
    identities,
    branches,
    where_broadcast,
    shape_arithmetic,
    no_ops,
    control,
    linear,
    conv_bias,
    one_dimension,
    recurrent,
    pads,
)


def run_passes(program: Program) -> Program:
    """Run every pass in order.

    Raises `ModelFileError` when one meets what no Paddle program has: an operator without an
    operand that it must have, an attribute of another type.
    """
    for one in PASSES:
        try:
            program = one(program)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(
                f"{program.source or 'The program'} does not hold together: {one.__name__} failed "
                f"on it ({type(error).__name__}: {error}).",
                "Export the model again; if that does not help, please send us the file.",
            ) from error
    return program
