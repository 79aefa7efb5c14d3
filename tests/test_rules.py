"""Every operator case: the converted program agrees with Paddle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.check import check
from workbench.paddle_side.process import PaddleProcess


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_case(case: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    """Values, dtypes and shapes agree with Paddle, for two input sizes where dims are dynamic."""
    check(case, oracle, tmp_path)
