"""The long run: many random cases per family, every failure listed.

    python -m tests.properties.campaign --examples 500 pool conv

Ends with exit code 1 when a family has a failure. `--discarded` lists what Paddle refused.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.oracle.case import Case
from tests.properties import all_families
from tests.properties.judge import judge
from tests.properties.sketch import Family
from workbench.sources.paddle.client.process import PaddleProcess


def main() -> int:
    """Run the families named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="parts of names; all when left out")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=4, help="failures shown per family")
    parser.add_argument("--discarded", action="store_true")
    options = parser.parse_args()
    failed = 0
    with PaddleProcess("tests.oracle.worker", timeout=30) as oracle:
        for name, family in all_families().items():
            if not options.families or any(part in name for part in options.families):
                failed += _run(family, oracle, options)
    return 1 if failed else 0


def _run(family: Family, oracle: PaddleProcess, options: argparse.Namespace) -> int:
    verdicts: collections.Counter[str] = collections.Counter()
    failures: list[tuple[Case, str]] = []
    begun = time.perf_counter()

    @seed(options.seed)
    @settings(
        max_examples=options.examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(family.cases)
    def one(case: Case) -> None:
        try:
            verdicts[judge(case, family, oracle)] += 1
        except Exception as error:  # noqa: BLE001 - everything is a finding
            told = str(error)
            if not isinstance(error, AssertionError):
                told = "".join(traceback.format_exception_only(error))
            failures.append((case, told))

    one()
    kinds = collections.Counter({"agrees": 0, "discarded": 0, "refused": 0})
    for verdict, count in verdicts.items():
        kinds[verdict.partition(":")[0]] += count
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    seconds = time.perf_counter() - begun
    print(f"{family.name}: {told}, {len(failures)} wrong ({seconds:.0f} s)", flush=True)
    if options.discarded:
        for verdict, count in verdicts.most_common():
            print(f"    {count} × {verdict[:400]}")
    for case, told in _different(failures)[: options.show]:
        print(f"  {_row(case)}\n      {_short(told)}", flush=True)
    return len(failures)


def _different(failures: list[tuple[Case, str]]) -> list[tuple[Case, str]]:
    """Failures of different first lines and expressions first, short expressions first."""
    found: dict[str, tuple[Case, str]] = {}
    for case, told in sorted(failures, key=lambda pair: len(repr(pair[0]))):
        found.setdefault(case.expression.split("(")[0] + told.strip()[:40], (case, told))
    return list(found.values())


def _row(case: Case) -> str:
    inputs = ", ".join(f"{name}={spec!r}" for name, spec in case.inputs.items())
    layers = "".join(f", {name}={text!r}" for name, text in case.layers.items())
    setup = f", setup={case.setup!r}" if case.setup else ""
    sizes = f", sizes={case.sizes}" if case.dynamic else ""
    return f'case("", {case.expression!r}, {inputs}{layers}{setup}{sizes})'


def _short(told: str) -> str:
    lines = [line.strip() for line in told.strip().splitlines() if line.strip()]
    return "\n      ".join(line[:220] for line in (lines if len(lines) < 12 else lines[:10]))


if __name__ == "__main__":
    sys.exit(main())
