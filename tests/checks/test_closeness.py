"""Each element is judged by its own terms: a mask beside it excuses nothing."""

from __future__ import annotations

import math

import pytest
import torch

from workbench.checks.values import closeness
from workbench.checks.values.closeness import (
    EXACT,
    Known,
    groups_of,
    judge,
    noise_by_group,
    unit_of,
)

F32 = unit_of(torch.float32)


def _scores(mask: float) -> torch.Tensor:
    """Attention scores of which a third is masked."""
    scores = torch.randn(4, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scores[:, ::3] = mask
    return scores


@pytest.mark.parametrize("mask", [-1e4, -1e9, -3.4e38, -math.inf])
@pytest.mark.parametrize("factor", [0.0, 1.01, 1 + 1e-6])
def test_scores_beside_a_mask_are_judged_by_themselves(mask: float, factor: float) -> None:
    theirs = _scores(mask)
    ours = torch.where(theirs.abs() < 100, theirs * factor, theirs)
    assert judge(ours, theirs, EXACT).failed
    assert judge(theirs * (1 + 1e-14), theirs, EXACT).verdict == "rounding"


def test_a_group_begins_where_magnitudes_are_far_apart() -> None:
    assert len(groups_of(torch.logspace(-3, 3, 500)).scales) == 1
    low, high = groups_of(_scores(-1e9)).scales
    assert 0.5 < low < 2
    assert high == pytest.approx(1e9)
    assert groups_of(torch.zeros(5)).scales == (0.0,)
    huge = torch.full((5,), 1.7e308, dtype=torch.float64)
    assert not judge(huge * (1 - 1e-12), huge, EXACT).failed


def test_what_is_nothing_beside_the_rest_is_not_compared() -> None:
    shares = torch.tensor([0.5, 0.5, 1e-28], dtype=torch.float64)  # Paddle's softmax of a mask
    assert not judge(torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64), shares, EXACT).failed
    small = torch.tensor([0.5, 0.5, 1e-9], dtype=torch.float64)
    assert judge(torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64), small, EXACT).failed


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ([1.0, math.nan], [1.0, 2.0], "NaN where Paddle has a number"),
        ([1.0, 2.0], [1.0, math.nan], "a number where Paddle has NaN"),
        ([1.0, math.inf], [1.0, 2.0], "infinite"),
        ([1.0, -math.inf], [1.0, math.inf], "infinite"),
    ],
)
def test_nan_and_infinities_stand_in_the_same_places(
    ours: list[float], theirs: list[float], told: str
) -> None:
    found = judge(torch.tensor(ours), torch.tensor(theirs), F32)
    assert found.verdict == "wrong"
    assert told in found.problem
    assert judge(torch.tensor(ours), torch.tensor(ours), F32).verdict == "exact"


def test_shapes_and_dtypes_must_fit_and_integers_be_equal() -> None:
    assert "shape [2]" in judge(torch.ones(2), torch.ones(3), F32).problem
    assert "dtype" in judge(torch.ones(2), torch.ones(2, dtype=torch.float64), F32).problem
    assert judge(torch.tensor([1, 2]), torch.tensor([1, 3]), 0.0).verdict == "wrong"
    assert judge(torch.tensor([True]), torch.tensor([True]), 0.0).verdict == "exact"
    assert judge(None, torch.ones(1), F32).verdict == "unchecked"


def test_the_tolerance_tells_what_the_error_may_be() -> None:
    theirs = torch.linspace(1, 2, 100, dtype=torch.float64)
    found = judge(theirs + 3e-9, theirs, EXACT)
    assert found.verdict == "suspicious"
    assert found.ratio == pytest.approx(3e-9 / (EXACT * 1.53), rel=0.05)
    assert judge(theirs + 1e-6, theirs, EXACT).verdict == "wrong"


def test_more_is_allowed_element_by_element() -> None:
    theirs = torch.ones(2, dtype=torch.float64)
    ours = theirs + torch.tensor([1e-6, 0.0], dtype=torch.float64)
    extra = torch.tensor([1e-5, 0.0], dtype=torch.float64)
    assert not judge(ours, theirs, EXACT, lambda: extra).failed
    assert judge(ours, theirs, EXACT, lambda: extra.flip(0)).failed


def test_noise_is_that_of_the_group() -> None:
    exact = _scores(-1e9)
    theirs = exact.clone()
    theirs[0, 0] += 64.0  # a rounding of the mask
    theirs[0, 1] += 1e-7
    noise = noise_by_group(theirs, exact, groups_of(exact))
    assert isinstance(noise, torch.Tensor)
    assert float(noise[1, 0]) == pytest.approx(64.0)
    assert float(noise[1, 1]) == pytest.approx(1e-7, rel=1e-3)


def test_what_is_known_of_a_value_is_not_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, known = torch.randn(100, generator=torch.Generator().manual_seed(1)), Known()
    first = judge(theirs * 1.5, theirs, F32, known=known)
    monkeypatch.setattr(closeness, "groups_of", None)
    monkeypatch.setattr(closeness, "magnitude", None)
    assert judge(theirs * 1.5, theirs, F32, known=known) == first
    with pytest.raises(TypeError):
        judge(theirs * 1.5, theirs, F32)
