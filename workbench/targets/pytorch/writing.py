"""Calls and arguments as text: one writer for generated source, tables, the editor and the report.

What differs between them (how a value is called, how a number looks) is left to subclasses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from workbench.core.arguments import parts
from workbench.core.calls import Call, Device, Layer
from workbench.core.integers import Count, Dim, IntOp, Item
from workbench.core.values import Value

#: Python operators with their precedence; higher binds tighter.
INFIX = {
    "operator.or_": ("|", 5), "operator.xor": ("^", 6), "operator.and_": ("&", 7),
    "operator.lshift": ("<<", 8), "operator.rshift": (">>", 8),
    "operator.add": ("+", 9), "operator.sub": ("-", 9),
    "operator.mul": ("*", 10), "operator.truediv": ("/", 10), "operator.floordiv": ("//", 10),
    "operator.mod": ("%", 10), "operator.matmul": ("@", 10), "operator.pow": ("**", 12),
    "operator.eq": ("==", 4), "operator.ne": ("!=", 4), "operator.lt": ("<", 4),
    "operator.le": ("<=", 4), "operator.gt": (">", 4), "operator.ge": (">=", 4),
}  # fmt: skip
PREFIX = {"operator.neg": "-", "operator.invert": "~"}
_PRECEDENCE = dict(INFIX.values())
_COMPARISON, UNARY, ATOM = 4, 11, 20


def bracketed(container: Any, write: Callable[[Any], str]) -> str:
    """A tuple, list, slice or dictionary, its parts written by `write`.

    >>> bracketed((1,), repr), bracketed(slice(None, 2), repr), bracketed({"a": [1, 2]}, repr)
    ('(1,)', 'slice(None, 2, None)', "{'a': [1, 2]}")
    """
    texts = [write(part) for part in parts(container)]
    if isinstance(container, dict):
        pairs = zip(map(write, container), texts, strict=True)
        return f"{{{', '.join(f'{key}: {text}' for key, text in pairs)}}}"
    inside = ", ".join(texts)
    if isinstance(container, list):
        return f"[{inside}]"
    if isinstance(container, slice):
        return f"slice({inside})"
    return f"({inside},)" if len(texts) == 1 else f"({inside})"


class Writer(ABC):
    """Writes arguments as expressions, with no more brackets than they need."""

    @abstractmethod
    def value(self, value: Value) -> str:
        """How a value is called."""

    @abstractmethod
    def constant(self, constant: Any) -> str:
        """A number, a string, a dtype: what has no parts."""

    @abstractmethod
    def layer(self, layer: Layer) -> str:
        """What stands for the module before its arguments."""

    @abstractmethod
    def item(self, item: Item) -> str:
        """One element of a tensor as a number."""

    def function(self, target: str) -> str:
        """How a function or a method is called."""
        return target

    def word(self, name: str) -> str:
        """The name of a keyword argument."""
        return name

    def write(self, argument: Any) -> str:
        """An argument, a call or a layer as text."""
        return self.leveled(argument)[0]

    def leveled(self, argument: Any) -> tuple[str, int]:
        """Text and precedence."""
        kind = _KINDS.get(type(argument))
        if kind is not None:
            return kind(self, argument)
        if isinstance(argument, (tuple, list, slice, dict)):
            return bracketed(argument, self.write), ATOM
        text = self.constant(argument)
        return text, UNARY if text.startswith("-") else ATOM

    def arguments(self, args: tuple[Any, ...], kwargs: Any) -> str:
        """What stands between the brackets of a call."""
        texts = [self.write(argument) for argument in args]
        texts += [f"{self.word(key)}={self.write(value)}" for key, value in kwargs.items()]
        return ", ".join(texts)

    def call(self, call: Call) -> tuple[str, int]:
        """A call with its precedence: an operator, a method or a function."""
        target, args = call.target, call.args
        if target in INFIX and len(args) == 2:
            return self._infix(*INFIX[target], *args)
        if target in PREFIX:
            inner, level = self.leveled(args[0])
            return f"{PREFIX[target]}{inner if level > UNARY else f'({inner})'}", UNARY
        if target == "operator.getitem":
            return f"{self._tight(args[0])}[{self._index(args[1])}]", ATOM
        if target.startswith(".") and args:
            inside = self.arguments(args[1:], call.kwargs)
            return f"{self._tight(args[0])}{self.function(target)}({inside})", ATOM
        return f"{self.function(target)}({self.arguments(args, call.kwargs)})", ATOM

    def _int_op(self, number: IntOp) -> tuple[str, int]:
        if number.op in ("min", "max"):
            return f"{number.op}({self.write(number.left)}, {self.write(number.right)})", ATOM
        return self._infix(number.op, _PRECEDENCE[number.op], number.left, number.right)

    def _infix(self, sign: str, level: int, left: Any, right: Any) -> tuple[str, int]:
        a, a_level = self.leveled(left)
        b, b_level = self.leveled(right)
        # ** groups to the right and comparisons do not group at all
        if a_level < level or (a_level == level and (sign == "**" or level == _COMPARISON)):
            a = f"({a})"
        if b_level <= level:
            b = f"({b})"
        return f"{a} {sign} {b}", level

    def _tight(self, argument: Any) -> str:
        """What stands before a dot or a bracket."""
        text, level = self.leveled(argument)
        return text if level == ATOM and not text[0].isdigit() else f"({text})"

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            inside = ", ".join(self._one_index(item) for item in index)
            return f"{inside}," if len(index) == 1 else inside
        return self._one_index(index)

    def _one_index(self, index: Any) -> str:
        if isinstance(index, slice):
            start, stop, step = ("" if end is None else self.write(end) for end in parts(index))
            return f"{start}:{stop}" if index.step is None else f"{start}:{stop}:{step}"
        return "..." if index is Ellipsis else self.write(index)


#: How each kind of argument is written, with its precedence.
_KINDS: dict[type, Callable[[Writer, Any], tuple[str, int]]] = {
    Value: lambda to, value: (to.value(value), ATOM),
    Count: lambda to, count: (to.value(count.value), ATOM),
    Dim: lambda to, dim: (f"{to._tight(dim.value)}.shape[{dim.axis}]", ATOM),
    Item: lambda to, item: (to.item(item), ATOM),
    IntOp: Writer._int_op,
    Device: lambda to, device: (f"{to._tight(device.value)}.device", ATOM),
    Layer: lambda to, layer: (
        f"{to.layer(layer)}({to.arguments(layer.args, layer.kwargs)})", ATOM,
    ),
    Call: lambda to, call: to.call(call),
}  # fmt: skip
