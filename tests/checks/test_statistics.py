"""Error figures against numpy in float64, on tensors of more than one piece."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.checks.results.statistics import (
    PIECE,
    error_stats,
    largest_difference,
    magnitude,
    quick_stats,
)
from workbench.checks.values.tensor_changes import same_bits
from workbench.sources.reference import mapped


def pair(elements: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(elements)
    theirs = torch.randn(elements, generator=generator)
    return theirs + 1e-5 * torch.randn(elements, generator=generator), theirs


@pytest.mark.parametrize("elements", [1, 2, 7, 4097, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_figures_are_those_of_float64(elements: int) -> None:
    ours, theirs = pair(elements)
    found = error_stats(ours, theirs)
    one, other = ours.double().numpy(), theirs.double().numpy()
    difference = np.abs((ours - theirs).double().numpy())
    assert found.max_abs == pytest.approx(difference.max(), rel=1e-6)
    assert found.worst == (int(difference.argmax()),)
    assert found.mean_abs == pytest.approx(difference.mean(), rel=1e-4)
    assert found.l2 == pytest.approx(np.linalg.norm(difference) / np.linalg.norm(other), rel=1e-4)
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found.cosine == pytest.approx(cosine, abs=1e-7)
    assert found.scale == pytest.approx(np.abs(other).max())
    assert largest_difference(ours, theirs) == pytest.approx(found.max_abs)
    counted = found.zeros + sum(found.counts)
    assert counted == pytest.approx(elements, rel=0.1)


@pytest.mark.parametrize("place", [0, PIECE - 1, PIECE, 2 * PIECE + 9])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_found_in_any_piece(place: int, value: float) -> None:
    ours, theirs = pair(2 * PIECE + 10)
    ours[place] = value
    found = error_stats(ours, theirs)
    assert found.max_abs == math.inf
    assert found.worst == (place,)
    theirs[place] = value
    assert error_stats(ours, theirs).max_abs < 1e-4
    assert error_stats(theirs.clone(), theirs).exact


def test_integers_and_complex_numbers() -> None:
    ours = torch.arange(2 * PIECE)
    theirs = ours.clone()
    theirs[PIECE + 3] += 2
    found = error_stats(ours, theirs)
    assert (found.max_abs, found.mismatches, found.worst) == (2.0, 1, (PIECE + 3,))
    large = torch.tensor([2**62, 5])
    assert error_stats(large, large + torch.tensor([1, 0])).mismatches == 1
    waves = torch.polar(torch.ones(8), torch.arange(8.0))
    assert error_stats(waves, waves.clone()).exact
    assert error_stats(waves, waves.conj()).max_abs == pytest.approx(2.0, abs=0.1)
    assert magnitude(waves).squares == pytest.approx(8.0)


def test_tiny_and_huge_numbers_do_not_vanish() -> None:
    for scale in (1e-30, 1e30):
        ours, theirs = pair(1000)
        found = error_stats(ours * scale, theirs * scale)
        assert found.l2 == pytest.approx(1e-5, rel=0.1)
        assert found.cosine == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex64", "uint16"])
def test_mapped_files_are_what_numpy_reads(
    shape: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    wanted = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
    for order in "CF":
        path = tmp_path / f"{order}.npy"
        np.save(path, np.array(wanted, order=order))
        found = mapped(path)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
        found[...] = 0  # stays in memory
        np.testing.assert_array_equal(mapped(path), wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool, torch.complex64])
def test_one_bit_is_told_apart(dtype: torch.dtype) -> None:
    for size in (1, 3, 8, 1001):
        one = torch.ones(size, dtype=dtype)
        other = one.clone()
        assert same_bits(one, other)
        other[size // 2] = 0
        assert not same_bits(one, other)
    assert same_bits(torch.tensor([math.nan]), torch.tensor([math.nan]))
    square = torch.arange(16.0).reshape(4, 4)
    assert same_bits(square.t(), square.t().contiguous())
    assert not same_bits(square.t(), square)


def test_quick_figures_have_the_true_largest_error_and_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    theirs = torch.randn(300, 400, dtype=torch.float64, generator=generator)
    ours = theirs + 1e-12 * torch.randn(theirs.shape, dtype=torch.float64, generator=generator)
    ours[7, 11] += 1.0
    quick, whole = quick_stats(ours, theirs), error_stats(ours, theirs)
    assert (quick.max_abs, quick.scale, quick.worst) == (whole.max_abs, whole.scale, whole.worst)
    assert quick.elements == whole.elements
    assert quick_stats(theirs, theirs.clone()).exact
    ours[0, 0] = float("nan")
    assert quick_stats(ours, theirs).max_abs == float("inf")
