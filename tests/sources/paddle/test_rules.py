"""Every operator case: the converted program agrees with Paddle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases import all_cases
from tests.oracle.case import Case
from tests.oracle.check import check
from tests.oracle.portable import failure
from workbench.sources.paddle.client.process import PaddleProcess


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_case(case: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    """Values, dtypes and shapes agree with Paddle, for two input sizes where dims are dynamic.

    The module also works when it is moved to a device where the CPU's tensors cannot be used.
    """
    module = check(case, oracle, tmp_path)
    assert module is None or failure(case, module, "device") == ""
