"""The report and the fault on its first screen, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.samples import HOSTILE, Migrated, model, verified
from workbench.report.report import write_report

#: Background and text of each theme.
COLOURS = {
    "light": ["rgb(255, 255, 255)", "rgb(27, 31, 36)"],
    "dark": ["rgb(20, 23, 26)", "rgb(227, 231, 235)"],
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    names = [f"{name}{i}" for i, name in enumerate(HOSTILE)] + [
        f"stage.conv_{i}" for i in range(30)
    ]
    mapping = model(names)
    migration = Migrated(mapping, verified(mapping, {9: 1e-2}), origin=HOSTILE[1])
    return write_report(migration, tmp_path / "report.html")  # type: ignore[arg-type]


def opened(browser: Any, path: Path, **options: Any) -> tuple[Any, list[str]]:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: told.append(request.url))
    page.goto(path.as_uri())
    return page, told


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_fetched_or_complained_of(browser: Any, path: Path, scheme: str) -> None:
    page, told = opened(browser, path, color_scheme=scheme)
    assert told == [path.as_uri()]
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"[{style}.backgroundColor, {style}.color]") == COLOURS[scheme]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_fault_stands_on_the_first_screen(browser: Any, path: Path) -> None:
    page, _ = opened(browser, path)
    box = page.locator(".fault").bounding_box()
    assert box["y"] + box["height"] < 800
    assert "stage.conv_3" in page.locator(".fault").inner_text()
    page.click(".fault a >> nth=0")
    assert page.locator("tr:target").get_attribute("id") == "l10"


def test_filter(browser: Any, path: Path) -> None:
    page, _ = opened(browser, path)
    shown = "document.querySelectorAll('#table > tbody > tr:not([hidden])').length"
    assert page.evaluate(shown) == 36
    page.fill("#filter input[type=search]", "stage.conv_3 matmul")
    assert page.evaluate(shown) == 1
    page.fill("#filter input[type=search]", "")
    page.select_option("#filter select", "wrong")
    assert "stage.conv_3" in page.locator("#table tbody tr:not([hidden]) b >> nth=0").inner_text()
    count = page.evaluate(shown)
    assert page.locator("#filter output").inner_text() == f"{count} of 36"
    page.evaluate("location.hash = '#l1'")
    page.wait_for_function("!document.getElementById('l1').hidden")


def test_it_reads_without_script_and_prints(browser: Any, path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#filter").is_hidden()
    assert page.locator("#table tbody tr").count() == 36
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert len(page.pdf(prefer_css_page_size=True)) > 10_000


def test_a_click_in_the_graph_leads_to_the_table(browser: Any, path: Path) -> None:
    page, told = opened(browser, path)
    name = page.locator("tr#l12 b").inner_text()
    items = page.locator(".graph [data-path]")
    found = [item for item in items.all() if item.get_attribute("data-path") == name]
    if not found:
        pytest.skip("the layer is folded away")
    found[0].locator("rect").click(force=True)
    assert page.locator("tr:target").get_attribute("id") == "l12"
    assert told == [path.as_uri()]
