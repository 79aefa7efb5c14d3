"""What the processes of the bench do: list the faults of a program, and try those chosen."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

from benchmarks.faults.table import Line
from benchmarks.faults.trial import Trial, as_line


def listed(folder: Path) -> list[str]:
    """The faults that fit a program."""
    trial = Trial(folder)
    try:
        return [fault.id for fault in trial.faults()]
    finally:
        trial.close()


def tried(folder: Path, wanted: set[str], healthy: bool, out: Path) -> int:
    """Run the faults of one program; every result is written at once."""
    trial = Trial(folder)
    count = 0
    try:
        with out.open("a") as file:

            def write(line: Line) -> None:
                file.write(json.dumps(line) + "\n")
                file.flush()

            if healthy:
                for record in trial.healthy():
                    write(as_line(record))
            for fault in trial.faults():
                if fault.id in wanted:
                    write(as_line(trial.begun(fault)))  # what stays if this process dies
                    write(as_line(trial.run(fault)))
                    count += 1
    finally:
        trial.close()
    return count


#: How much of a sample is planted where; the rest goes to rules.
SHARES = {"slip": 0.15, "function": 0.15, "reader": 0.04, "mapping": 0.06, "module": 0.06,
          "bundle": 0.06}  # fmt: skip


def sampled(faults: dict[Path, list[str]], count: int, seed: int) -> dict[Path, set[str]]:
    """So many faults: of each place its share, spread over kinds, then over programs."""
    if not count:
        return {folder: set(ids) for folder, ids in faults.items()}
    chance = random.Random(seed)
    kinds: dict[str, dict[str, list[tuple[Path, str]]]] = defaultdict(lambda: defaultdict(list))
    for folder, ids in faults.items():
        for name in ids:
            place = name.partition(":")[0]
            kinds[place][name.partition(" @ ")[0]].append((folder, name))
    queues = {}
    for place, of_place in kinds.items():
        for group in of_place.values():
            chance.shuffle(group)
        names = list(of_place)
        chance.shuffle(names)
        most = max(map(len, of_place.values()))
        turn = [of_place[name][i] for i in range(most) for name in names if i < len(of_place[name])]
        queues[place] = turn
    chosen: dict[Path, set[str]] = defaultdict(set)
    left = count
    for place in (*SHARES, "rule"):
        turn = queues.get(place, [])
        alone = len(queues) == 1 or place == "rule"
        for folder, name in turn[: left if alone else round(SHARES[place] * count)]:
            chosen[folder].add(name)
            left -= 1
    return chosen
