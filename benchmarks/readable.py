"""How readable the source is that the workbench writes: sizes, twins, arguments, names.

Usage: python -m benchmarks.readable [PROGRAM …] [--keep FOLDER]

Programs are folders or files that `wb.load` takes; without any, the samples in data/. For each one:
lines of code (no blank lines, comments or docstrings), classes, near-twin classes (equal once names
and numbers are blanked and one child is left out), the longest function, the most arguments of a
`forward`, the share of attributes and variables that end in a number, and what ruff finds (default
rules, B, I, UP, and the formatter). `--keep` writes the sources to a folder.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import combinations
from pathlib import Path

from benchmarks.models import ROOT

RULES = "E4,E7,E9,F,B,I,UP"
_NUMBERED = re.compile(r".*\d$")


@dataclass(frozen=True, slots=True)
class Readable:
    """The figures of one source; `numbered` is in percent."""

    lines: int
    classes: int
    twins: int
    longest: int
    arguments: int
    numbered: int
    ruff: int


def measured(text: str) -> Readable:
    """The figures of a source."""
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    forwards = [node for node in functions if node.name == "forward"]
    code = _code_lines(text, tree)
    return Readable(
        len(code),
        len(classes),
        _twins(classes),
        max((_length(node, code) for node in functions), default=0),
        max((len(node.args.args) - 1 for node in forwards), default=0),
        _numbered(tree),
        _findings(text),
    )


def _code_lines(text: str, tree: ast.Module) -> set[int]:
    lines = {
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _length(node: ast.FunctionDef, code: set[int]) -> int:
    return len(code & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))


# --- twins ------------------------------------------------------------------------------------


def _twins(classes: list[ast.ClassDef]) -> int:
    """Classes that have another one like them, but for names, numbers and one child."""
    shapes = [_shape(node) for node in classes]
    found: set[int] = set()
    for (left, a), (right, b) in combinations(enumerate(shapes), 2):
        if _near(a, b):
            found |= {left, right}
    return len(found)


def _shape(node: ast.ClassDef) -> list[str]:
    """The statements of a class with names and constants blanked."""
    found = []
    for method in node.body:
        if isinstance(method, ast.FunctionDef):
            found.append(f"def {method.name}")
            found += [_blank(part) for part in method.body if not _is_text(part)]
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _blank(node: ast.AST) -> str:
    text = ast.dump(node)
    text = re.sub(r"id='(?!nn|F|torch|self|super)\w+'", "id=_", text)
    text = re.sub(r"keyword\(arg='\w+', value=(Constant\(value=[^()]*\)|Name\(id=_[^()]*\(\)\))\)",
                  "keyword", text)  # fmt: skip
    return re.sub(r"Constant\(value=[^()]*\)", "Constant", text)


def _near(left: list[str], right: list[str]) -> bool:
    """Equal, or equal when the longer one loses a child (a line of each method), or one differs."""
    if abs(len(left) - len(right)) > 2:
        return False
    rest = list(right)
    missing = 0
    for line in left:
        if line in rest:
            rest.remove(line)
        else:
            missing += 1
    return missing <= 2 and len(rest) <= 2 and missing + len(rest) <= len(left)


# --- names ------------------------------------------------------------------------------------


def _numbered(tree: ast.Module) -> int:
    names = list(_names(tree))
    return round(100 * sum(bool(_NUMBERED.match(name)) for name in names) / max(len(names), 1))


def _names(tree: ast.Module) -> Iterator[str]:
    """Attributes and variables, once for each function that sets them."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from sorted({_name(node) for node in ast.walk(function) if _is_set(node)})


def _is_set(node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else str(getattr(node, "attr", ""))


def _findings(text: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.py")
        path.write_text(text, "utf-8")
        common = [sys.executable, "-m", "ruff"]
        length = ["--isolated", "--line-length", "100"]
        check = [*common, "check", *length, "--select", RULES, "--output-format", "concise", path]
        told = subprocess.run(check, capture_output=True, text=True, check=False)
        form = [*common, "format", *length, "--check", path]
        formatted = subprocess.run(form, capture_output=True, text=True, check=False)
    return told.stdout.count("model.py:") + bool(formatted.returncode)


# --- programs ---------------------------------------------------------------------------------


def written(program: Path) -> str:
    """The source of a program."""
    import workbench as wb
    from workbench.targets.pytorch.codegen.source import generate

    with wb.load(program) as migration:
        return generate(migration.mapping, f"{program.name}.")


def table(programs: Iterable[Path], keep: Path | None) -> None:
    """Print a line for each program and the sums."""
    heads = [field.name for field in fields(Readable)]
    print(f"{'program':28}" + "".join(f"{head:>10}" for head in heads))
    rows = []
    for program in programs:
        text = written(program)
        if keep:
            (keep / f"{program.name}.py").write_text(text, "utf-8")
        rows.append(astuple(measured(text)))
        _line(program.name, rows[-1])
    if rows:
        columns = list(zip(*rows, strict=True))
        sums = [sum(column) for column in columns[:3]]
        most = [max(column) for column in columns[3:5]]
        _line("all", (*sums, *most, round(sum(columns[5]) / len(rows)), sum(columns[6])))


def _line(name: str, figures: tuple[int, ...]) -> None:
    print(f"{name[:27]:28}" + "".join(f"{figure:>10}" for figure in figures), flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", nargs="*", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    samples = [path.parent for path in sorted((ROOT / "data").glob("*/metric.json"))]
    table(given.programs or samples, given.keep)


if __name__ == "__main__":
    main()
