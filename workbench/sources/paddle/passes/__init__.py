"""Passes: each is one function from a program to a program, in a file of its own."""

from __future__ import annotations

from workbench.core.errors import ModelFileError
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
    traits,
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
