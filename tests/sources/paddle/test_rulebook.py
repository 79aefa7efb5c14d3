"""The rule book as a whole: every rule is explained and tested, none names an unknown operator."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.cases import all_cases
from workbench.conversion.book import Rule
from workbench.core.errors import UnsupportedOp
from workbench.sources.paddle.rules import DEFAULT, detection
from workbench.sources.paddle.signatures import operators
from workbench.targets.pytorch import functions

TESTS = Path(__file__).parents[2]


#: CPU Paddle cannot run these, or crashes on them, and no formula is documented to test against.
PADDLE_CANNOT = {
    "pd_op.box_clip",
    "pd_op.max_with_index",
    "pd_op.min_with_index",
    "pd_op.view_slice",
}


def _short(name: str) -> str:
    return name.partition(".")[2].removesuffix("_")


def _refuses_always(rule: Rule) -> bool:
    """True for a rule whose body only raises: the reason is its whole content."""
    lines = [line.strip() for line in inspect.getsource(rule.function).splitlines()]
    return UnsupportedOp.__name__ in "".join(lines) and not any(
        line.startswith("return") for line in lines
    )


def test_every_rule_has_a_case() -> None:
    words = set()
    for path in TESTS.rglob("*.py"):
        words |= set(re.findall(r"[A-Za-z_]\w*", path.read_text("utf-8")))
    for case in all_cases():
        words |= {_short(op) for op in case.ops}
    untested = [
        name
        for name, rule in DEFAULT.own()
        if not any(_short(one) in words for one in rule.names)
        and not _refuses_always(rule)
        and name not in PADDLE_CANNOT
    ]
    assert untested == []


def test_no_operator_has_two_rules() -> None:
    """The one that is imported last would win, and the other would be read in vain."""
    found: Counter[str] = Counter()
    for path in sorted((TESTS.parent / "workbench" / "sources" / "paddle" / "rules").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("rule", "refuse"):
                names = [one.value for one in node.args if isinstance(one, ast.Constant)]
                found.update(str(name).removeprefix("pd_op.") for name in names)
    assert found
    assert [name for name, count in found.items() if count > 1] == []


def test_every_rule_says_what_it_does() -> None:
    assert [name for name, rule in DEFAULT.own() if len(rule.doc) < 10] == []


def test_rules_are_for_operators_that_paddle_has() -> None:
    known = operators()
    ours = ("workbench.", "builtin.")
    unknown = [name for name in DEFAULT.names() if name not in known and not name.startswith(ours)]
    assert unknown == []


#: Made by the reader, a pass or rules/apply.py.
BUILT_IN = {
    "pd_op.data", "pd_op.feed", "pd_op.fetch", "pd_op.if", "pd_op.while", "builtin.combine",
    "builtin.split", "builtin.slice",
}  # fmt: skip


def test_no_operator_is_left_open() -> None:
    """Every operator of the installed Paddle has a rule, is built in, or is refused by name."""
    assert [name for name in operators() if name not in BUILT_IN and not DEFAULT.find(name)] == []


def test_torchvision_is_imported_only_for_detection() -> None:
    """Its import takes longer than all other work on a small model."""
    told = (
        "import sys, workbench as wb\n"
        "wb.load('data/digits_classifier').convert()\n"
        "assert 'torchvision' not in sys.modules and 'torch._dynamo' not in sys.modules\n"
        "from workbench.targets.pytorch import functions\n"
        "assert all(callable(getattr(functions, name)) for name in functions.__all__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=Path(__file__).parents[3], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_defaults_of_detection_helpers_are_those_of_the_functions() -> None:
    for name, told in detection.DEFAULTS.items():
        parameters = inspect.signature(getattr(functions, name)).parameters.values()
        assert told == {p.name: p.default for p in parameters if p.default is not p.empty}, name
