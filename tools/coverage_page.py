"""Write docs/operators.md: for every operator of the installed Paddle, rule, refusal or open.

Usage: python tools/coverage_page.py
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.cases import all_cases
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.signatures import operators

TARGET = Path(__file__).parents[1] / "docs" / "operators.md"
PORTABILITY = TARGET.with_name("portability.json")
#: The checks of tools/portability.py by the name of the format.
CHECKS = {"export": "torch.export", "trace": "TorchScript", "onnx": "ONNX"}
#: Built into rules/apply.py or the passes.
BUILT_IN = {
    "pd_op.if": "built in: Python `if`", "pd_op.while": "built in: Python `while`",
    "pd_op.data": "built in: model input", "pd_op.feed": "built in: model input",
    "pd_op.fetch": "built in: model output", "builtin.combine": "built in: dissolved",
    "builtin.split": "built in: dissolved", "builtin.slice": "built in: dissolved",
}  # fmt: skip


def portability() -> tuple[dict[str, str], str]:
    """What an operator's cases cannot do afterwards, and a sentence on all; as last measured."""
    found = json.loads(PORTABILITY.read_text(encoding="utf-8"))
    cases = [case for case in all_cases() if case.dynamic and not case.refused]
    told: dict[str, list[str]] = {}
    works = []
    for name, label in CHECKS.items():
        total, failed, reasons = Counter[str](), Counter[str](), {}
        measured = [
            case for case in cases if case.id in found.get("partly", {}).get(name, [case.id])
        ]
        for case in measured:
            reason = found["failing"].get(case.id, {}).get(name)
            total.update(case.ops)
            failed.update(case.ops if reason else ())
            reasons |= dict.fromkeys(case.ops, reason) if reason else {}
        for op, count in failed.items():
            told.setdefault(op, []).append(f"{label}: {count} of {total[op]} ({reasons[op]})")
        good = sum(name not in found["failing"].get(case.id, {}) for case in measured)
        works.append(f"{good} of {len(measured)} work in {label}")
    sentence = (
        "Cases with dynamic sizes were exported for one size and run with another "
        f"(torch {found['torch']}, `python tools/portability.py`): {', '.join(works)}."
    )
    return {op: "; ".join(parts) for op, parts in told.items()}, sentence


def main() -> None:
    """Write the page."""
    cannot, sentence = portability()
    tested = Counter(op for case in all_cases() for op in case.ops)
    lines, counts = [], Counter[str]()
    for name in sorted(operators()):
        rule = DEFAULT.find(name)
        if name in BUILT_IN:
            state, told = "rule", BUILT_IN[name]
        elif rule is not None:
            first = rule.doc.split("\n")[0].replace("|", "\\|")
            state = "refused" if first.startswith("Not served") else "rule"
            place = (
                f"`{rule.place.removeprefix('workbench/sources/paddle/').partition(':')[0]}` "
                if state == "rule"
                else ""
            )
            told = f"{place}{first}"
        else:
            state = told = "open"
        counts[state] += 1
        lines.append(f"| `{name}` | {told} | {tested.get(name, '')} | {cannot.get(name, '')} |")
    head = [
        "# Operators",
        "",
        "Made by `python tools/coverage_page.py` from the installed Paddle's own list of forward operators; do not",
        "edit. The number counts the cases in which the operator is compared with Paddle.",
        "",
        f"{counts['rule']} with a rule or built in, {counts['refused']} refused with the reason, "
        f"{counts['open']} open; "
        f"{sum(tested.values())} cases.",
        "",
        "The last column tells where a converted module cannot be exported afterwards, with `m.export`'s formats.",
        sentence,
        "",
        "| operator | rule, or why not | cases | cases that fail |",
        "|---|---|---|---|",
    ]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(head[5], "->", TARGET)


if __name__ == "__main__":
    main()
