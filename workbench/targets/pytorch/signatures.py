"""What a target accepts: argument names, types and defaults, read from torch itself."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from workbench.core.calls import Call, Device, Dtype, Layer
from workbench.core.errors import MappingError
from workbench.core.integers import Symbol
from workbench.core.values import Value
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.resolve import is_layer, resolve

#: Stands for "no default": the argument must be given.
REQUIRED: Any = inspect.Parameter.empty

#: Arguments of torch that say nothing about a model and are hidden from people.
_HIDDEN = {"device", "_stacklevel", "out", "_weight", "_freeze", "inplace"}
_WORDS = {
    "bool": "True or False", "int": "an integer", "float": "a number", "str": "a text",
    "ints": "a list of integers", "floats": "a list of numbers", "none": "None",
    "dtype": "a dtype such as torch.float32", "tensor": "an input of the operator",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a target. `kinds` is empty when torch does not say what it takes.

    A number in `lengths` is a number of elements that a list may have.
    """

    name: str
    default: Any = REQUIRED
    kinds: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    lengths: tuple[int, ...] = ()

    @property
    def required(self) -> bool:
        """True when torch has no default for it."""
        return self.default is REQUIRED

    @property
    def hidden(self) -> bool:
        """True for arguments that say nothing about a model, such as `device`."""
        return self.name in _HIDDEN or self.name.startswith("_")

    def is_default(self, value: Any) -> bool:
        """True when torch does the same without it: `[1, 1]`, `(1, 1)` and `1` are one stride."""
        if self.required or (self.default is None) != (value is None):
            return False
        default, value = _flat(self.default), _flat(value)
        return type(default) is type(value) and bool(default == value)

    @property
    def wanted(self) -> str:
        """What the argument takes, in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        return " or ".join(_WORDS[kind] for kind in self.kinds) or "any value"

    def problem(self, value: Any) -> str:
        """Why the value does not fit, or an empty text."""
        if isinstance(value, str) and "str" in self.kinds and value in self.choices:
            return ""
        if self.kinds and not any(_fits(kind, value) for kind in self.kinds):
            return f"{self.name} takes {self.wanted}, not {value!r}"
        if self.choices and isinstance(value, str) and value not in self.choices:
            return f"{self.name} takes {self.wanted}, not {value!r}"
        listed = isinstance(value, (tuple, list)) and self.lengths
        if listed and len(value) not in self.lengths:
            counts = " or ".join(map(str, self.lengths))
            return f"{self.name} takes {counts} elements, not {len(value)}"
        return ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments of a target, in order. `open` means that others are accepted too.

    `positional` names those that may be given without their name, "" where overloads disagree.
    """

    target: str
    arguments: tuple[Argument, ...] = ()
    open: bool = False
    positional: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)

    def problem(self, name: str, value: Any) -> str:
        """Why `name=value` cannot be passed, or an empty text."""
        argument = self[name]
        if argument is not None:
            return argument.problem(value)
        if self.open:
            return ""
        names = [argument.name for argument in self.arguments if not argument.hidden]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"{self.target} has no argument '{name}'{hint} It takes: {', '.join(names)}."


def _flat(value: Any) -> Any:
    """`1` for (1, 1) and [1, 1]; lists as tuples."""
    if isinstance(value, (tuple, list)):
        return value[0] if value and all(item == value[0] for item in value) else tuple(value)
    return value


def _fits(kind: str, value: Any) -> bool:
    if kind == "none":
        return value is None
    if kind in ("ints", "floats"):
        scalar = kind.removesuffix("s")
        return isinstance(value, (tuple, list)) and all(_fits(scalar, item) for item in value)
    if isinstance(value, (Value, Symbol, Call, Layer)):
        return isinstance(value, Symbol) if kind == "int" else kind in ("tensor", "float")
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str)
    wanted = {"dtype": Dtype, "device": Device}.get(kind)
    return wanted is not None and isinstance(value, wanted)


def signature_of(target: str) -> Signature:
    """The signature of a target; raises `MappingError` when there is no such target.

    Torch's compiled functions publish their signatures as schemas; without one the
    signature is open. Code of one's own may change, so its signature is read anew.
    """
    return _signature_of.__wrapped__(target) if custom.is_custom(target) else _signature_of(target)


def signature_or_open(target: str) -> Signature:
    """The signature of a target, or an open one: of control flow, of what does not exist here."""
    try:
        return signature_of(target)
    except MappingError:
        return Signature(target, open=True)


@cache
def _signature_of(target: str) -> Signature:
    found = resolve(target)
    if target.startswith("."):
        return _from_schemas(target, f"aten::{target[1:]}")
    inspected = _inspected(found)
    if inspected is not None:
        return _from_python(target, inspected, loose=not is_layer(target))
    return _from_schemas(target, f"aten::{getattr(found, '__name__', target)}")


def _inspected(found: Any) -> inspect.Signature | None:
    overloads = typing.get_overloads(found.__init__) if inspect.isclass(found) else []
    if overloads:  # nn.LSTM(*args, **kwargs) tells its arguments in overloads
        told = inspect.signature(overloads[0])
        return told.replace(parameters=list(told.parameters.values())[1:])
    found = _undispatched(found)
    try:
        return inspect.signature(found, eval_str=True)
    except (TypeError, ValueError, NameError):
        pass
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return None


