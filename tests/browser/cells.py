"""Cells that the browser tests run, and how they find rows and edits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parents[2] / "data"


def load(model: str, name: str = "") -> str:
    """Copy a sample into a folder of its own and load it as `m`."""
    return (
        f"import shutil, workbench.app.migration as wb\n"
        f"folder = shutil.copytree({str(DATA / model)!r}, {name or model!r}, dirs_exist_ok=True)\n"
        f"m = wb.load(folder)\n"
    )


#: Rows without a model file: an editor that cannot ask Paddle.
SYNTHETIC = """
from tests.small_programs import classifier, deep
from workbench.notebook.editor import Editor
class Holder:
    verification, references, files, origin = None, (), None, ""
    def __init__(self, mapping): self.mapping, self.program = mapping, mapping.program
"""


def cells_of(file: str) -> list[str]:
    """Cells of a small editor that keeps its edits in a file."""
    return [SYNTHETIC + "m = Holder(classifier())", f"Editor(m, file={file!r}, live=False)"]


def opened(notebook: Callable[..., Any], cells: list[str], **more: Any) -> Any:
    """A notebook whose editor shows its rows."""
    found = notebook(cells, **more)
    found.run_all()
    found.wait_for_rows()
    return found


def row(page: Any, name: str) -> Any:
    """The row with that name or path."""
    return page.locator(f".wbe-row:has(.wbe-name[title='{name}'])").first


def cell(page: Any, name: str, column: str) -> Any:
    """One cell of a row."""
    return row(page, name).locator(f".wbe-col-{column}")


def saved(notebook: Any, file: str) -> dict[str, Any]:
    """The rows in the file of edits."""
    path = Path(notebook.lab.folder) / file
    return (yaml.safe_load(path.read_text()) or {}).get("rows", {}) if path.exists() else {}
