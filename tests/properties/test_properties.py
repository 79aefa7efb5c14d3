"""A fixed sample of the random cases; tests/properties/campaign.py runs as many as asked."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.oracle.case import Case
from tests.properties import all_families
from tests.properties.judge import judge
from tests.properties.sketch import Family
from workbench.sources.paddle.client.process import PaddleProcess


@pytest.mark.parametrize("family", all_families().values(), ids=lambda family: family.name)
def test_family(family: Family, oracle: PaddleProcess, pytestconfig: pytest.Config) -> None:
    """Values, dtypes, shapes, gradients and source agree with Paddle, or the rule refuses."""

    @settings(
        max_examples=pytestconfig.getoption("properties"), derandomize=True, deadline=None,
        database=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(family.cases)
    def agrees(case: Case) -> None:
        assume(not judge(case, family, oracle).startswith("discarded"))

    agrees()
