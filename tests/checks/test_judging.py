"""Verdicts on differences."""

from __future__ import annotations

import torch

from workbench.checks.results.statistics import error_stats
from workbench.checks.rounding.judging import amplified, compare, judge


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


def test_an_output_of_zeros_has_no_scale_to_move_by() -> None:
    zeros = torch.zeros(4)
    check = judge(error_stats(zeros + 1e-9, zeros), 1e-8, zeros.dtype)
    assert check.verdict == "rounding"
    assert amplified(check, zeros.dtype) is check


def test_a_value_that_agrees_is_judged_though_rounding_may_flip_its_shape() -> None:
    theirs = torch.linspace(-1, 1, 10)
    flipped = torch.zeros(3)
    assert compare(theirs.clone(), theirs, flipped).verdict == "exact"
    assert compare(theirs + 1e-7, theirs, flipped).verdict == "rounding"
    assert compare(theirs + 1e-3, theirs, flipped).verdict == "unchecked"


def test_noise_that_makes_nan_is_as_large_as_the_number() -> None:
    theirs = torch.tensor([4.0, 0.003, float("inf")])
    shaken = torch.tensor([4.001, float("nan"), float("inf")])
    near = compare(torch.tensor([4.0, 0.004, float("inf")]), theirs, shaken)
    assert near.verdict == "rounding"
    assert near.noise < 0.01
    shaken[0] = 5.001
    assert compare(torch.tensor([5.0, 0.004, float("inf")]), theirs, shaken).failed
    overflows = compare(torch.tensor([4.0, float("inf"), 1.0]), theirs, torch.ones(3))
    assert overflows.verdict == "unchecked"
