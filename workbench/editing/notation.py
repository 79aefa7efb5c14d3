"""Arguments as text and back: what the table shows, what a person types, what the YAML keeps.

The text reads like the source code: `(2, 2)`, `torch.float32`, `x.shape[0] * 2`, where `x` is an
input of the row's Paddle operator. Values of other rows are written `row["blocks.0.conv"]`, inputs
of the model `input["image"]`, stored parameters `parameter["fc.w_0"]`. Nothing is ever evaluated:
the text is parsed, and what is not in this small language is refused.
"""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from workbench.core.arguments import values_of
from workbench.core.calls import Call, Device, Dtype, Layer
from workbench.core.integers import Dim, Item, Symbol, int_op
from workbench.core.numbers import shortest
from workbench.core.values import Value
from workbench.editing.choices import check_target
from workbench.editing.names import Names
from workbench.targets.pytorch.resolve import torch_dtype
from workbench.targets.pytorch.writing import ATOM, INFIX, Writer

_AST_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.MatMult: "@", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
_TARGETS = {sign: target for target, (sign, _) in INFIX.items()}
#: Operators that only tensors have here.
_OF_TENSORS = {"@", "&", "|", "^", "<<", ">>"}
_TORCH_DTYPES = {str(torch_dtype(name)): name for name in (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "complex128",
)}  # fmt: skip


def short_float(number: float) -> str:
    """The shortest text for a number that Paddle keeps as float32.

    >>> short_float(9.999999747378752e-06), short_float(0.1), short_float(float("inf"))
    ('1e-05', '0.1', 'inf')
    """
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
    with np.errstate(over="ignore", under="ignore"):
        return repr(shortest(number))


# --- value → text -----------------------------------------------------------------------------


def show(argument: Any, names: Names) -> str:
    """An argument as text that `parse` reads back."""
    return _Notation(names).write(argument)


class _Notation(Writer):
    """Arguments as people write them; whatever is composed stands in brackets."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def leveled(self, argument: Any) -> tuple[str, int]:
        text, level = super().leveled(argument)
        return text, level if level == ATOM else 0

    def value(self, value: Value) -> str:
        return self.names.text(value)

    def constant(self, constant: Any) -> str:
        if isinstance(constant, float):
            return short_float(constant)
        if isinstance(constant, Dtype):
            return str(torch_dtype(constant.name))
        return repr(constant.item() if isinstance(constant, np.generic) else constant)

    def layer(self, layer: Layer) -> str:
        return f"{layer.target}({self.arguments((), layer.arguments)})"

    def item(self, item: Item) -> str:
        return f"int({self.value(item.value)}[{item.index}])"


# --- text → value -----------------------------------------------------------------------------


def parse(text: str, names: Names) -> Any:
    """The argument that a text stands for; raises ValueError when it cannot be read."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return _Parser(names).read(tree)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{text}' is not a Python expression") from error


