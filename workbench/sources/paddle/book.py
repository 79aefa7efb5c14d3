"""The rules of Paddle's operators: the book that every migration from Paddle starts from."""

from __future__ import annotations

from workbench.conversion.book import Returned, RuleBook
from workbench.conversion.context import Context
from workbench.core.errors import UnsupportedOp

DEFAULT = RuleBook()
rule = DEFAULT.rule
state = DEFAULT.state


def refuse(*operators: str, reason: str, hint: str = "") -> None:
    """Register operators, of the `pd_op` dialect unless named, that cannot be served, and why."""

    def refused(op: Context) -> Returned:
        raise UnsupportedOp(reason, hint)

    refused.__doc__ = f"Not served: {reason}."
    rule(*(name if "." in name else f"pd_op.{name}" for name in operators))(refused)
