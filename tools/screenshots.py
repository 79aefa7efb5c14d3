"""Renew the pictures in docs/images: `python tools/screenshots.py [NAME …]`.

Needs Chromium, like the browser tests, whose JupyterLab it uses; about three minutes.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.cells import load, row
from tests.browser.conftest import CHROMIUM
from tests.browser.lab import Lab, Notebook, running_lab

IMAGES = Path(__file__).parents[1] / "docs" / "images"
LIVE = ".wbe-footer:has-text('live check on')"
BAD = "sequential.inverted_residual.conv_bn_layer.bn"


class Shooter:
    """Opens notebooks and takes pictures of what is in them."""

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self.browser = browser
        self.lab = lab

    def notebook(self, name: str, cells: list[str], width: int = 1400, height: int = 900) -> Any:
        """A notebook with all its cells run and the side bar closed."""
        context = self.browser.new_context(viewport={"width": width, "height": height})
        nb = Notebook(self.lab, context, name, cells)
        nb.command("application:toggle-left-area")
        nb.run_all()
        return nb

    def save(self, name: str, png: bytes) -> None:
        """Write a picture with 256 colours, which is half of the size."""
        path = IMAGES / f"{name}.png"
        Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def editor(shooter: Shooter) -> None:
    """The editor after a verification, then with a planted fault and its cause, then dark."""
    nb = shooter.notebook("editor", [load("digits_classifier", "pictures"), "m.edit()"])
    page = nb.page
    page.wait_for_selector(LIVE)
    page.get_by_role("button", name="Verify").click()
    page.wait_for_selector(".wbe-overall-passed")
    page.locator(".wbe-toast button").first.click()
    row(page, BAD).locator(".wbe-name").click()
    page.wait_for_selector(".wbe-panel .wbe-figure-scatter")
    shooter.save("editor", nb.editor.screenshot())
    page.locator("[data-field='argument:eps']").fill("0.001")
    page.locator("[data-field='argument:eps']").press("Enter")
    page.wait_for_selector(".wbe-causes button")
    page.locator(".wbe-panel-body").evaluate("el => { el.scrollTop = 0 }")
    shooter.save("editor_cause", nb.editor.screenshot())
    nb.dark()
    shooter.save("editor_dark", nb.editor.screenshot())
    nb.dark(False)
    nb.close()


def graphs(shooter: Shooter) -> None:
    """Both models in Netron, and our own layer graph."""
    cells = [
        load("transformer_encoder", "graphs") + "v = m.verify()", "m.graph('both')",
        "m.graph('layers')",
    ]  # fmt: skip
    nb = shooter.notebook("graphs", cells)
    page = nb.page
    for number in range(2):
        frame = page.frame_locator(".wbg-netron iframe").nth(number)
        frame.locator("svg .node").first.wait_for()
    page.wait_for_timeout(1500)
    shooter.save("netron", page.locator(".wbg-netron").first.screenshot())
    page.locator(".wbg-view .wlg-item").first.wait_for()
    shooter.save("layer_graph", page.locator(".wbg-layers").first.screenshot())
    nb.close()


def plots(shooter: Shooter) -> None:
    """The error map of a faulty model."""
    cells = [
        load("digits_classifier", "plots")
        + f"m.mapping = m.mapping.edit({BAD!r}, arguments={{'eps': 1e-3}})\nm.verify().histograms()"
    ]
    nb = shooter.notebook("plots", cells, height=1300)
    image = nb.page.locator(".jp-OutputArea-output img").first
    image.wait_for()
    shooter.save("histograms", image.screenshot())
    nb.close()


PICTURES: dict[str, Callable[[Shooter], None]] = {
    "editor": editor, "graphs": graphs, "plots": plots,
}  # fmt: skip


def main() -> None:
    """Take the named pictures, or all."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with running_lab(Path(home) / "lab") as lab:
            for name in sys.argv[1:] or PICTURES:
                PICTURES[name](Shooter(browser, lab))
        browser.close()


if __name__ == "__main__":
    main()
