"""The rule book: which function turns which Paddle operator into which torch call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from workbench.conversion.context import Context
from workbench.core.calls import Call, Layer, Result
from workbench.core.errors import UnsupportedOp
from workbench.core.numbers import shortest
from workbench.core.places import place
from workbench.core.program import Op
from workbench.core.traits import Role, Trait
from workbench.core.values import Value

Returned = Call | Layer | Result
#: Traits of all operators of a rule, or of each by its name.
Traits: TypeAlias = "Iterable[Trait] | Mapping[str, Iterable[Trait]]"
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its function's parameters are the operator's inputs and attributes, by name."""

    names: tuple[str, ...]
    function: Callable[..., Returned]
    place: str
    doc: str

    def apply(self, context: Context) -> Returned:
        """Call the function for one op; raises `UnsupportedOp` when it cannot serve it."""
        return self.function(context, **_arguments(self.function, context.op))


def _arguments(function: Callable[..., Any], op: Op) -> dict[str, Any]:
    """Bind inputs and attributes to the parameters of the rule function."""
    bound: dict[str, Any] = {}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    for parameter in parameters:
        name = parameter.name
        plain = name.removesuffix("_")
        if plain in op.inputs or name in op.inputs:
            bound[name] = op.inputs[plain if plain in op.inputs else name]
        elif plain in op.attributes:
            bound[name] = _attribute(op, plain)
        elif parameter.default is inspect.Parameter.empty:
            raise UnsupportedOp(
                f"the program gives no '{plain}' for {op.name}",
                "The file comes from a Paddle version that this rule does not know.",
            )
    return bound


def _attribute(op: Op, name: str) -> Any:
    """An attribute; floats in their shortest spelling unless the op computes in float64."""
    value = op.attributes[name]
    if not isinstance(value, float) or any(
        "64" in v.dtype or "128" in v.dtype for v in _floats(op)
    ):
        return value
    return shortest(value)


def _floats(op: Op) -> Iterator[Value]:
    values = (*op.operands, *op.outputs.values())
    return (value for value in values if value.dtype.startswith(("float", "complex")))


@dataclass(frozen=True, slots=True)
class Nature:
    """What is stated of one operator: its traits, and its operands and settings by role."""

    traits: frozenset[Trait] = frozenset()
    roles: Mapping[Role, str] = field(default_factory=dict)


_PLAIN = Nature()


class RuleBook:
    """Rules by operator name. A book may extend another: its own rules come first."""

    def __init__(self, base: RuleBook | None = None) -> None:
        self.base = base
        self._rules: dict[str, Rule] = {}
        self._natures: dict[str, Nature] = {}

    def rule(
        self, *names: str, traits: Traits | None = None, roles: Mapping[Role, str] | None = None
    ) -> Callable[[Callable[..., Returned]], Callable[..., Returned]]:
        """Decorator: register a function for operators, e.g. `@rule("pd_op.relu", traits=())`.

        The function's first parameter is the `Context`; the others are named like the operator's
        inputs (`x`, `filter`) and attributes (`epsilon`), with defaults for attributes that old
        programs lack. A trailing underscore is ignored, so `input_` and `max_` avoid Python's
        names.

        `traits` and `roles` are stated as by `state`; without, those of the base book stay.
        """
        if self.base is not None:  # a rule written anew states anew
            for name in names:
                self._natures.pop(name, None)
        if traits is not None:
            self.state(*names, traits=traits, roles=roles)

        def register(function: Callable[..., Returned]) -> Callable[..., Returned]:
            made = Rule(names, function, _place(function), inspect.getdoc(function) or "")
            for name in names:
                self._rules[name] = made
            return function

        return register

    def state(self, *names: str, traits: Traits, roles: Mapping[Role, str] | None = None) -> None:
        """State more of operators, those too that conversion itself serves, without a rule.

        `traits` are those of all the names, or of each by name; `roles` say which operand or
        setting is what to the checks.
        """
        for name in names:
            given = traits.get(name, ()) if isinstance(traits, Mapping) else traits
            known = self._natures.get(name, _PLAIN)
            self._natures[name] = Nature(
                known.traits | frozenset(given), {**known.roles, **(roles or {})}
            )

    def nature(self, name: str) -> Nature:
        """What is stated of an operator; `relu_` falls back to `relu`."""
        return self._stated(name) or _PLAIN

    def traits_of(self, name: str) -> frozenset[Trait]:
        """The traits that are stated of an operator; none for one that is not known."""
        return self.nature(name).traits

    def states(self, name: str) -> bool:
        """True when something is stated of the operator, be it that it has no traits."""
        return self._stated(name) is not None

    def _stated(self, name: str) -> Nature | None:
        found = self._natures.get(name)
        if found is None and self.base is not None:
            found = self.base._stated(name)
        if found is None and name.endswith("_"):
            found = self._stated(name.removesuffix("_"))
        return found

    def stated(self) -> tuple[str, ...]:
        """The operators of which something is stated in this very book."""
        return tuple(self._natures)

    def own_nature(self, name: str) -> Nature | None:
        """What this very book states of an operator, where it extends another."""
        return self._natures.get(name) if self.base is not None else None

    def find(self, name: str) -> Rule | None:
        """The rule for an operator, or None. `relu_` falls back to the rule for `relu`."""
        found = self._rules.get(name)
        if found is None and self.base is not None:
            found = self.base.find(name)
        if found is None and name.endswith("_"):
            found = self.find(name.removesuffix("_"))
        return found

    def is_own(self, name: str) -> bool:
        """True when a rule of this very book serves the operator, and it extends another book."""
        return self.base is not None and self.find(name) is not self.base.find(name)

    def names(self) -> set[str]:
        """Every operator that has a rule here."""
        return set(self._rules) | (self.base.names() if self.base else set())

    def own(self) -> Iterator[tuple[str, Rule]]:
        """The rules registered in this very book."""
        yield from self._rules.items()

    def __repr__(self) -> str:
        return f"RuleBook({len(self.names())} operators)"


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    path = Path(code.co_filename)
    if path.is_relative_to(_PACKAGE):
        path = path.relative_to(_PACKAGE)
    return place(str(path), code.co_firstlineno)
