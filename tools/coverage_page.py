"""Write docs/operators.md: for every operator of the installed Paddle, rule, refusal or open.

Usage: python tools/coverage_page.py
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.cases import all_cases
from workbench.rules import DEFAULT
from workbench.schema import operators

TARGET = Path(__file__).parents[1] / "docs" / "operators.md"
#: Built into rules/apply.py or the passes.
BUILT_IN = {
    "pd_op.if": "built in: Python `if`", "pd_op.while": "built in: Python `while`",
    "pd_op.data": "built in: model input", "pd_op.feed": "built in: model input",
    "pd_op.fetch": "built in: model output", "builtin.combine": "built in: dissolved",
    "builtin.split": "built in: dissolved", "builtin.slice": "built in: dissolved",
}  # fmt: skip


def main() -> None:
    """Write the page."""
    tested = Counter(op for case in all_cases() for op in case.ops)
    lines, counts = [], Counter[str]()
    for name in sorted(operators()):
        rule = DEFAULT.find(name)
        if name in BUILT_IN:
            state, told = "rule", BUILT_IN[name]
        elif rule is not None:
            first = rule.doc.split("\n")[0].replace("|", "\\|")
            state = "refused" if first.startswith("Not served") else "rule"
            place = f"`{rule.place.removeprefix('workbench/')}` " if state == "rule" else ""
            told = f"{place}{first}"
        else:
            state = told = "open"
        counts[state] += 1
        lines.append(f"| `{name}` | {told} | {tested.get(name, '')} |")
    head = [
        "# Operators",
        "",
        "Made by `python tools/coverage_page.py` from the installed Paddle's own list of forward operators; do not",
        "edit. A number in the last column counts the cases in which the operator is compared with Paddle.",
        "",
        f"{counts['rule']} with a rule or built in, {counts['refused']} refused with the reason, "
        f"{counts['open']} open; "
        f"{sum(tested.values())} cases.",
        "",
        "| operator | rule, or why not | cases |",
        "|---|---|---|",
    ]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(head[5], "->", TARGET)


if __name__ == "__main__":
    main()
