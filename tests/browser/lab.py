"""A private JupyterLab, a browser page in it, and the kernel behind the page."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import BrowserContext, Locator, Page, Route

ROOT = Path(__file__).parents[2]
TOKEN = "workbench-test"
PROMPT = re.compile(r"\[(\d+|\*)\]")
#: How long a wait may take, in milliseconds: other work may share the machine.
PATIENCE = 180_000
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Lab:
    """A running JupyterLab with folders of its own; `folder` is where its notebooks are."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.folder = home / "work"
        self.runtime = home / "runtime"
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    @property
    def environment(self) -> dict[str, str]:
        """Variables that keep Jupyter away from the person's own folders."""
        own = {
            name: str(self.home / name.lower())
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        }
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return {
            **os.environ, **own, "JUPYTER_RUNTIME_DIR": str(self.runtime), "HOME": str(self.home),
            "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"), "PYTHONPATH": paths,
            "JUPYTERLAB_WORKSPACES_DIR": str(self.home / "workspaces"),
            "IPYTHONDIR": str(self.home / "ipython"), "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def settings(self, extension: str, plugin: str, values: dict[str, Any]) -> None:
        """Write the settings of one plugin."""
        folder = self.home / "settings" / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))


@contextmanager
def running_lab(home: Path, *arguments: str) -> Iterator[Lab]:
    """Start JupyterLab and end it with all its kernels."""
    lab = Lab(home, free_port())
    lab.folder.mkdir(parents=True)
    lab.settings("@jupyterlab/apputils-extension", "notification", NO_NEWS)
    with open(home / "lab.log", "w") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
                f"--ServerApp.port={lab.port}", "--ServerApp.ip=127.0.0.1",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                f"--ServerApp.root_dir={lab.folder}", "--LabApp.expose_app_in_browser=True",
                *arguments,
            ],
            env=lab.environment, stdout=log, stderr=log, cwd=lab.folder, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(lab, process)
            yield lab
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def _wait_for(lab: Lab, process: subprocess.Popen[bytes], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), urllib.request.urlopen(f"{lab.url}/api", timeout=2):
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{(lab.home / 'lab.log').read_text()[-3000:]}")


class Notebook:
    """One notebook, open in a page. Outside requests are refused and remembered."""

    def __init__(self, lab: Lab, context: BrowserContext, name: str, cells: list[str]) -> None:
        self.lab = lab
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.path = lab.folder / f"{name}.ipynb"
        self.path.write_text(json.dumps(notebook_json(cells)))
        context.route("**/*", self._guard)
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self._client: BlockingKernelClient | None = None
        self.open(name)

    def _guard(self, route: Route) -> None:
        url = route.request.url
        if url.startswith((self.lab.url, "data:", "blob:", "http://127.0.0.1:", "about:", "file:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def open(self, name: str) -> None:
        """Open the notebook in a fresh workspace."""
        self.page.goto(
            f"{self.lab.url}/lab/workspaces/{name}/tree/{name}.ipynb?token={TOKEN}&reset"
        )
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
            " === 'idle'"
        )

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a JupyterLab command."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args)",
            [name, arguments or {}],
        )

    def run_all(self) -> None:
        """Run all cells, without waiting for the end."""
        for number in range(self.cell_count()):
            self.run_cell(number)

    def run_cell(self, number: int) -> None:
        """Run one cell, without waiting for its end; again if JupyterLab did not hear it."""
        prompt = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        for _ in range(3):
            self.page.evaluate(
                """async (number) => {
                  window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
                  await window.jupyterapp.commands.execute('notebook:clear-cell-output');
                  window.jupyterapp.commands.execute('notebook:run-cell');
                }""",
                number,
            )
            with suppress(Exception):
                prompt.locator(".jp-InputPrompt", has_text=PROMPT).wait_for(timeout=30_000)
                return
        raise AssertionError(f"cell {number} did not run")

    def run_source(self, number: int, source: str) -> None:
        """Replace the text of a cell, drop its output, and run it."""
        self.page.evaluate(
            """async ([number, source]) => {
              const panel = window.jupyterapp.shell.currentWidget;
              panel.content.activeCellIndex = number;
              panel.content.activeCell.model.sharedModel.setSource(source);
              await window.jupyterapp.commands.execute('notebook:clear-cell-output');
              window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            [number, source],
        )

    def dark(self, on: bool = True) -> None:
        """Switch JupyterLab's theme."""
        theme = "JupyterLab Dark" if on else "JupyterLab Light"
        self.command("apputils:change-theme", {"theme": theme})
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=str(not on).lower()
        )
        self.page.wait_for_timeout(300)

    @property
    def editor(self) -> Locator:
        """The mapping editor."""
        return self.page.locator(".wbe-editor").first

    def wait_for_rows(self) -> None:
        """Wait until the editor shows rows."""
        self.page.wait_for_selector(".wbe-editor .wbe-row .wbe-name")

    def cell_count(self) -> int:
        """Cells of the notebook."""
        return int(
            self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.content.model.cells.length"
            )
        )

    # --- the kernel ----------------------------------------------------------------------------

    @property
    def kernel(self) -> BlockingKernelClient:
        """A client of the notebook's kernel."""
        if self._client is None:
            kernel = self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
            )
            client = BlockingKernelClient(
                connection_file=str(self.lab.runtime / f"kernel-{kernel}.json")
            )
            client.load_connection_file()
            client.start_channels()
            client.wait_for_ready(timeout=180)
            self._client = client
        return self._client

    def python(self, expression: str, timeout: float = 180) -> Any:
        """The value of a Python expression in the kernel, by way of JSON."""
        wrapped = f"__import__('json').dumps({expression})"
        reply = self.kernel.execute(
            "", user_expressions={"v": wrapped}, reply=True, timeout=timeout, store_history=False
        )
        told = reply["content"]["user_expressions"]["v"]
        assert told["status"] == "ok", told
        return json.loads(eval(told["data"]["text/plain"]))

    def execute(self, code: str, timeout: float = 180) -> None:
        """Run a statement in the kernel."""
        reply = self.kernel.execute(code, reply=True, timeout=timeout)
        assert reply["content"]["status"] == "ok", reply["content"]

    def wait_for_python(self, expression: str, wanted: Any, seconds: float = 180) -> float:
        """Wait until a Python expression has a value; returns the seconds that it took."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.python(expression) == wanted:
                return time.monotonic() - start
            time.sleep(0.02)
        raise AssertionError(f"{expression} is {self.python(expression)!r}, not {wanted!r}")

    def close(self) -> None:
        """End the kernel and the page."""
        if self._client is not None:
            self._client.stop_channels()
        with suppress(Exception):
            self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
            )
        self.page.close()


def notebook_json(cells: list[str]) -> dict[str, Any]:
    """A notebook of code cells."""
    return {
        "cells": [
            {
                "cell_type": "code", "id": f"cell{number}", "metadata": {}, "outputs": [],
                "execution_count": None, "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
