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
from workbench.core.integers import Count, Dim, IntOp, Item, Symbol, int_op
from workbench.core.numbers import shortest
from workbench.core.values import Value
from workbench.editing.choices import check_target
from workbench.editing.names import Names
from workbench.targets.pytorch.resolve import torch_dtype

_INFIX = {
    "operator.add": "+", "operator.sub": "-", "operator.mul": "*", "operator.truediv": "/",
    "operator.floordiv": "//", "operator.mod": "%", "operator.pow": "**", "operator.matmul": "@",
    "operator.lt": "<", "operator.le": "<=", "operator.gt": ">", "operator.ge": ">=",
    "operator.eq": "==", "operator.ne": "!=", "operator.and_": "&", "operator.or_": "|",
    "operator.xor": "^",
}  # fmt: skip
_AST_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.MatMult: "@", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
}  # fmt: skip
_TARGETS = {sign: target for target, sign in _INFIX.items()}
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
    if isinstance(argument, float):
        return short_float(argument)
    if isinstance(argument, Dtype):
        return str(torch_dtype(argument.name))
    if isinstance(argument, Value):
        return names.text(argument)
    if isinstance(argument, Device):
        return f"{names.text(argument.value)}.device"
    if isinstance(argument, Symbol):
        return _show_symbol(argument, names)
    if isinstance(argument, Call):
        return _show_call(argument, names)
    if isinstance(argument, Layer):
        given = [f"{key}={show(value, names)}" for key, value in argument.arguments.items()]
        return f"{argument.target}({', '.join(given)})({_listed(argument.args, names)})"
    if isinstance(argument, slice):
        return f"slice({_listed((argument.start, argument.stop, argument.step), names)})"
    if isinstance(argument, list):
        return f"[{_listed(argument, names)}]"
    if isinstance(argument, tuple):
        return f"({_listed(argument, names)}{',' if len(argument) == 1 else ''})"
    return repr(argument.item() if isinstance(argument, np.generic) else argument)


def _listed(items: Any, names: Names) -> str:
    return ", ".join(show(item, names) for item in items)


def _show_symbol(symbol: Symbol, names: Names) -> str:
    if isinstance(symbol, Dim):
        return f"{names.text(symbol.value)}.shape[{symbol.axis}]"
    if isinstance(symbol, Count):
        return names.text(symbol.value)
    if isinstance(symbol, Item):
        return f"int({names.text(symbol.value)}[{symbol.index}])"
    assert isinstance(symbol, IntOp)
    if symbol.op in ("min", "max"):
        return f"{symbol.op}({_listed((symbol.left, symbol.right), names)})"
    return _infix(symbol.op, symbol.left, symbol.right, names)


def _infix(sign: str, left: Any, right: Any, names: Names) -> str:
    return f"{_operand(left, names)} {sign} {_operand(right, names)}"


def _operand(side: Any, names: Names) -> str:
    text = show(side, names)
    composed = isinstance(side, IntOp) and side.op not in ("min", "max")
    infix = isinstance(side, Call) and side.target in (*_INFIX, "operator.neg")
    negative = isinstance(side, (int, float)) and text.startswith("-")
    return f"({text})" if composed or infix or negative else text


def _show_call(call: Call, names: Names) -> str:
    if call.target in _INFIX and len(call.args) == 2:
        return _infix(_INFIX[call.target], *call.args, names)
    if call.target == "operator.neg":
        return f"-{_operand(call.args[0], names)}"
    if call.target == "operator.getitem":
        return f"{_operand(call.args[0], names)}[{_show_index(call.args[1], names)}]"
    given = [show(item, names) for item in call.args]
    given += [f"{key}={show(value, names)}" for key, value in call.kwargs.items()]
    if call.target.startswith(".") and call.args:
        return f"{_operand(call.args[0], names)}{call.target}({', '.join(given[1:])})"
    return f"{call.target}({', '.join(given)})"


def _show_index(index: Any, names: Names) -> str:
    if isinstance(index, slice):
        ends = [
            "" if end is None else show(end, names) for end in (index.start, index.stop, index.step)
        ]
        return ":".join(ends if index.step is not None else ends[:2])
    if isinstance(index, tuple) and index:
        return ", ".join(_show_index(item, names) for item in index) + "," * (len(index) == 1)
    return show(index, names)


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
        if isinstance(left, Symbol) or isinstance(right, Symbol):
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
