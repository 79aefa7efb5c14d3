"""The editor on a laptop: every control can be reached without scrolling to the side."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.cells import load, row

pytest.importorskip("playwright")

Open = Callable[..., Any]

SIZES = [(1100, 700), (1200, 750), (1280, 720), (1366, 768), (1440, 900), (1920, 1080)]

#: Controls of toolbar, panel and footer that lie, even after scrolling down, beside their box or
#: the window; a long text in a field scrolls by itself.
OUT_OF_REACH = """() => {
  const found = [];
  const editor = document.querySelector('.wbe-editor');
  const edge = editor.getBoundingClientRect();
  const parts = ['.wbe-toolbar', '.wbe-panel', '.wbe-footer'];
  for (const part of parts) {
    const box = editor.querySelector(part);
    for (const one of box.querySelectorAll('button, input, select, textarea, summary, a')) {
      if (!one.checkVisibility()) continue;
      const at = one.getBoundingClientRect();
      if (at.width < 8 || at.left < edge.left - 1 || at.right > edge.right + 1)
        found.push(`${part} ${one.textContent || one.dataset.field || one.className}`);
    }
    for (const one of [box, ...box.querySelectorAll('*')])
      if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth
          && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(one).overflowX)
          && !one.matches('input, .wbe-label, .wbe-live'))
        found.push(`${part} ${one.className} flows ${one.scrollWidth - one.clientWidth} px out`);
  }
  if (edge.right > window.innerWidth) found.push('the editor is wider than the window');
  return found;
}"""
SHAPE = """() => {
  const size = (s) => { const b = document.querySelector(s).getBoundingClientRect();
                        return [b.width, b.height]; };
  return {panel: size('.wbe-panel-scroll'), grid: size('.wbe-grid'), main: size('.wbe-main')};
}"""
SIDE = (
    """(open) => { const s = window.jupyterapp.shell; open ? s.expandLeft() : s.collapseLeft(); }"""
)
#: How far JupyterLab has scrolled the notebook.
PLACE = "() => document.querySelector('.jp-WindowedPanel-outer').scrollTop"


def _resize(nb: Any, width: int, height: int, browser_of_files: bool) -> None:
    nb.page.set_viewport_size({"width": width, "height": height})
    nb.page.evaluate(SIDE, browser_of_files)
    nb.page.wait_for_timeout(300)
    nb.editor.scroll_into_view_if_needed()


def test_every_control_is_within_reach_at_every_width(small: Any) -> None:
    nb = small
    told = {}
    for width, height in SIZES:
        for side in (True, False):
            _resize(nb, width, height, side)
            for name in ("block.conv2d", "block.re_lu", "head.mystery"):
                row(nb.page, name).locator(".wbe-name").click()
                nb.page.wait_for_selector(f".wbe-panel-path[title='{name}']")
                assert nb.page.evaluate(OUT_OF_REACH) == [], (width, side, name)
            shape = nb.page.evaluate(SHAPE)
            told[f"{width}{' with files' if side else ''}"] = shape
            assert shape["panel"][1] >= 180, (width, side, shape)
            assert shape["panel"][0] >= 280, (width, side, shape)
            assert shape["grid"][0] >= 480, (width, side, shape)
            assert shape["grid"][1] >= 180, (width, side, shape)
    print(json.dumps(told))  # noqa: T201 - figures for the reader


def test_a_long_panel_scrolls_downwards_only(small: Any) -> None:
    """The last control of the panel is reached by the wheel."""
    nb = small
    for width, height in ((1100, 700), (1280, 720)):
        _resize(nb, width, height, True)
        row(nb.page, "block.conv2d").locator(".wbe-name").click()
        nb.page.wait_for_selector(".wbe-panel-path[title='block.conv2d']")
        nb.page.locator(".wbe-panel-scroll").hover()
        nb.page.mouse.wheel(0, 5000)
        nb.page.wait_for_timeout(200)
        last = nb.page.locator(".wbe-panel textarea").last.bounding_box()
        box = nb.page.locator(".wbe-panel-scroll").bounding_box()
        assert box["x"] <= last["x"]
        assert last["x"] + last["width"] <= box["x"] + box["width"]
        assert nb.page.evaluate(
            "() => document.querySelector('.wbe-panel-scroll').scrollLeft"
        ) == 0  # fmt: skip


def test_several_rows_at_once_fit_too(small: Any) -> None:
    nb = small
    for width, height in ((1100, 700), (1280, 720), (1440, 900)):
        _resize(nb, width, height, True)
        row(nb.page, "block.conv2d").locator(".wbe-name").click()
        row(nb.page, "block.re_lu").locator(".wbe-name").click(modifiers=["Shift"])
        nb.page.wait_for_selector(".wbe-bulk")
        assert nb.page.evaluate(OUT_OF_REACH) == [], width


@pytest.mark.parametrize("width", [1100, 1280, 1440])
def test_the_table_stays_where_it_is_while_one_searches(small: Any, width: int) -> None:
    nb = small
    _resize(nb, width, 760, True)
    top = nb.page.locator(".wbe-grid").bounding_box()
    nb.page.locator(".wbe-search").click()
    nb.page.keyboard.type("conv")
    nb.page.wait_for_selector(".wbe-editor.wbe-searching .wbe-only")
    assert nb.page.locator(".wbe-grid").bounding_box() == top
    assert nb.page.evaluate(OUT_OF_REACH) == []


def test_the_layer_graph_scrolls_itself_only(notebook: Open) -> None:
    """Also where its lower part is out of the window."""
    nb = notebook([load("digits_classifier"), "m.graph('layers')"], width=1366, height=500)
    nb.run_all()
    nb.page.wait_for_selector(".wbg-view .wlg-item")
    nb.page.locator("button", has_text="Open all").click()
    nb.page.wait_for_timeout(500)
    nb.page.locator(".wbg-bar").scroll_into_view_if_needed()
    nb.page.wait_for_timeout(300)
    before = nb.page.evaluate(PLACE)
    nb.page.locator(".wbg-view .wlg-item[data-path]:not([data-scope])").first.click()
    for _ in range(12):
        nb.page.keyboard.press("ArrowDown")
    nb.page.wait_for_timeout(300)
    assert nb.page.evaluate(PLACE) == before
    seen = nb.page.evaluate("""() => {
      const item = document.querySelector('.wlg-item.wbg-active').getBoundingClientRect();
      const view = document.querySelector('.wbg-view').getBoundingClientRect();
      return item.top >= view.top - 1 && item.bottom <= view.bottom + 1;
    }""")
    assert seen
