"""One random case: discarded, refused as the family says, in agreement with Paddle, or wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.oracle.case import Case
from tests.oracle.check import agree, mapping_of, run_paddle
from tests.properties.sketch import Family
from workbench.core.errors import ConversionError, PaddleProcessError
from workbench.sources.paddle.client.process import PaddleProcess


def judge(case: Case, family: Family, oracle: PaddleProcess) -> str:
    """Tell "agrees", "refused: …" or "discarded: …"; raises AssertionError where we differ."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            told = run_paddle(case, oracle, folder, tries=1)
        except PaddleProcessError as error:
            return f"discarded: {_summary(error, case)}"
        try:
            agree(case, mapping_of(case, folder), folder, told)
        except ConversionError as error:
            known = [reason for reason in family.refused if reason in str(error)]
            if not known:
                raise AssertionError(f"refused: {error}") from error
            return f"refused: {known[0]}"
    return "agrees"


def _summary(error: PaddleProcessError, case: Case) -> str:
    if "Paddle failed" not in error.message:
        return f"{error.message.splitlines()[0]} {case}"
    lines = [line for line in error.message.splitlines() if line.strip()]
    return " ".join(lines)[:300]
