"""The figures of the fault bench, by kind and by place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Line = dict[str, Any]


def share(part: int, whole: int) -> str:
    """`9 of 10  90 %`."""
    return f"{part:4d} of {whole:4d} {100 * part / whole:5.1f} %" if whole else "        –     "


def row(name: str, lines: Sequence[Line]) -> str:
    """One line of the table, of visible faults."""
    default = sum(line["found"] == "default" for line in lines)
    found = sum(bool(line["found"]) for line in lines)
    right = sum(line["right"] for line in lines if line["found"])
    asked = [line for line in lines if line["found"] and line["named"] is not None]
    named = sum(line["named"] for line in asked)
    told = (share(default, len(lines)), share(found, len(lines)), share(right, found))
    return f"{name:44s} {' | '.join(told)} | {share(named, len(asked))}"


def groups(lines: Iterable[Line], key: str) -> dict[str, list[Line]]:
    """Lines by one of their fields."""
    found = defaultdict(list)
    for line in lines:
        found[line[key]].append(line)
    return dict(sorted(found.items()))


def table(lines: Sequence[Line]) -> str:
    """All that is printed: by level and place, by kind, what was missed, false alarms."""
    healthy = [line for line in lines if line["place"] == "healthy"]
    faults = [line for line in lines if line["place"] != "healthy"]
    head = (
        f"{'':44s} {'found by default':19s} | {'or thorough':19s} | {'right row':19s} | cause named"
    )
    out = [f"{len({line['program'] for line in lines})} programs, {len(faults)} faults planted"]
    counts = {level: len(found) for level, found in groups(faults, "level").items()}
    out += [", ".join(f"{level}: {count}" for level, count in counts.items()), ""]
    for level in ("plain", "fine"):
        chosen = [line for line in faults if line["level"] == level]
        title = "visible in float32" if level == "plain" else "visible in float64 only"
        out += [title, head, row("all", chosen)]
        out += [row(f"  {name}", found) for name, found in groups(chosen, "place").items()]
        out += [""]
    seen = [line for line in faults if line["level"] in ("plain", "fine")]
    for key in ("family", "kind"):
        out += [
            f"by {key}",
            head,
            *(row(f"  {n}", found) for n, found in groups(seen, key).items()),
        ]
        out += [""]
    out += ["missed"]
    out += [
        f"  [{line['level']}, {line['how']}, {line['size']:.2g}] {line['id']}  {line['told'][:120]}"
        for line in seen
        if not line["found"]
    ]
    out += ["", "found, but another row accused"]
    wrong = [line for line in seen if line["found"] and not line["right"]]
    out += [f"  {line['id']} → {', '.join(line['accused'][:4])}" for line in wrong]
    out += ["", "found, cause not named"]
    silent = [line for line in seen if line["found"] and line["named"] is False]
    out += [f"  {line['id']}: {line['told'][:160] or 'nothing said'}" for line in silent]
    alarms = [line for line in healthy if line["found"]]
    out += ["", f"false alarms: {len(alarms)} of {len(healthy)} checks of correct programs"]
    out += [f"  {line['program']} {line['kind']}: {line['told'][:300]}" for line in alarms]
    unproven = [line for line in healthy if line["how"] == "not proven"]
    out += ["", f"correct, but not proven: {len(unproven)}"]
    out += [f"  {line['program']} {line['kind']}: {line['told'][:300]}" for line in unproven]
    return "\n".join(out)
