"""Measure what can be done with each converted case: `torch.export` with dynamic sizes, TorchScript.

Writes docs/portability.json, from which `tools/coverage_page.py` tells operators that cannot.
Usage: python tools/portability.py [--only TEXT] [--failing]   (all cases take about an hour)
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

import torch

from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.portable import converted, failure, write_program
from workbench.paddle_side.process import PaddleProcess

TARGET = Path(__file__).parents[1] / "docs" / "portability.json"
#: What an exporter's error means to a person; the first pattern that fits tells.
MEANINGS = (
    ("tensor array", "a loop fills a tensor array"),
    ("same metadata", "a loop changes the shape of its values"),
    ("GuardOnDataDependent", "sizes or decisions depend on the data"),
    ("Guard failed", "a size is fixed to the example's"),
    ("shape (", "a size is fixed to the example's"),
    ("not close", "a decision is fixed to the example's"),
    ("", "torch's exporter lacks it"),
)


def measure(case: Case, oracle: PaddleProcess) -> dict[str, str]:
    """The checks that fail, each with what that means."""
    with tempfile.TemporaryDirectory() as folder:
        write_program(case, oracle, Path(folder))
        module = converted(Path(folder))
        told = {name: failure(case, module, name) for name in ("export", "trace")}
    return {name: meaning(error) for name, error in told.items() if error}


def meaning(error: str) -> str:
    """An exporter's error in a few words."""
    return next(told for pattern, told in MEANINGS if re.search(re.escape(pattern), error))


def main() -> None:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="renew the cases whose id contains this")
    parser.add_argument("--failing", action="store_true", help="renew the cases that fail so far")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in all_cases() if case.dynamic and not case.refused]
    known = {case.id for case in cases}
    before = json.loads(TARGET.read_text(encoding="utf-8"))["failing"] if TARGET.exists() else {}
    wanted = {key for key in known if options.only in key}
    wanted &= set(before) if options.failing else known
    failing = {key: told for key, told in before.items() if key in known - wanted}
    with PaddleProcess("tests.oracle.worker", timeout=120) as oracle:
        for number, case in enumerate(cases):
            if case.id in wanted:
                told = measure(case, oracle)
                failing |= {case.id: told} if told else {}
                print(f"{number + 1}/{len(cases)} {case.id} {told or ''}", flush=True)
    found = {
        "torch": torch.__version__.partition("+")[0],
        "cases": len(cases),
        "failing": dict(sorted(failing.items())),
    }
    TARGET.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name in ("export", "trace"):
        count = sum(name in told for told in failing.values())
        print(f"{name}: {len(cases) - count} of {len(cases)} cases work")


if __name__ == "__main__":
    main()
