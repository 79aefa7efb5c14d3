"""Arguments, calls and symbols as Python source."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workbench.core.calls import Call, Device, Dtype, Layer
from workbench.core.errors import ConversionError
from workbench.core.integers import Count, Dim, IntOp, Item, Symbol
from workbench.core.values import Value
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.codegen.text import dotted, quoted

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
_SYMBOLS = dict(INFIX.values())
_UNARY, _ATOM = 11, 20
#: Constants that print themselves as source.
_CONSTANTS = (bool, bytes, torch.dtype, torch.memory_format, torch.layout)


class Expressions:
    """Writes expressions; `name` gives the variable of a value, `layer` the access path of a
    layer.
    """

    def __init__(self, name: Callable[[Value], str], layer: Callable[[Layer], str]) -> None:
        self.name = name
        self.layer = layer
        self.helpers: set[str] = set()
        self.modules: set[str] = set()

    def write(self, argument: Any) -> str:
        """An argument as source."""
        return self._write(argument)[0]

    def call(self, call: Call | Layer) -> str:
        """A call as source."""
        return self.write(call)

    def _write(self, argument: Any) -> tuple[str, int]:
        """Source and precedence."""
        if isinstance(argument, Value):
            return self.name(argument), _ATOM
        if isinstance(argument, Symbol):
            return self._symbol(argument)
        if isinstance(argument, Device):
            return f"{self._tight(argument.value)}.device", _ATOM
        if isinstance(argument, Layer):
            inside = self._arguments(argument.args, argument.kwargs)
            return f"{self.layer(argument)}({inside})", _ATOM
        if isinstance(argument, Call):
            return self._call(argument)
        if isinstance(argument, list):
            return f"[{', '.join(self.write(item) for item in argument)}]", _ATOM
        if isinstance(argument, tuple):
            return self._tuple(argument), _ATOM
        if isinstance(argument, slice):
            bounds = (self.write(part) for part in (argument.start, argument.stop, argument.step))
            return f"slice({', '.join(bounds)})", _ATOM
        return literal(argument), _UNARY if _negative(argument) else _ATOM

    def _tuple(self, items: tuple[Any, ...]) -> str:
        inside = ", ".join(self.write(item) for item in items)
        return f"({inside},)" if len(items) == 1 else f"({inside})"

    def _symbol(self, symbol: Symbol) -> tuple[str, int]:
        if isinstance(symbol, Dim):
            return f"{self._tight(symbol.value)}.shape[{symbol.axis}]", _ATOM
        if isinstance(symbol, Count):
            return self.name(symbol.value), _ATOM
        if isinstance(symbol, Item):
            source = self.name(symbol.value)
            if symbol.value.shape not in ((), (1,)):
                source = f"{source}.reshape(-1)[{symbol.index}]"
            return f"{source}.item()", _ATOM
        assert isinstance(symbol, IntOp)
        if symbol.op in ("min", "max"):
            return f"{symbol.op}({self.write(symbol.left)}, {self.write(symbol.right)})", _ATOM
        return self._infix(symbol.op, _SYMBOLS[symbol.op], symbol.left, symbol.right)

    def _infix(self, sign: str, level: int, left: Any, right: Any) -> tuple[str, int]:
        a, a_level = self._write(left)
        b, b_level = self._write(right)
        # ** groups to the right and comparisons do not group at all
        if a_level < level or (a_level == level and (sign == "**" or level == 4)):
            a = f"({a})"
        if b_level <= level:
            b = f"({b})"
        return f"{a} {sign} {b}", level

    def _call(self, call: Call) -> tuple[str, int]:
        target, args = call.target, call.args
        if target in INFIX and len(args) == 2:
            sign, level = INFIX[target]
            return self._infix(sign, level, *args)
        if target in PREFIX:
            inner, level = self._write(args[0])
            return f"{PREFIX[target]}{inner if level > _UNARY else f'({inner})'}", _UNARY
        if target == "operator.getitem":
            return f"{self._tight(args[0])}[{self._index(args[1])}]", _ATOM
        if custom.is_custom(target):
            return self._custom(call), _ATOM
        if target.startswith("."):
            inside = self._arguments(args[1:], call.kwargs)
            return f"{self._tight(args[0])}{dotted(target)}({inside})", _ATOM
        return f"{self._target(target)}({self._arguments(args, call.kwargs)})", _ATOM

    def _custom(self, call: Call) -> str:
        """A function of one's own; `apply` of an autograd function takes no keywords."""
        code = custom.find(call.target)
        if not custom.is_function_class(code.item):
            return f"{code.name}({self._arguments(call.args, call.kwargs)})"
        bound = inspect.signature(code.call).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        return f"{code.name}.apply({self._arguments(bound.args, {})})"

    def _target(self, target: str) -> str:
        head, _, rest = target.partition(".")
        if head == "fn":
            self.helpers.add(rest)
            return rest
        self.modules.add(head)
        return dotted(target)

    def _tight(self, argument: Any) -> str:
        text, level = self._write(argument)
        return text if level == _ATOM and not text[0].isdigit() else f"({text})"

    def _arguments(self, args: tuple[Any, ...], kwargs: Any) -> str:
        parts = [self.write(argument) for argument in args]
        parts += [f"{dotted(key)}={self.write(value)}" for key, value in kwargs.items()]
        return ", ".join(parts)

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            inside = ", ".join(self._one_index(item) for item in index)
            return f"{inside}," if len(index) == 1 else inside
        return self._one_index(index)

    def _one_index(self, index: Any) -> str:
        if isinstance(index, slice):
            start = "" if index.start is None else self.write(index.start)
            stop = "" if index.stop is None else self.write(index.stop)
            step = "" if index.step is None else f":{self.write(index.step)}"
            return f"{start}:{stop}{step}"
        return "..." if index is Ellipsis else self.write(index)


def literal(value: Any) -> str:
    """A constant as source."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Dtype):
        return f"torch.{dotted(value.name)}"
    if isinstance(value, float):
        return _short_float(float(value)) if math.isfinite(value) else f'float("{float(value)}")'
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if isinstance(value, slice):
        return f"slice({literal(value.start)}, {literal(value.stop)}, {literal(value.step)})"
    if isinstance(value, tuple):
        inside = ", ".join(literal(item) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{literal(key)}: {literal(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if value is Ellipsis:
        return "..."
    if isinstance(value, int) and not isinstance(value, bool):
        return repr(int(value))
    if value is None or isinstance(value, _CONSTANTS):
        return repr(value)
    raise ConversionError(f"a {type(value).__name__} cannot be written into source")


def alike(left: Any, right: Any) -> bool:
    """True for arguments of one type that are written the same: NaN is NaN, 0.0 is not -0.0."""
    return type(left) is type(right) and (left is right or literal(left) == literal(right))


def _short_float(value: float) -> str:
    text = repr(value)
    mantissa, sign, exponent = text.partition("e-0")
    return f"{mantissa}e-{exponent}" if sign else text


def _negative(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0
