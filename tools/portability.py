"""Measure what can be done with each converted case: `torch.export` with dynamic sizes, TorchScript.

Also ONNX. Writes docs/portability.json case by case, from which `tools/coverage_page.py` tells
operators that cannot; under "partly" it names the cases measured so far, of a check not yet done.
Usage: python tools/portability.py [--only TEXT] [--failing] [--checks onnx] [--part 1/2]
(all cases take about three hours on one core; parts may run at a time)
"""

from __future__ import annotations

import argparse
import fcntl
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.portable import converted, failure, write_program
from workbench.export.formats.culprit import MEANINGS
from workbench.sources.paddle.client.process import PaddleProcess

TARGET = Path(__file__).parents[1] / "docs" / "portability.json"
#: The checks of `tests.oracle.portable`: torch.export, TorchScript, ONNX.
CHECKS = ("export", "trace", "onnx")


def measure(case: Case, oracle: PaddleProcess, names: Sequence[str]) -> dict[str, str]:
    """The checks that fail, each with what that means."""
    with tempfile.TemporaryDirectory() as folder:
        write_program(case, oracle, Path(folder))
        module = converted(Path(folder))
        told = {name: failure(case, module, name) for name in names}
    return {name: meaning(error) for name, error in told.items() if error}


def meaning(error: str) -> str:
    """What an exporter says, in a few words."""
    for told in dict.fromkeys(told for _, told in MEANINGS):
        if error.startswith(told):
            return told
    fixed = any(word in error for word in ("shape (", "not close", "Tensor-likes"))
    return (
        "a size or a decision is fixed to the example's" if fixed else "torch's exporter lacks it"
    )


def main() -> None:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="renew the cases whose id contains this")
    parser.add_argument("--checks", default=",".join(CHECKS), help="the formats to measure")
    parser.add_argument("--part", default="1/1", help="2/3: the second of three runs at a time")
    parser.add_argument("--failing", action="store_true", help="renew the cases that fail so far")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in all_cases() if case.dynamic and not case.refused]
    known = {case.id for case in cases}
    before = json.loads(TARGET.read_text(encoding="utf-8"))["failing"] if TARGET.exists() else {}
    wanted = {key for key in known if options.only in key}
    wanted &= set(before) if options.failing else known
    shard, shards = map(int, options.part.split("/"))
    names = options.checks.split(",")
    with PaddleProcess("tests.oracle.worker", timeout=120) as oracle:
        for number, case in enumerate(cases):
            if case.id not in wanted or number % shards != shard - 1:
                continue
            told = measure(case, oracle, names)
            _write(len(cases), known, case.id, names, told)
            print(f"{number + 1}/{len(cases)} {case.id} {told or ''}", flush=True)


def _write(
    count: int, known: set[str], key: str, names: Sequence[str], told: dict[str, str]
) -> None:
    """Renew one case in the file, which other runs may be writing too."""
    with TARGET.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = json.load(file)
        failing = {one: what for one, what in found["failing"].items() if one in known}
        kept = {name: what for name, what in failing.pop(key, {}).items() if name not in names}
        if kept | told:
            failing[key] = kept | told
        partly = {
            name: sorted({*ids, *([key] if name in names else ())} & known)
            for name, ids in found.get("partly", {}).items()
        }
        found = {
            "torch": torch.__version__.partition("+")[0], "cases": count,
            "failing": dict(sorted(failing.items())),
            "partly": {name: ids for name, ids in partly.items() if len(ids) < count},
        }  # fmt: skip
        file.seek(0)
        file.truncate()
        file.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
