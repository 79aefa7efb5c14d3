"""Plots: labelled, right with odd numbers and names, and without pyplot's global state."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.report.samples import HOSTILE, model, verified
from workbench.checks.results.checks import Check
from workbench.checks.results.verification import Verification
from workbench.core.calls import Cast, Layer, Weight
from workbench.core.errors import InputError
from workbench.core.mapping import Mapping
from workbench.core.program import Parameter
from workbench.notebook.figures import Plot
from workbench.notebook.plots import error_by_depth, histograms, scatter, weight_distributions

NAMES = [f"{name}$x$_{i}" for i, name in enumerate(HOSTILE)] + [f"b{i}" for i in range(8)]


def labels(figure: Any) -> list[str]:
    return [axes.get_xlabel() + axes.get_ylabel() for axes in figure.get_axes()]


def texts(figure: Any) -> str:
    return " ".join(
        text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))
    )


@pytest.mark.parametrize("draw", [histograms, error_by_depth])
@pytest.mark.parametrize("faults", [{}, {2: 1e-2}, {0: 1e6}])
def test_error_plots_are_labelled_and_draw(draw: Any, faults: dict[int, float]) -> None:
    figure = draw(verified(model(NAMES), faults))
    assert isinstance(figure, Plot)
    data, size = figure._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert 600 < size["width"] < 1300
    assert "error ÷ scale" in texts(figure)
    assert "share of elements" in texts(figure) or draw is error_by_depth


def test_verification_shows_its_histograms() -> None:
    assert isinstance(verified(model(NAMES)).histograms(), Plot)


def test_two_thousand_layers_keep_the_one_that_is_wrong() -> None:
    verification = verified(model([f"l{i}" for i in range(2000)]), {1503: 1e-1})
    figure = histograms(verification)
    image = figure.findobj(lambda part: type(part).__name__ == "AxesImage")[0].get_array()
    wrong = np.flatnonzero(np.isfinite(np.ma.filled(image[18:], np.nan)).any(axis=0))
    assert wrong.tolist() == [1503 * 400 // 2000]


@pytest.mark.parametrize("draw", [histograms, error_by_depth])
def test_nothing_compared_gives_a_message(draw: Any) -> None:
    verification = verified(model(["a", "b"]))
    nothing = Check("unchecked")
    runs = tuple(
        replace(
            run, layers=tuple(replace(layer, alone=nothing, chain=nothing) for layer in run.layers)
        )
        for run in verification.runs
    )
    assert "Nothing was compared" in texts(draw(Verification(runs)))
    assert "Nothing was compared" in texts(draw(Verification(())))


@pytest.mark.parametrize("draw", [histograms, error_by_depth])
def test_numbers_that_are_not_finite_are_drawn(draw: Any) -> None:
    verification = verified(model(["a", "b", "c"]))
    run = verification.runs[0]
    error = run.layers[1].alone.error
    assert error is not None
    bad = Check("wrong", replace(error, max_abs=float("inf")), 0.0)
    missing = Check("wrong", problem="ValueError: $bad")
    layers = (
        replace(run.layers[0], alone=bad, chain=bad),
        replace(run.layers[1], alone=missing, chain=missing),
        run.layers[2],
    )
    draw(Verification((replace(run, layers=layers),))).png()


def test_scatter_of_arrays_and_tensors() -> None:
    reference = torch.randn(300, 300)
    candidate = reference.clone()
    candidate[7, 7] += 5
    figure = scatter(reference, candidate)
    assert labels(figure) == [
        "Paddle (reference)PyTorch (candidate)", "Paddle (reference)PyTorch − Paddle",
    ]  # fmt: skip
    drawn = figure.get_axes()[1].lines[1].get_ydata()
    assert drawn.max() == pytest.approx(5, abs=1e-5)
    scatter(np.zeros(3), np.array([np.nan, 1, 2])).png()
    scatter(torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)).png()
    assert "no finite elements" in texts(scatter(np.zeros(0), np.zeros(0)))


def test_scatter_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match=r"\[2, 3\]"):
        scatter(np.zeros((2, 3)), np.zeros(6))


def test_weight_distributions_before_and_after() -> None:
    mapping = model(["fc$1", "act"])
    figure = weight_distributions(mapping, "fc$1")
    figure.png()
    assert "transposed" in texts(figure)
    assert "share of elements" in texts(figure)
    before, after = figure.get_axes()[0].patches[:2]
    assert np.allclose(before.get_data().values, after.get_data().values)
    assert "no weights" in texts(weight_distributions(mapping, "act"))
    with pytest.raises(KeyError):
        weight_distributions(mapping, "none")


def test_weight_distributions_of_bfloat16_and_casts() -> None:
    mapping = model(["fc"])
    bits = (
        np.random.default_rng(0).normal(size=64).astype(np.float32).view(np.uint32) >> 16
    ).astype(np.uint16)
    parameters = {"w": Parameter("w", (8, 8), "bfloat16", map=lambda: bits.reshape(8, 8))}
    layer = Layer("nn.Linear", (), {}, {"weight": Weight("w", (8, 8), "bfloat16").transposed()})
    row = replace(mapping.rows[0], call=layer)
    program = replace(mapping.program, parameters=parameters)
    figure = weight_distributions(Mapping(program, (row,)), "fc")
    assert "std 0.9" in texts(figure) or "std 1" in texts(figure)
    cast = replace(layer, weights={"weight": Weight("w", (8, 8), "int64", (Cast("float32"),))})
    whole = {"w": Parameter("w", (8, 8), "int64", map=lambda: np.zeros((8, 8), np.int64))}
    mapping = Mapping(replace(program, parameters=whole), (replace(row, call=cast),))
    weight_distributions(mapping, "fc").png()


def test_pyplot_is_not_touched() -> None:
    code = (
        "import sys; from tests.report.samples import *; from workbench.notebook.plots import *\n"
        "histograms(verified(model(['a', 'b']))).png()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
