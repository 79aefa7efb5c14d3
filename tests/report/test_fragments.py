"""Short forms for notebooks: what they say, that they are short, and that they escape."""

from __future__ import annotations

import pytest

from tests.report.page import Page
from tests.report.samples import HOSTILE, model, verified, with_health
from workbench.checks.results.verification import Verification
from workbench.report.fragments import mapping_html, program_html, verification_html
from workbench.report.words import visible

NAMES = [f"stage{i // 4}.conv_{i}" for i in range(12)]
TAGS = {
    "style", "div", "p", "b", "span", "code", "table", "thead", "tbody", "tr", "th", "td",
    "details", "summary", "br", "svg", "path", "wbr",
}  # fmt: skip


def test_program() -> None:
    page = Page(model(NAMES).program._repr_html_())
    assert "12 operators, 4 parameters (1.0 kB)" in page.text
    assert "[?, 8]" in page.text
    assert "pd_op.matmul4" in page.text


def test_mapping_shows_rows_and_notes() -> None:
    page = Page(model(NAMES)._repr_html_())
    assert "12 rows: 8 converted, 4 adjusted" in page.text
    assert "nn.Linear(8, 8, bias=False)" in page.text
    assert "weight transposed" in page.text
    assert "<code>stage1.<wbr>conv_4</code>" in model(NAMES)._repr_html_()


def test_mapping_shows_what_is_unsupported_first() -> None:
    page = Page(mapping_html(model(NAMES, unsupported=(11,))))
    assert page.text.index("without a rule") < page.text.index(NAMES[0])
    assert f"no rule for {NAMES[11]}" in page.text
    assert "✕ unsupported" in page.text


def test_long_tables_show_the_first_rows_with_the_count() -> None:
    mapping = model([f"l{i}" for i in range(2000)])
    html = mapping_html(mapping)
    assert "the first 100 of 2,000" in html
    assert len(html) < 60_000
    assert len(verification_html(verified(mapping))) < 120_000


def test_verification() -> None:
    mapping = model(NAMES)
    page = Page(verified(mapping)._repr_html_())
    assert "✓ passed" in page.text
    assert "12 of 12" in page.text
    assert "x [3, 8]" in page.text
    page = Page(verification_html(verified(mapping, {3: 1e-2})))
    assert "✕ failed first layer that differs is stage0.conv_3" in page.text
    assert "✕ wrong in the chain" in page.text


def test_verification_tells_what_proves_little() -> None:
    found = with_health(verified(model(NAMES)), 2, "constant")
    assert "prove little1 constant in Paddle" in Page(verification_html(found)).text


def test_an_empty_verification_is_not_passed() -> None:
    page = Page(verification_html(Verification(())))
    assert "? not proven" in page.text
    assert "passed" not in page.text


def test_everything_is_escaped() -> None:
    names = [f"{name}{i}" for i, name in enumerate(HOSTILE)]
    mapping = model(names, unsupported=(4,))
    for html in (
        program_html(mapping.program),
        mapping_html(mapping),
        verification_html(verified(mapping, {2: 1.0})),
    ):
        page = Page(html)
        assert page.tags <= TAGS, page.tags - TAGS
        assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert visible(names[0]) in Page(mapping_html(mapping)).text


@pytest.mark.parametrize("names", [[], ["only"]])
def test_small_models(names: list[str]) -> None:
    mapping = model(names)
    for html in (
        program_html(mapping.program),
        mapping_html(mapping),
        verification_html(verified(mapping)),
    ):
        assert html.startswith("<style>")