class _Parser:
    """Reads the parts of Python's syntax tree that arguments are made of."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def read(self, node: ast.expr) -> Any:
        reader = getattr(self, f"_{type(node).__name__.lower()}", None)
        if reader is None:
            raise ValueError(f"'{ast.unparse(node)}' cannot be used in an argument")
        return reader(node)

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        raise ValueError(f"'{ast.unparse(node)}' cannot be used in an argument")

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self.read(item) for item in node.elts)

    def _list(self, node: ast.List) -> list[Any]:
        return [self.read(item) for item in node.elts]

    def _name(self, node: ast.Name) -> Any:
        if node.id in ("inf", "nan"):
            return float(node.id)
        return self.names.operand(node.id)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            raise ValueError("'not' cannot be used in an argument")
        if isinstance(node.op, ast.UAdd):
            return value
        if isinstance(node.op, ast.Invert):
            return Call("operator.invert", (value,))
        if _is_tensor(value):
            return Call("operator.neg", (value,))
        return int_op("-", 0, value) if isinstance(value, Symbol) else -value

    def _binop(self, node: ast.BinOp) -> Any:
        return self._combined(type(node.op), self.read(node.left), self.read(node.right), node)

    def _compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1:
            raise ValueError(f"'{ast.unparse(node)}': write one comparison at a time")
        left, right = self.read(node.left), self.read(node.comparators[0])
        return self._combined(type(node.ops[0]), left, right, node)

    def _combined(self, kind: type[ast.AST], left: Any, right: Any, node: ast.expr) -> Any:
        sign = _AST_OPERATORS.get(kind)
        if sign is None:
            raise ValueError(f"'{ast.unparse(node)}': this operator is not known here")
        if _is_tensor(left) or _is_tensor(right):
            return Call(_TARGETS[sign], (left, right))
        numbers = all(isinstance(side, (int, float, Symbol)) for side in (left, right))
        if not numbers:
            raise ValueError(f"'{ast.unparse(node)}': both sides must be numbers or tensors")
        if sign in _OF_TENSORS:
            raise ValueError(f"'{ast.unparse(node)}': one side of {sign} must be a tensor")
        if isinstance(left, Symbol) or isinstance(right, Symbol):
            if sign in ("/", "**"):
                raise ValueError(f"'{ast.unparse(node)}': sizes are whole numbers, {sign} is not")
            return int_op(sign, left, right)
        return _computed(sign, left, right, node)

    def _attribute(self, node: ast.Attribute) -> Any:
        text = ast.unparse(node)
        if text in _TORCH_DTYPES:
            return Dtype(_TORCH_DTYPES[text])
        if node.attr == "device":
            value = self.read(node.value)
            if isinstance(value, Value):
                return Device(value)
        raise ValueError(f"'{text}' cannot be used in an argument")

    def _subscript(self, node: ast.Subscript) -> Any:
        base = node.value
        if isinstance(base, ast.Attribute) and base.attr == "shape":
            return self._dim(self.read(base.value), self._index(node.slice))
        index = self._index(node.slice)
        named = isinstance(index[0] if isinstance(index, tuple) and index else index, str)
        if isinstance(base, ast.Name) and base.id in ("row", "input", "parameter") and named:
            return self.names.lookup(base.id, index)
        value = self.read(base)
        if isinstance(value, tuple):
            if isinstance(index, int) and -len(value) <= index < len(value):
                return value[index]
            raise ValueError(f"'{ast.unparse(node)}': the list has {len(value)} elements")
        return Call("operator.getitem", (value, index))

    def _dim(self, value: Any, axis: Any) -> Dim:
        if not isinstance(value, Value) or not isinstance(axis, int):
            raise ValueError(".shape needs an input and a whole number, as in x.shape[0]")
        if not -len(value.shape) <= axis < len(value.shape):
            raise ValueError(f"{value!r} has no axis {axis}")
        return Dim(value, axis)

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            ends = (node.lower, node.upper, node.step)
            return slice(*(None if end is None else self.read(end) for end in ends))
        if isinstance(node, ast.Tuple):
            return tuple(self._index(item) for item in node.elts)
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return Ellipsis
        return self.read(node)

    def _call(self, node: ast.Call) -> Any:
        if any(keyword.arg is None for keyword in node.keywords):
            raise ValueError(f"'{ast.unparse(node)}': ** cannot be used in an argument")
        name = ast.unparse(node.func)
        if name == "int":
            return self._item(node)
        args = tuple(self.read(item) for item in node.args)
        kwargs = {keyword.arg: self.read(keyword.value) for keyword in node.keywords if keyword.arg}
        if name == "slice":
            return slice(*args)
        if name in ("min", "max") and len(args) == 2:
            return int_op(name, *args)
        if isinstance(node.func, ast.Attribute) and not _is_target(name):
            method = check_target(f".{node.func.attr}")
            return Call(method, (self.read(node.func.value), *args), kwargs)
        return Call(check_target(name), args, kwargs)

    def _item(self, node: ast.Call) -> Item:
        (inner,) = node.args if len(node.args) == 1 else (None,)
        index = 0
        if isinstance(inner, ast.Subscript):
            found = self._index(inner.slice)
            if isinstance(found, int):
                inner, index = inner.value, found
        value = self.read(inner) if inner is not None else None
        if not isinstance(value, Value):
            raise ValueError("int() takes an element of an input, as in int(x[0])")
        return Item(value, index)


def _computed(sign: str, left: float, right: float, node: ast.expr) -> Any:
    if sign in ("//", "%", "/") and right == 0:
        raise ValueError(f"'{ast.unparse(node)}' divides by zero")
    if sign == "**" and (abs(left) > 1e6 or abs(right) > 64):
        raise ValueError(f"'{ast.unparse(node)}' is too large")
    if sign == "/":
        return left / right
    if sign == "**":
        return left**right
    return int_op(sign, left, right)  # type: ignore[arg-type]


def _is_target(name: str) -> bool:
    return name.split(".")[0] in ("F", "torch", "operator", "fn", "ops", "nn")


def _is_tensor(value: Any) -> bool:
    if isinstance(value, Symbol):
        return False
    return any(True for _ in values_of(value))


# --- what files keep --------------------------------------------------------------------------


def encode(value: Any, names: Names) -> Any:
    """A value as YAML or JSON keeps it: plain where it can be, else `=` and its text."""
    if isinstance(value, (tuple, list)):
        items = [encode(item, names) for item in value]
        if not any(isinstance(item, str) and item.startswith("=") for item in items):
            return items
    elif value is None or isinstance(value, (bool, int)):
        return value
    elif isinstance(value, float) and math.isfinite(value):
        return float(short_float(value))
    elif isinstance(value, str) and not value.startswith("="):
        return value
    return f"={show(value, names)}"


def decode(value: Any, names: Names) -> Any:
    """The opposite of `encode`; lists become tuples, as torch's own defaults are."""
    if isinstance(value, list):
        return tuple(decode(item, names) for item in value)
    if isinstance(value, str) and value.startswith("="):
        return parse(value[1:], names)
    return value
