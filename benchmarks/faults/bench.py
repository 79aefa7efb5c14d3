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
                    write(as_line(trial.run(fault)))
                    count += 1
    finally:
        trial.close()
    return count


def sampled(faults: dict[Path, list[str]], count: int, seed: int) -> dict[Path, set[str]]:
    """So many faults, spread evenly over places, then kinds, then programs."""
    if not count:
        return {folder: set(ids) for folder, ids in faults.items()}
    chance = random.Random(seed)
    kinds: dict[str, dict[str, list[tuple[Path, str]]]] = defaultdict(lambda: defaultdict(list))
    for folder, ids in faults.items():
        for name in ids:
            place = name.partition(":")[0]
            kinds[place][name.partition(" @ ")[0]].append((folder, name))
    queues = []
    for of_place in kinds.values():
        for group in of_place.values():
            chance.shuffle(group)
        names = list(of_place)
        chance.shuffle(names)
        most = max(map(len, of_place.values()))
        turn = [of_place[name][i] for i in range(most) for name in names if i < len(of_place[name])]
        queues.append(turn)
    chosen: dict[Path, set[str]] = defaultdict(set)
    for folder, name in shares(queues, count):
        chosen[folder].add(name)
    return chosen


def shares(queues: list[list[tuple[Path, str]]], count: int) -> list[tuple[Path, str]]:
    """Two thirds from the queue with the most kinds (rules), the rest in turn."""
    queues = sorted(queues, key=lambda queue: len({n.partition(" @ ")[0] for _, n in queue}))
    rest, main = queues[:-1], queues[-1]
    found = main[: count if not rest else 2 * count // 3]
    place = 0
    while len(found) < count and any(place < len(queue) for queue in rest):
        found += [queue[place] for queue in rest if place < len(queue)]
        place += 1
    return found[:count]
