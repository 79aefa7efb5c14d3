"""Branches and loops, which become rows without a rule, and what readers and passes take away."""

from __future__ import annotations

from workbench.core.traits import Trait
from workbench.sources.paddle.book import state

state("pd_op.if", traits=(Trait.DECIDES, Trait.BRANCH))
state("pd_op.while", traits=(Trait.DECIDES, Trait.LOOP))
state(
    "pd_op.data", "pd_op.feed", "pd_op.fetch", "builtin.parameter", "builtin.constant",
    "builtin.set_parameter", "builtin.combine", "builtin.split", "cf.yield", "cf.stack_create",
    "cf.tuple_push", "cf.tuple_pop",
    traits=(),
)  # fmt: skip