def _undispatched(found: Any) -> Any:
    """F.max_pool2d and its kin choose one of two functions by `return_indices`."""
    from torch._jit_internal import boolean_dispatched

    try:
        return boolean_dispatched[found]["if_false"]
    except (KeyError, TypeError):
        return found


def _from_python(target: str, told: inspect.Signature, loose: bool) -> Signature:
    arguments = []
    for parameter in told.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kinds, choices, lengths = _kinds(parameter.annotation, loose)
        if parameter.name == "dtype":
            kinds = ("dtype", "none")
        elif parameter.annotation is inspect.Parameter.empty:
            kinds = _PLAIN.get(type(parameter.default), ()) if parameter.default is not None else ()
        arguments.append(Argument(parameter.name, parameter.default, kinds, choices, lengths))
    found = told.parameters.values()
    is_open = any(p.kind is p.VAR_KEYWORD for p in found)
    names = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return Signature(target, tuple(arguments), is_open, tuple(names))


_PLAIN = {
    int: ("int",), float: ("float",), bool: ("bool",), str: ("str",), type(None): ("none",),
    torch.Tensor: ("tensor",), torch.dtype: ("dtype",), torch.Size: ("ints",),
}  # fmt: skip


def _kinds(
    annotation: Any, loose: bool
) -> tuple[tuple[str, ...], tuple[Any, ...], tuple[int, ...]]:
    """Kinds, choices and list lengths of an annotation; no kinds when it is not understood.

    `loose`: torch's functions are annotated for TorchScript, where `int` may stand for a list too.
    """
    kinds: list[str] = []
    choices: list[Any] = []
    lengths: list[int] = []
    for part in _parts(annotation):
        origin, inner = typing.get_origin(part), typing.get_args(part)
        if origin is typing.Literal:
            choices.extend(inner)
            kinds.append("str")
        elif origin in (tuple, list) or str(origin).endswith("Sequence"):
            element = next((e for e in _parts(inner[0]) if e is not type(None)), None)
            if element not in (int, float):
                return (), (), ()
            kinds.append("ints" if element is int else "floats")
            if origin is tuple and Ellipsis not in inner:
                lengths.append(len(inner))
        elif part in _PLAIN:
            kinds.extend(_PLAIN[part])
            if loose and part in (int, float):
                kinds.extend([f"{part.__name__}s", "float"])
        else:
            return (), (), ()
    if kinds == ["none"] or (not loose and "tensor" in kinds):
        return (), (), ()
    return tuple(dict.fromkeys(kinds)), tuple(choices), tuple(lengths)


def _parts(annotation: Any) -> Sequence[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [part for member in typing.get_args(annotation) for part in _parts(member)]
    return [type(None)] if annotation is None else [annotation]


def _from_schemas(target: str, name: str) -> Signature:
    """Merge the overloads of a compiled function; the first one gives the order."""
    schemas = [
        schema
        for schema in torch._C._jit_get_schemas_for_operator(name)
        if schema.returns
        and "Tensor" in str(schema.returns[0].type)
        and not any(argument.is_out for argument in schema.arguments)
    ]
    merged: dict[str, Argument] = {}
    places: list[set[str]] = []
    for schema in schemas:
        own = schema.arguments[target.startswith(".") :]
        for place, told in enumerate(own):
            label = "input" if told.name == "self" else told.name
            if not told.kwarg_only:
                places.extend([set()] * (place + 1 - len(places)))
                places[place] = places[place] | {label}
            default = told.default_value if told.has_default_value() else REQUIRED
            merged[label] = _merged(
                merged.get(label), Argument(label, default, _schema_kinds(told))
            )
    positional = tuple(min(names) if len(names) == 1 else "" for names in places)
    return Signature(target, tuple(merged.values()), not schemas, positional)


def _merged(known: Argument | None, new: Argument) -> Argument:
    """One argument for two overloads: optional if it is so in one, with the types of both."""
    if known is None:
        return new
    default = new.default if known.required else known.default
    kinds = tuple(dict.fromkeys((*known.kinds, *new.kinds))) if known.kinds and new.kinds else ()
    return Argument(known.name, default, kinds)


_SCHEMA_TYPES = {
    "Tensor": ("tensor",), "int": ("int",), "number": ("float",), "float": ("float",),
    "bool": ("bool",), "str": ("str",), "List[int]": ("ints", "int"),
    "List[float]": ("floats", "float"),
}  # fmt: skip


def _schema_kinds(told: Any) -> tuple[str, ...]:
    if told.name == "dtype":
        return "dtype", "none"
    if told.name == "device":
        return "device", "none"
    text = str(told.type)
    optional = text.startswith("Optional[")
    kinds = _SCHEMA_TYPES.get(
        text.removeprefix("Optional[").removesuffix("]") if optional else text
    )
    return (*kinds, "none") if kinds and optional else kinds or ()
