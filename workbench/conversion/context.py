"""What a rule can ask about the op it serves."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.core.calls import Call, Weight
from workbench.core.dtypes import is_integer
from workbench.core.errors import UnsupportedOp
from workbench.core.integers import Int, Item, Known, Symbol
from workbench.core.numbers import shortest
from workbench.core.program import Op, Operand, Parameter, Program
from workbench.core.traits import Trait
from workbench.core.values import Value

#: Hints that several rules give.
EVAL = "Export the model in eval mode."
BY_HAND = "Replace the row by hand, or write a rule of your own; see notebook 5."


class Context:
    """One op with its program. Rules call it `op`."""

    def __init__(
        self,
        op: Op,
        program: Program,
        live: frozenset[Value] | set[Value],
        makers: Mapping[Value, Op] | None = None,
    ) -> None:
        self.op = op
        self.program = program
        self.live = live
        self.makers = makers or {}
        self.notes: list[str] = []
        self.traits: set[Trait] = set()

    @property
    def name(self) -> str:
        """Operator name without dialect."""
        return self.op.short_name

    @property
    def inputs(self) -> Mapping[str, Operand]:
        """Operands by name."""
        return self.op.inputs

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes by name."""
        return self.op.attributes

    @property
    def out(self) -> Value:
        """First output."""
        return next(iter(self.op.outputs.values()))

    @property
    def outputs(self) -> Mapping[str, Value]:
        """Outputs by name."""
        return self.op.outputs

    def used(self, output: str) -> bool:
        """True when the program reads that output."""
        return output in self.op.outputs and self.op.outputs[output] in self.live

    def require(self, condition: object, reason: str, hint: str = BY_HAND) -> None:
        """Refuse the op when the condition does not hold: the row becomes *unsupported*."""
        if not condition:
            raise UnsupportedOp(reason, hint)

    def note(self, text: str) -> None:
        """Add something a person should know to the mapping row."""
        self.notes.append(text)

    def random(self, why: str = "not comparable") -> None:
        """The row draws random numbers: only its shapes and dtypes can be compared."""
        self.traits.add(Trait.RANDOM)
        self.note(f"random: {why}")

    def mistaken(self, what: str) -> None:
        """Paddle computes something else than the operator means, which we do not follow."""
        self.traits.add(Trait.MISTAKEN)
        self.note(f"Paddle's own mistake: {what}")

    def substituted(self, what: str) -> None:
        """Paddle's kernel computes something else, and `paddle_side.substitutes` has the formula:
        the row is compared with what Paddle's other operators make of that.
        """
        self.traits.add(Trait.SUBSTITUTED)
        self.note(f"Paddle's own mistake: {what}; compared with its formula, run in Paddle")

    def tensor(self, operand: Operand, name: str = "input") -> Value:
        """The operand as a single value; refuses an absent one or a list."""
        if not isinstance(operand, Value):
            raise UnsupportedOp(f"{name} of {self.op.name} is missing or is a list", BY_HAND)
        return operand

    def maker(self, operand: Operand) -> Op | None:
        """The op that makes a value; None for inputs, parameters and block arguments.

        A rule may read that op's inputs instead of its result: what is then unused gets no row.
        """
        return self.makers.get(operand) if isinstance(operand, Value) else None

    # --- values known before the model runs --------------------------------------------------

    def known(self, operand: Operand) -> Known | None:
        """Elements of a small value when the shape-arithmetic pass knows them."""
        return self.program.known.get(operand.id) if isinstance(operand, Value) else None

    def constant(self, operand: Operand) -> np.ndarray | None:
        """Elements as a numpy array when they are all plain numbers (a stored parameter counts)."""
        known = self.known(operand)
        if known is not None:
            return np.array(known.array.tolist()) if known.constant else None
        if isinstance(operand, Value) and operand.parameter in self.program.parameters:
            return self.program.parameters[operand.parameter].data
        return None

    def ints(self, operand: Operand) -> list[Int]:
        """Elements of a small integer tensor (or a list of them) as integers.

        Plain integers and shape arithmetic where known; else `int(value[i])`, read at run time.
        """
        if operand is None:
            return []
        if isinstance(operand, tuple):
            return [item for value in operand for item in self.ints(value)]
        known = self.known(operand)
        if known is not None:
            return [item if isinstance(item, Symbol) else int(item) for item in known.items]
        constant = self.constant(operand)
        if constant is not None:
            return [int(item) for item in constant.flat]
        self.require(
            is_integer(operand.dtype) and all(dim >= 0 for dim in operand.shape),
            f"{self.op.name} needs the elements of {operand!r} as integers, but their number is "
            "not known before the model runs",
        )
        return [Item(operand, i) for i in range(int(np.prod(operand.shape, dtype=int)))]

    def int(self, operand: Operand) -> Int:
        """A one-element integer tensor as an integer."""
        items = self.ints(operand)
        self.require(len(items) == 1, f"{self.op.name} needs one integer, got {len(items)}")
        return items[0]

    def plain_ints(self, operand: Operand, what: str) -> list[builtins.int]:
        """Like `ints`, but refuses integers that depend on the inputs."""
        items = self.ints(operand)
        self.require(
            not any(isinstance(item, Symbol) for item in items),
            f"{what} of {self.op.name} depends on the model's inputs",
            "torch needs it fixed; replace the row by hand.",
        )
        return [int(item) for item in items if not isinstance(item, Symbol)]

    def scalar(self, operand: Operand) -> Any:
        """A one-element tensor as a Python number when known, as an integer symbol, or as itself.

        The number is rounded as the tensor's dtype would hold it. What is read from a tensor when
        the model runs stays a tensor.
        """
        known = self.known(operand)
        if known is None or len(known.items) != 1 or not known.pure:
            return operand
        item = known.items[0]
        wide = any(value.dtype == "float64" for value in self.op.outputs.values())
        return shortest(item) if known.dtype == "float32" and not wide else item

    # --- parameters ---------------------------------------------------------------------------

    def parameter(self, operand: Operand) -> Parameter | None:
        """The stored parameter that the operand is, or None."""
        return (
            self.program.parameters.get(operand.parameter) if isinstance(operand, Value) else None
        )

    def weight(self, operand: Operand) -> Weight | None:
        """The operand as a weight to fill a layer with, or None when it is not a parameter."""
        found = self.parameter(operand)
        if found is None:
            return None
        return Weight(found.name, found.shape, found.dtype, trainable=found.trainable)


def call(target: str, *args: Any, **kwargs: Any) -> Call:
    """Shorthand for `Call(target, args, kwargs)`."""
    return Call(target, args, kwargs)


def method(value: Any, name: str, *args: Any, **kwargs: Any) -> Call:
    """Shorthand for a method call: `value.name(*args, **kwargs)`."""
    return Call(f".{name}", (value, *args), kwargs)
