"""A fault, and how one is planted in a rule or a function so that all of the converter has it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import workbench as wb
from workbench.conversion.book import Returned, Rule
from workbench.conversion.context import Context
from workbench.core.calls import Call, Layer, Result
from workbench.sources.paddle.rules import DEFAULT
from workbench.targets.pytorch import functions
from workbench.targets.pytorch import resolve as targets

Plant = Callable[["wb.Migration"], AbstractContextManager[None]]
#: Changes what a rule returned; None where it does not fit.
Alter = Callable[[Context, "Call | Layer"], "Call | Layer | Result | None"]


@dataclass(frozen=True)
class Fault:
    """One fault. `plant` is given a fresh migration and mends everything when it is left.

    `words`: one of them must stand in the diagnosis for the cause to count as named; empty where
    no word would be fair. `paths` are the faulty rows where the planter knows them; else they are
    the rows that the rules make otherwise than before.
    """

    place: str
    kind: str
    target: str
    words: tuple[str, ...]
    plant: Plant = field(compare=False)
    paths: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Unique within a program, the same in every run."""
        return f"{self.place}: {self.kind} @ {self.target}"


@contextmanager
def faulty_rule(
    names: tuple[str, ...], make: Callable[[Rule], Callable[..., Any]]
) -> Iterator[None]:
    """The rules for some operators replaced in the book that every migration starts from."""
    kept = {name: DEFAULT._rules[name] for name in names}
    for name, rule in kept.items():
        DEFAULT._rules[name] = replace(rule, function=make(rule))
    try:
        yield
    finally:
        DEFAULT._rules.update(kept)


def altered_rule(
    names: tuple[str, ...], alter: Alter, only: str = ""
) -> AbstractContextManager[None]:
    """Rules whose results are altered, for the op with the index `only`, or for all that fit."""

    def make(rule: Rule) -> Callable[..., Any]:
        @functools.wraps(rule.function)
        def function(op: Context, *args: Any, **kwargs: Any) -> Any:
            returned = rule.function(op, *args, **kwargs)
            if only and op.op.index != only:
                return returned
            found = altered(op, returned, alter)
            return returned if found is None else found

        return function

    return faulty_rule(names, make)


def altered(op: Context, returned: Returned, alter: Alter) -> Returned | None:
    """What a rule returned with the fault in it; None where it does not fit."""
    call = returned.call if isinstance(returned, Result) else returned
    found = alter(op, call)
    if found is None or found == call or isinstance(found, Result):
        return found if isinstance(found, Result) else None
    return replace(returned, call=found) if isinstance(returned, Result) else found


def mapped(part: Any, change: Callable[[Call | Layer], Any]) -> Any:
    """A call with `change` applied to every call in it, inner ones first; None keeps a part."""
    if isinstance(part, (Call, Layer)):
        args = tuple(mapped(item, change) for item in part.args)
        kwargs = {name: mapped(item, change) for name, item in part.kwargs.items()}
        same = args == part.args and kwargs == dict(part.kwargs)
        new = part if same else replace(part, args=args, kwargs=kwargs)
        found = change(new)
        return new if found is None else found
    if isinstance(part, (tuple, list)):
        return type(part)(mapped(item, change) for item in part)
    return part


@contextmanager
def faulty_function(module: ModuleType, name: str, function: Any) -> Iterator[None]:
    """A function replaced in its module and among the helpers that rules may name."""
    places = [one for one in (module, functions) if name in vars(one)]
    kept = [vars(one)[name] for one in places]
    for one in places:
        setattr(one, name, function)
    targets._resolved.cache_clear()
    try:
        yield
    finally:
        for one, old in zip(places, kept, strict=True):
            setattr(one, name, old)
        targets._resolved.cache_clear()
