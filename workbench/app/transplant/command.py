"""`workbench transplant SOURCE --target EXPRESSION --out DIR`."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from workbench.app.transplant.transplanting import Transplant, transplant
from workbench.core.errors import InputError


def run(source: str, expression: str, out: str, inputs: str | None = None) -> Transplant:
    """Pair, prove, fill and write into a folder: the tensors, the table and the page.

    `expression` is Python of the person's own that makes the module, `"timm.create_model('…')"`;
    the modules that it names are imported. Raises `InputError` when it makes none.
    """
    made = transplant(source, target_of(expression), inputs=inputs)
    made.verify()
    folder = Path(out)
    made.report(folder / "report.html")
    made.export(folder)
    made.mapping.frame().to_csv(folder / "mapping.csv", index=False)
    return made


def target_of(expression: str) -> nn.Module:
    """The module that an expression makes; raises `InputError` when it fails or is no module."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise InputError(f"--target is no Python expression: {error.msg}.") from error
    names: dict[str, Any] = {}
    try:
        for module in _modules(tree):
            _import(module, names)
        made = eval(compile(tree, "--target", "eval"), names)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise InputError(
            f"--target {expression} failed: {told}.",
            'Give what makes the module, as "torchvision.models.resnet18()"; a module of your own '
            "must be importable from the folder that you are in.",
        ) from error
    if not isinstance(made, nn.Module):
        raise InputError(f"--target made a {type(made).__name__}, not a torch.nn.Module.")
    return made


def _modules(tree: ast.AST) -> Iterator[str]:
    """Dotted names in the expression, the longest of each."""
    for node in ast.walk(tree):
        name = _dotted(node)
        if name:
            yield name


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _import(name: str, names: dict[str, Any]) -> None:
    """Import as much of a dotted name as is a module; its first part becomes known."""
    steps = name.split(".")
    for length in range(1, len(steps) + 1):
        try:
            importlib.import_module(".".join(steps[:length]))
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if length == 1 and missing == steps[0]:
                return  # a builtin, or a name that the evaluation will miss
            break
    names[steps[0]] = importlib.import_module(steps[0])
