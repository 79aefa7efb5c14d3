"""One JupyterLab and one Chromium for all browser tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("WORKBENCH_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
REQUIRED = os.environ.get("WORKBENCH_REQUIRE_BROWSER") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; where it is not installed the tests are skipped, unless required."""
    missing = "" if Path(CHROMIUM).exists() else f"there is no Chromium at {CHROMIUM}"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "playwright is not installed"
    if missing:
        told = f"{missing}: apt-get install chromium, or name one with WORKBENCH_CHROMIUM"
        if REQUIRED:
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Any]:
    """A private JupyterLab."""
    from tests.browser.lab import running_lab

    with running_lab(tmp_path_factory.mktemp("lab") / "home") as found:
        yield found


def _opener(browser: Any, lab: Any, name: str) -> Iterator[Callable[..., Any]]:
    from tests.browser.lab import Notebook

    opened: list[Any] = []
    contexts: list[Any] = []

    def open_notebook(cells: list[str], width: int = 1500, height: int = 950) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        opened.append(Notebook(lab, context, f"{name}_{len(opened)}", cells))
        return opened[-1]

    yield open_notebook
    for one in opened:
        one.close()
    for context in contexts:
        context.close()


@pytest.fixture
def notebook(
    browser: Any, lab: Any, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Opens notebooks: `notebook([cell, …], width=1500)`; closed after the test."""
    yield from _opener(browser, lab, request.node.name.replace("[", "_").replace("]", ""))


@pytest.fixture(scope="module")
def kernel(browser: Any, lab: Any) -> Iterator[Any]:
    """One notebook with a synthetic model, for tests that need no kernel of their own."""
    from tests.browser.cells import SYNTHETIC

    for open_notebook in _opener(browser, lab, "shared"):
        found = open_notebook([SYNTHETIC, ""])
        found.execute(SYNTHETIC)
        yield found


@pytest.fixture
def small(kernel: Any, request: pytest.FixtureRequest) -> Any:
    """The shared notebook with a fresh small editor; its file is named like the test."""
    file = f"{request.node.name}.yaml"
    kernel.errors.clear()
    kernel.run_source(
        1, f"m = Holder(classifier())\neditor = Editor(m, file={file!r}, live=False)\neditor"
    )
    kernel.page.wait_for_function(
        "() => document.querySelectorAll('.wbe-editor').length === 1 && "
        "document.querySelectorAll('.wbe-editor .wbe-name').length > 8"
    )
    kernel.file = file
    return kernel
