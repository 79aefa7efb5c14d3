"""The live check and the verification in the editor, against Paddle itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.cells import load, opened

pytest.importorskip("playwright")

Open = Callable[..., Any]

IN_VIEW = """() => {
  const [one, box] = ['.wbe-causes button', '.wbe-panel-scroll'].map(
    (name) => document.querySelector(name).getBoundingClientRect());
  return one.top >= box.top && one.bottom <= box.bottom;
}"""


def fc_row(nb: Any) -> str:
    """A square linear layer of the transformer."""
    return str(
        nb.python(
            "next(r.path for r in m.mapping.walk() if r.target == 'nn.Linear' and "
            "len(set(r.weights['weight'].shape)) == 1)"
        )
    )


def test_a_planted_wrong_step_turns_red_and_repaired_green(notebook: Open) -> None:
    show = "from workbench.notebook.editor import Editor\nEditor(m, height=380)"
    nb = opened(notebook, [load("transformer_encoder", "planted"), show])
    page = nb.page
    page.wait_for_selector(".wbe-footer:has-text('live check on')")
    path = fc_row(nb)
    page.locator(".wbe-search").fill(path)
    page.locator(".wbe-search").press("Enter")
    steps = page.locator("[data-field='weight:weight']")
    steps.wait_for()
    assert steps.input_value() == "transposed"
    steps.fill("")
    start = time.monotonic()
    steps.press("Enter")
    page.wait_for_selector(f".wbe-row:has(.wbe-name[title='{path}']) .wbe-verdict-wrong")
    wrong = time.monotonic() - start
    page.wait_for_selector(".wbe-panel .wbe-chart .wbe-bar")
    assert page.locator(".wbe-chip-failing .wbe-count").inner_text() == "1"
    page.wait_for_selector(".wbe-causes button")
    assert page.evaluate(IN_VIEW), "the cause stands above what the panel shows"
    told = page.locator(".wbe-causes").inner_text()
    assert "weight is copied in place of transposed" in told
    assert "go back to what the rule makes" in told
    start = time.monotonic()
    page.locator(".wbe-causes button").click()
    page.wait_for_selector(
        f".wbe-row:has(.wbe-name[title='{path}']) :is(.wbe-verdict-rounding, .wbe-verdict-exact)"
    )
    right = time.monotonic() - start
    told = f"live check: red after {wrong:.2f} s, green after {right:.2f} s"
    print(f"\n{told}")  # noqa: T201 - figures for the reader
    assert nb.python(f"dict(m.mapping['{path}'].edited)") == {}


def test_verify_shows_progress_and_results_and_edits_make_it_stale(notebook: Open) -> None:
    nb = opened(notebook, [load("transformer_encoder", "verified"), "m.edit()"])
    page = nb.page
    page.get_by_role("button", name="Verify").click()
    page.wait_for_selector(".wbe-overall-passed")
    assert page.locator(".wbe-verdict-rounding, .wbe-verdict-exact").count() > 10
    assert nb.python("m.verification.passed") is True
    page.locator(".wbe-search").fill(fc_row(nb))
    page.locator(".wbe-search").press("Enter")
    page.locator("[data-field='weight:weight']").fill("")
    page.locator("[data-field='weight:weight']").press("Enter")
    page.wait_for_selector(".wbe-overall-stale")
    assert nb.errors == []
    assert nb.outside == []
