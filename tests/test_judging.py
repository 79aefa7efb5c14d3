"""Verdicts on differences."""

from __future__ import annotations

import torch

from workbench.judging import amplified, judge
from workbench.statistics import error_stats


def test_an_output_that_rounding_moves_far_is_not_judged() -> None:
    theirs = torch.linspace(-1, 1, 100)
    check = judge(error_stats(theirs + 0.5, theirs), 1.0, theirs.dtype)
    assert check.verdict == "rounding"
    found = amplified(check, theirs.dtype)
    assert found.verdict == "unchecked"
    assert "rounding alone moves it by 1 of its scale" in found.problem


def test_a_loose_tolerance_alone_is_judged() -> None:
    theirs = torch.linspace(-1, 1, 100)
    check = judge(error_stats(theirs + 1e-3, theirs), 1.0, theirs.dtype)
    assert amplified(check, theirs.dtype) is check
