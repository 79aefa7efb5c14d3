"""Faults in functions and rules by mutation: small changes of their code, as slips of a hand."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from benchmarks.faults.planting import Fault, faulty_function, faulty_rule
from workbench.conversion.book import Rule
from workbench.core.arguments import calls_in
from workbench.core.mapping import Mapping
from workbench.sources.paddle.rules import DEFAULT
from workbench.targets.pytorch import functions

Change = Callable[[ast.AST], Iterator[tuple[str, Callable[[], None]]]]
_COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
             ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is}  # fmt: skip
_COMPUTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
             ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
             ast.BitOr: ast.BitAnd}  # fmt: skip


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """The slips that fit a node: what each is, and what makes it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        yield "other comparison", lambda: node.ops.__setitem__(0, _COMPARED[type(node.ops[0])]())
    if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield "other operation", lambda: setattr(node, "op", _COMPUTED[type(node.op)]())
        if isinstance(node.op, (ast.Sub, ast.Div)):
            yield "operands exchanged", lambda: vars(node).update(left=node.right, right=node.left)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield "other constant", lambda: setattr(node, "value", _other(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign left out", lambda: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.BoolOp):
        turned: Any = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield "and for or", lambda: setattr(node, "op", turned())
    if isinstance(node, ast.Call):
        if node.keywords and all(one.arg for one in node.keywords):
            yield "argument left out", lambda: node.keywords.pop()
        if len(node.args) > 1 and not any(isinstance(one, ast.Starred) for one in node.args):
            yield (
                "arguments exchanged",
                lambda: node.args.__setitem__(slice(0, 2), node.args[1::-1]),
            )
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        test = node.test
        yield "condition turned round", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), test))


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value * 1.1 or 0.1


def mutants(function: FunctionType) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """Every slip in a function: its kind, its number, and what makes the faulty function."""
    tree = _tree(function)
    number = 0
    for place, node in enumerate(_body(tree)):
        for index, (kind, _) in enumerate(changes(node)):
            yield kind, number, lambda place=place, index=index: _mutant(function, place, index)
            number += 1


def _mutant(function: FunctionType, place: int, index: int) -> Any:
    tree = _tree(function)
    _, change = list(changes(_body(tree)[place]))[index]
    change()
    scope: dict[str, Any] = {}
    code = compile(ast.fix_missing_locations(tree), inspect.getfile(function), "exec")
    exec(code, function.__globals__, scope)
    return scope[function.__name__]


def _tree(function: FunctionType) -> ast.Module:
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    definition: Any = tree.body[0]
    definition.decorator_list = []
    tree.body.insert(0, ast.ImportFrom("__future__", [ast.alias("annotations")], 0))
    return tree


def _body(tree: ast.Module) -> list[ast.AST]:
    definition: Any = tree.body[-1]
    start = 1 if ast.get_docstring(definition) else 0
    return [node for statement in definition.body[start:] for node in ast.walk(statement)]


def plain(function: Any) -> bool:
    """True for a function with source of its own that needs nothing from around it."""
    if not isinstance(function, FunctionType) or function.__closure__:
        return False
    return function.__name__ != "<lambda>" and not function.__module__.startswith("benchmarks")


# --- functions that a program uses ----------------------------------------------------------------


def used_functions(mapping: Mapping) -> dict[tuple[ModuleType, str], set[str]]:
    """Every helper that rows call, straight or through others, and the paths of those rows."""
    found: dict[tuple[ModuleType, str], set[str]] = {}
    for row in mapping.walk():
        for part in calls_in(row.call) if row.call else ():
            if part.target.startswith("fn."):
                for key in _reached(getattr(functions, part.target[3:])):
                    found.setdefault(key, set()).add(row.path)
    return found


def _reached(function: Any) -> set[tuple[ModuleType, str]]:
    found: set[tuple[ModuleType, str]] = set()
    open_ = [function]
    while open_:
        one = inspect.unwrap(open_.pop())
        if not plain(one) or not one.__module__.startswith("workbench.targets.pytorch.functions"):
            continue
        key = (importlib.import_module(one.__module__), one.__name__)
        if key not in found:
            found.add(key)
            open_ += [one.__globals__.get(name) for name in one.__code__.co_names]
    return found


def function_faults(mapping: Mapping) -> Iterator[Fault]:
    """Every slip in the helpers that a program uses."""
    for (module, name), paths in used_functions(mapping).items():
        for kind, number, make in mutants(getattr(module, name)):
            yield Fault(
                "function", kind, f"{name}#{number}", (),
                lambda _, module=module, name=name, make=make: faulty_function(
                    module, name, make()
                ),
                tuple(sorted(paths)),
            )  # fmt: skip


def slip_faults(mapping: Mapping) -> Iterator[Fault]:
    """Every slip in the rules that a program uses."""
    rules: dict[Any, Rule] = {}
    for row in mapping.walk():
        rule = DEFAULT.find(row.op.name) if row.op is not None else None
        if rule is not None and plain(rule.function):
            rules[rule.function] = rule
    for function, rule in rules.items():
        names = tuple(name for name in rule.names if name in DEFAULT._rules)
        for kind, number, make in mutants(function):
            yield Fault(
                "slip", kind, f"{function.__name__}#{number}", (),
                lambda _, names=names, make=make: faulty_rule(names, lambda _: make()),
            )  # fmt: skip
