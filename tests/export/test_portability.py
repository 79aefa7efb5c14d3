"""What docs/portability.json says of exported and traced modules still holds, on a sample."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.portable import converted, failure, write_program
from workbench.sources.paddle.client.process import PaddleProcess

MEASURED = json.loads(
    (Path(__file__).parents[2] / "docs" / "portability.json").read_text(encoding="utf-8")
)["failing"]
DYNAMIC = [case for case in all_cases() if case.dynamic and not case.refused]
#: One case in 60; the full measurement is `python tools/portability.py`.
SAMPLE = [case for case in DYNAMIC if zlib.crc32(case.id.encode()) % 60 == 0]


def test_measured_cases_exist() -> None:
    missing = set(MEASURED) - {case.id for case in DYNAMIC}
    assert not missing, "renew with python tools/portability.py"


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.id)
def test_sample(case: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    write_program(case, oracle, tmp_path)
    module = converted(tmp_path)
    for name in ("export", "trace"):
        told = failure(case, module, name)
        known = MEASURED.get(case.id, {}).get(name, "")
        renew = "as measured; renew with python tools/portability.py --only and the case's id"
        assert bool(told) == bool(known), (
            f"{name}: {told or 'works'}, not {known or 'working'} {renew}"
        )
