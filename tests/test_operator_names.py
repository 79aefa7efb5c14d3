"""Nothing outside the sources names an operator of theirs: its traits tell what it is like."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.traits import Role, Trait
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.signatures import operators

ROOT = Path(__file__).parents[1] / "workbench"
FILES = sorted(
    path for path in ROOT.rglob("*.py") if not path.is_relative_to(ROOT / "sources" / "paddle")
)
DIALECTS = ("pd_op.", "builtin.", "cf.")
#: Attributes that hold names of operators.
NAMED = {"name", "short_name", "ops"}
SHORT = {name.partition(".")[2].rstrip("_") for name in (*operators(), *DEFAULT.names())}
#: Collections of words that are operators by accident, or torch's own, and why.
ALLOWED = {
    "('tanh', 'relu')": "choices of the argument `nonlinearity` of torch's recurrent layers",
    "('min', 'max')": "Python's own functions, in integer expressions",
}


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _docstrings(tree: ast.Module) -> set[ast.AST]:
    return {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


def _strings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def full_names(tree: ast.Module) -> list[str]:
    """Strings that hold an operator with its dialect, or a dialect to make one of."""
    told = _docstrings(tree)
    return [
        node.value
        for node in _strings(tree)
        if node not in told and any(dialect in node.value for dialect in DIALECTS)
    ]


def compared(tree: ast.Module) -> list[str]:
    """Operators without dialect that are compared with the name of something, also by a table."""
    tables = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Compare, ast.BinOp, ast.Call, ast.Subscript)):
            continue
        inside = [*ast.walk(node)]
        if not any(isinstance(one, ast.Attribute) and one.attr in NAMED for one in inside):
            continue
        if isinstance(node, ast.Call) and not _is_lookup(node):
            continue
        named = (tables[one.id] for one in inside if isinstance(one, ast.Name) and one.id in tables)
        words = [word.value for tree_ in (node, *named) for word in _strings(tree_)]
        found += [f"{ast.unparse(node)}: {word}" for word in words if word.rstrip("_") in SHORT]
    return found


def parts_of_names(tree: ast.Module) -> list[str]:
    """Tests for a word within the name of an operator, such as `"conv" in op.name`."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
            continue
        named = [one for one in ast.walk(node.comparators[0]) if isinstance(one, ast.Attribute)]
        of_ops = any(
            one.attr == "short_name"
            or (one.attr == "name" and ast.unparse(one.value).split(".")[-1] == "op")
            for one in named
        )
        if of_ops and isinstance(node.left, ast.Constant):
            found.append(ast.unparse(node))
    return found


def _is_lookup(node: ast.Call) -> bool:
    methods = {"get", "intersection", "isdisjoint", "issubset", "issuperset", "startswith"}
    methods |= {"endswith"}
    return isinstance(node.func, ast.Attribute) and node.func.attr in methods


def collections(tree: ast.Module) -> list[str]:
    """Sets, lists and tuples of nothing but operators without dialect."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.List, ast.Tuple)) and len(node.elts) > 1:
            words = [one.value for one in node.elts if isinstance(one, ast.Constant)]
            if len(words) == len(node.elts) and all(
                isinstance(word, str) and word.rstrip("_") in SHORT for word in words
            ):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_operator_is_named(path: Path) -> None:
    tree = _parsed(path)
    assert full_names(tree) == []
    assert parts_of_names(tree) == []
    assert [one for one in compared(tree) if one not in ALLOWED] == []
    assert [one for one in collections(tree) if one not in ALLOWED] == []


NAMING = """
_KINDS = {"conv2d", "matmul"}
LOOP = "pd_op.while"
def told(op, row):
    if op.short_name.rstrip("_") in _KINDS or "conv" in row.op.name:
        return {"relu": 1}.get(op.short_name)
    return op.name.startswith(f"pd_op.{row.path}") or row.ops == ("relu",)
"""


def test_what_names_an_operator_is_found() -> None:
    tree = ast.parse(NAMING)
    assert full_names(tree) == ["pd_op.while", "pd_op."]
    assert parts_of_names(tree) == ["'conv' in row.op.name"]
    assert {one.rpartition(": ")[2] for one in compared(tree)} == {"conv2d", "matmul", "relu"}
    assert collections(tree) == ["{'conv2d', 'matmul'}"]


def test_every_operator_with_a_rule_states_its_traits() -> None:
    silent = [
        name
        for name, rule in DEFAULT.own()
        if not DEFAULT.states(name) and not rule.doc.startswith("Not served")
    ]
    assert silent == []


def test_traits_are_stated_of_operators_that_there_are() -> None:
    known = {*operators(), *DEFAULT.names()}
    ours = ("builtin.", "cf.", "pd_op.if", "pd_op.while", "pd_op.data", "pd_op.feed", "pd_op.fetch")
    assert [n for n in DEFAULT.stated() if n not in known and not n.startswith(ours)] == []


def test_every_trait_and_role_is_of_some_operator_or_row() -> None:
    """One that nothing has is a word without meaning."""
    natures = [DEFAULT.nature(name) for name in DEFAULT.stated()]
    of_rows = {Trait.RANDOM, Trait.MISTAKEN, Trait.SUBSTITUTED, Trait.ADDED, Trait.IN_PLACE}
    assert set(Trait) - of_rows == {trait for one in natures for trait in one.traits}
    assert set(Role) == {role for one in natures for role in one.roles}


def test_roles_are_names_of_operands_or_settings() -> None:
    for name in DEFAULT.stated():
        told = operators().get(name)
        for place in DEFAULT.nature(name).roles.values():
            assert told is not None
            assert place in {*told.inputs, *told.attributes}, (name, place)
