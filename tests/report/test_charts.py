"""Drawings: well-formed, small, and right at the ends of their axes."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.report.samples import HOSTILE, check, model, verified
from workbench.checks.results.checks import Check
from workbench.checks.results.statistics import EDGES
from workbench.report.charts import depth_chart, large_histogram, mini_histogram
from workbench.report.report import harmless
from workbench.report.words import call_text, dims, scientific, size, times, visible

WORDS = {"title": "Error <by> depth", "exact": "exact", "layer": "layer"}


def quoted(svg: str) -> str:
    """The small histograms leave out quotes, as HTML allows."""
    return svg.replace("class=h", 'class="h"').replace("class=t", 'class="t"')


@pytest.mark.parametrize("relative", [0.0, 1e-12, 3e-8, 1e-3, 50.0, 1e30])
def test_histograms_are_small_and_well_formed(relative: float) -> None:
    found = mini_histogram(check(relative))
    assert len(found) < 1024
    ElementTree.fromstring(quoted(found))
    ElementTree.fromstring(large_histogram(check(relative), "label <x>", "title <x>"))


def test_a_single_wrong_element_is_seen() -> None:
    found = check(1e-3)
    assert found.error is not None
    counts = [0] * (len(EDGES) - 1)
    counts[20] = 1
    rare = replace(found, error=replace(found.error, zeros=10**8, counts=tuple(counts)))
    assert "M22 12V11h1V12" in mini_histogram(rare)


def test_nothing_compared_draws_nothing() -> None:
    assert mini_histogram(Check("unchecked")) == ""
    assert large_histogram(Check("unchecked"), "", "") == ""
    assert depth_chart((), {}, WORDS) == ""


@pytest.mark.parametrize("count", [1, 2, 9, 10, 57, 2000])
def test_depth_chart(count: int) -> None:
    layers = verified(model([f"{HOSTILE[i % 6]}{i}" for i in range(count)]), {0: 0.5}).layers
    svg = depth_chart(layers, {layer.path: f"l{i}" for i, layer in enumerate(layers)}, WORDS)
    root = ElementTree.fromstring(svg)
    assert harmless(svg)
    assert len(svg) < 200_000
    assert [a.get("href") for a in root.iter("a")] == ["#l0"]
    title = next(element.text for element in root.iter("title"))
    assert title is not None
    assert title.startswith(visible(layers[0].path)[:10])


def test_depth_chart_takes_numbers_that_are_not_finite() -> None:
    layers = list(verified(model(["a", "b", "c"])).layers)
    error = layers[0].alone.error
    assert error is not None
    endless = Check("wrong", replace(error, max_abs=float("inf")), 0.0)
    layers[0] = replace(layers[0], alone=endless, chain=endless)
    svg = depth_chart(layers, {}, WORDS)
    assert "nan" not in svg
    assert "inf" not in svg.replace("info", "")


def test_a_drawing_with_a_script_is_refused() -> None:
    assert harmless(
        '<svg xmlns="http://www.w3.org/2000/svg"><a href="#l1"><path d="M0 0"/></a></svg>'
    )
    assert not harmless("<svg><script>1</script></svg>")
    assert not harmless('<svg><path onclick="x"/></svg>')
    assert not harmless('<svg><a href="javascript:x"/></svg>')
    assert not harmless("<svg><path></svg>")


def test_numbers_read_well() -> None:
    assert scientific(float("nan")) == "NaN"
    assert scientific(-float("inf")) == "−∞"
    assert scientific(123456.0) == "1.2e5"
    assert times(None) == ""
    assert times(9.999) == "10.00×"
    assert size(3_000_000_000) == "3.0 GB"
    assert dims([-1, 2]) == "[?, 2]"
    assert visible("普通 text") == "普通 text"
    assert visible("\u200b\ud800") == "\\u200b\\ud800"


def test_calls_leave_out_defaults() -> None:
    mapping = model(["fc", "act", "sum"])
    texts = [call_text(mapping, row) for row in mapping.rows]
    assert texts == ["nn.Linear(8, 8, bias=False)", "nn.ReLU()", "x + y"] or texts[2] == "x + x"
