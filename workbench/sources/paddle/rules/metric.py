"""Metrics and statistics that a saved program may carry along."""

from __future__ import annotations

from workbench.conversion.context import Context, call
from workbench.core.calls import Call
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule


@rule("pd_op.accuracy", traits=(Trait.CONSTRAINED,))
def accuracy(op: Context, x: Value, indices: Value, label: Value) -> Call:
    """Share of rows whose label is among the indices, their number, and the number of rows."""
    return call("fn.accuracy", indices, label)


@rule("pd_op.cvm", traits=())
def cvm(op: Context, x: Value, cvm: Value, use_cvm: bool = True) -> Call:
    """Logarithms of the shows and of the clicks per show in the first two columns, or neither."""
    return call("fn.continuous_value", x, use_cvm)
