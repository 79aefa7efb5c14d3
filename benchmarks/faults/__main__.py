"""Plant faults one at a time in conversions of many programs, and count what verification finds.

Usage: python -m benchmarks.faults [--sample N] [--seed S] [--jobs J] [--only PATTERN]
                                   [--places rule,function,…] [--programs NAME,…] [--out FOLDER]

Programs are exported once into FOLDER/programs. What became of a fault is one line of
FOLDER/results.jsonl; a run that was interrupted goes on where it stopped, `--fresh` starts anew.
Without `--sample` every fault that fits a program is planted, which takes hours.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from benchmarks.faults.bench import listed, sampled, tried
from benchmarks.faults.table import Line, table
from benchmarks.models import ROOT


def exported(folder: Path) -> list[Path]:
    """The folders of all programs: those made by code, exported where missing, and the samples."""
    programs = folder / "programs"
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.faults.programs", str(programs)]
    environment = {**os.environ, "GLOG_minloglevel": "3"}
    subprocess.run(
        command, check=True, stdout=sys.stderr, stderr=subprocess.DEVNULL, env=environment
    )
    samples = [path.parent for path in sorted((ROOT / "data").glob("*/metric.json"))]
    return [*sorted(path for path in programs.iterdir() if path.is_dir()), *samples]


def candidates(folders: list[Path], jobs: int) -> dict[Path, list[str]]:
    """The faults of every program."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return dict(zip(folders, pool.map(listed, folders), strict=True))


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description="Fault injection.")
    parser.add_argument("--sample", type=int, default=0, help="plant only so many faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "faults")
    parser.add_argument("--programs", default="", help="names, or patterns, separated by commas")
    parser.add_argument(
        "--places", default="", help="rule, slip, function, reader, mapping, module, bundle"
    )
    parser.add_argument("--only", default="*", help="patterns of a fault's id, separated by commas")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--table", action="store_true", help="only print the table of the results")
    parser.add_argument("--no-healthy", action="store_true", help="skip the correct programs")
    options = parser.parse_args()
    results: Path = options.out / "results.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        results.unlink(missing_ok=True)
    if not options.table:
        run(options, results)
    lines = read(results)
    text = table(lines)
    (options.out / "table.txt").write_text(text + "\n")
    (options.out / "results.json").write_text(json.dumps(lines, indent=1))
    print(text)


def read(results: Path) -> list[Line]:
    """The results so far, the latest of each fault."""
    if not results.exists():
        return []
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return list({line["id"]: line for line in lines}.values())


def run(options: argparse.Namespace, results: Path) -> None:
    """Plant what is chosen and was not planted yet."""
    folders = exported(options.out)
    if options.programs:
        patterns = options.programs.split(",")
        folders = [f for f in folders if any(fnmatch.fnmatch(f.name, p) for p in patterns)]
    places = set(filter(None, options.places.split(",")))
    faults = {
        folder: [
            name
            for name in ids
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in options.only.split(","))
            and (not places or name.partition(":")[0] in places)
        ]
        for folder, ids in candidates(folders, options.jobs).items()
    }
    print(f"{sum(map(len, faults.values()))} faults fit {len(folders)} programs", file=sys.stderr)
    chosen = sampled(faults, options.sample, options.seed)
    while plant(options, results, folders, chosen):
        print("a process died: the rest goes on in new ones", file=sys.stderr, flush=True)


def plant(
    options: argparse.Namespace, results: Path, folders: list[Path], chosen: dict[Path, set[str]]
) -> bool:
    """Run what was not run yet; True when a process died and something is left."""
    done = {line["id"] for line in read(results)}
    start, broken = time.perf_counter(), False
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {}
        for folder in folders:
            wanted = {
                name for name in chosen.get(folder, ()) if f"{folder.name}: {name}" not in done
            }
            healthy = not options.no_healthy and f"{folder.name}: healthy: thorough @ " not in done
            if wanted or healthy:
                waiting[pool.submit(tried, folder, wanted, healthy, results)] = folder.name
        for number, one in enumerate(as_completed(waiting), 1):
            error = one.exception()
            broken = broken or isinstance(error, BrokenProcessPool)
            told = f"{type(error).__name__}: {error}" if error else f"{one.result()} faults"
            told = f"{number}/{len(waiting)} {waiting[one]:24s} {told}"
            print(f"{told} {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return broken and len(read(results)) > len(done)


if __name__ == "__main__":
    main()
