"""False alarms: every operator case of the tests is verified; each is a correct conversion.

Usage: python -m benchmarks.false_alarms [--thorough] [--dtype float64] [--part 0/1] [--only TEXT]
                                         [--out FILE]

A case that fails is a false alarm, or a fault that the test's own tolerance hides. Random cases and
refused ones are left out. `--thorough` adds inputs that reveal more and probes every row; `--dtype`
takes another dtype than float32 for the inputs, as far as Paddle allows it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import workbench as wb
from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.check import run_paddle
from workbench.core.errors import WorkbenchError
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime


def in_dtype(case: Case, dtype: str) -> Iterator[Case]:
    """The case with inputs of another dtype in place of float32; none where it has none."""
    inputs = {
        name: replace(spec, dtype=dtype) if spec.dtype == "float32" else spec
        for name, spec in case.inputs.items()
    }
    if inputs != case.inputs:
        yield replace(case, inputs=inputs, grad=False, no_grad="another dtype")


def verified(case: Case, oracle: PaddleProcess, worker: PaddleRuntime, thorough: bool) -> Any:
    """What became of one case: its verdict and words for it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            run_paddle(case, oracle, Path(folder), tries=1)
            migration = wb.load(folder)
            migration._runtime = worker
            sets = [list(case.arrays(run).values()) for run in range(case.runs)]
            found = migration.verify(sets, thorough=thorough)
        except WorkbenchError as error:
            return "not verified", str(error).splitlines()[0]
        except Exception:  # noqa: BLE001 - an unexpected error is what this looks for
            return "error", traceback.format_exc()
    return found.outcome, "" if found.passed else found.summary


def main() -> None:
    """Verify all cases and print those that do not pass."""
    parser = argparse.ArgumentParser(description="False alarms on correct conversions.")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--dtype", default="float32", help="of what is float32 in the cases")
    parser.add_argument("--part", default="0/1", help="this part of so many")
    parser.add_argument("--only", default="", help="cases whose id holds this")
    parser.add_argument("--out", type=Path, help="a line of JSON for each case that does not pass")
    options = parser.parse_args()
    number, parts = map(int, options.part.split("/"))
    cases = [c for c in all_cases() if not c.refused and c.compare == "values"]
    cases = [c for c in cases if options.only in c.id][number::parts]
    if options.dtype != "float32":
        cases = [other for case in cases for other in in_dtype(case, options.dtype)]
    counts: Counter[str] = Counter()
    with PaddleProcess("tests.oracle.worker", timeout=120) as oracle, PaddleRuntime() as worker:
        for case in cases:
            verdict, told = verified(case, oracle, worker, options.thorough)
            counts[verdict] += 1
            if verdict == "passed":
                continue
            print(f"{verdict:12s} {case.id}: {told[-300:]}", flush=True)
            if options.out:
                line = {"verdict": verdict, "case": case.id, "told": told}
                with options.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


if __name__ == "__main__":
    main()
