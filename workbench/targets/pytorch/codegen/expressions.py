"""Arguments, calls and symbols as Python source."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workbench.core.calls import Call, Dtype, Layer
from workbench.core.errors import ConversionError
from workbench.core.integers import Item
from workbench.core.values import Value
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.codegen.text import dotted, quoted
from workbench.targets.pytorch.writing import ATOM, Writer, bracketed

#: Constants that print themselves as source.
_CONSTANTS = (bool, bytes, torch.dtype, torch.memory_format, torch.layout)


class Expressions(Writer):
    """Writes expressions; `name` gives the variable of a value, `access` the path of a layer.

    `helpers` and `modules` are what the expressions written so far need.
    """

    def __init__(self, name: Callable[[Value], str], access: Callable[[Layer], str]) -> None:
        self.name = name
        self.access = access
        self.helpers: set[str] = set()
        self.modules: set[str] = set()

    def value(self, value: Value) -> str:
        """Its variable."""
        return self.name(value)

    def layer(self, layer: Layer) -> str:
        """Its attribute."""
        return self.access(layer)

    def constant(self, constant: Any) -> str:
        """A literal; raises `ConversionError` for what has none."""
        return literal(constant)

    def item(self, item: Item) -> str:
        """`x.item()`, of a flattened tensor where it has more elements."""
        source = self.name(item.value)
        if item.value.shape not in ((), (1,)):
            source = f"{source}.reshape(-1)[{item.index}]"
        return f"{source}.item()"

    def word(self, name: str) -> str:
        """The name; raises `ConversionError` for what is no name."""
        return dotted(name)

    def function(self, target: str) -> str:
        """Its name in the source, which then needs a helper or a module."""
        head, _, rest = target.partition(".")
        if head == "fn":
            self.helpers.add(rest)
            return rest
        if head:
            self.modules.add(head)
        return dotted(target)

    def call(self, call: Call) -> tuple[str, int]:
        """A call with its precedence; `apply` of an autograd function takes no keywords."""
        if not custom.is_custom(call.target):
            return super().call(call)
        code = custom.find(call.target)
        if not custom.is_function_class(code.item):
            return f"{code.name}({self.arguments(call.args, call.kwargs)})", ATOM
        bound = inspect.signature(code.call).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        return f"{code.name}.apply({self.arguments(bound.args, {})})", ATOM


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
    if isinstance(value, (tuple, list, slice, dict)):
        return bracketed(value, literal)
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
