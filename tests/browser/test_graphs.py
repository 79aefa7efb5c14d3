"""Graphs and static forms in JupyterLab."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.cells import SYNTHETIC, load

pytest.importorskip("playwright")

Open = Callable[..., Any]


def netron(nb: Any, number: int = 0) -> Any:
    """The frame of a Netron page, when its graph is drawn."""
    frame = nb.page.frame_locator(".wbg-netron iframe").nth(number)
    frame.locator("svg .node").first.wait_for()
    return frame


def test_netron_shows_both_models_and_asks_nobody_outside(notebook: Open) -> None:
    nb = notebook([load("transformer_encoder", "netron"), "g = m.graph('both')\ng"])
    nb.run_all()
    paddle, torch = netron(nb, 0), netron(nb, 1)
    told = paddle.locator("svg").first.text_content()
    assert "matmul" in told
    told = torch.locator("svg").first.text_content()
    assert "Linear" in told
    assert "LayerNorm" in told
    for frame in (paddle, torch):
        shown = frame.locator("body").get_attribute("class") or ""
        assert "notification" not in shown
        assert "update to the newest" not in frame.locator("body").inner_text()
        assert "cookies" not in frame.locator("body").inner_text()
    nb.page.wait_for_timeout(1500)
    assert nb.outside == [], "no outside request was even attempted"
    assert nb.errors == []
    assert nb.page.context.cookies() == [] or all(
        not cookie["name"].startswith(("_ga", "consent")) for cookie in nb.page.context.cookies()
    )


def test_netron_says_what_to_do_when_the_kernel_is_out_of_reach(notebook: Open) -> None:
    nb = notebook([load("transformer_encoder", "gone"), "g = m.graph()\ng.port = 1\ng"])
    nb.run_all()
    told = nb.page.wait_for_selector(".wbg-told").inner_text()
    assert "jupyter-server-proxy" in told
    assert "ssh -L 1:127.0.0.1:1" in told


def test_the_layer_graph_folds_and_selects_both_ways(notebook: Open) -> None:
    cells = [
        SYNTHETIC + "m = Holder(classifier())\n"
        "from workbench.notebook.graphs import LayerGraph\nLayerGraph(m, height=300)",
        "Editor(m, file='graph.yaml', live=False)",
    ]
    nb = notebook(cells)
    nb.run_all()
    nb.wait_for_rows()
    page = nb.page
    item = page.locator(".wbg-view .wlg-item[data-path='head.fc']")
    item.wait_for()
    item.click()
    page.wait_for_selector(".wbe-row.wbe-selected .wbe-name[title='head.fc']")
    page.locator(".wbe-row .wbe-name[title='block.conv2d']").click()
    page.wait_for_selector(".wbg-view .wbg-active[data-path='block.conv2d']")
    page.get_by_role("button", name="Fold all", exact=True).first.click()
    page.wait_for_selector(".wbg-view .wlg-item[data-path='block'][data-scope='1']")
    assert page.locator(".wbg-view .wlg-item[data-path='block.conv2d']").count() == 0
    page.locator(".wbe-row .wbe-name[title='head.fc']").click()
    page.wait_for_selector(".wbg-view .wbg-active[data-path='head.fc']")
    page.locator(".wbg-view").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    before = nb.cell_count()
    for key in ("b", "a", "d", "d"):
        page.keyboard.press(key)
    assert nb.cell_count() == before
    nb.execute("m.mapping = m.mapping.edit('head.fc', rename='head.out')")
    page.wait_for_selector(".wbg-view .wlg-item[data-path='head.out']")
    assert nb.errors == []


def test_a_saved_notebook_shows_a_table_without_a_kernel(notebook: Open, tmp_path: Path) -> None:
    cells = [
        SYNTHETIC + "m = Holder(classifier())\nEditor(m, file='still.yaml', live=False)",
        "from workbench.notebook.graphs import LayerGraph\nLayerGraph(m, height=300)",
    ]
    nb = notebook(cells)
    nb.run_all()
    nb.wait_for_rows()
    nb.page.wait_for_selector(".wbg-view .wlg-item")
    assert not nb.page.locator(".wbe-still table").first.is_visible(), "the widget hides the table"
    nb.command("docmanager:save")
    saved = json.loads(nb.path.read_text())
    html = "".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in saved["cells"]
        for output in cell["outputs"]
    )
    assert "head.mystery" in html
    assert "there is no rule for pd_op.mystery" in html
    nb.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    nb._client = None
    nb.page.reload()
    table = nb.page.locator(".wbe-still table").first
    table.wait_for()
    assert "block.conv2d" in table.inner_text()
    assert nb.page.locator(".wbe-still svg.wlg").first.is_visible()
    assert not nb.page.get_by_text("Error displaying widget").first.is_visible()
    out = tmp_path / "out.html"
    convert = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output", str(out)]
    subprocess.run([*convert, str(nb.path)], check=True, capture_output=True, timeout=180)
    page = nb.page.context.new_page()
    page.goto(out.as_uri())
    page.locator(".wbe-still table").first.wait_for()
    assert "block.conv2d" in page.locator(".wbe-still table").first.inner_text()
    page.close()
