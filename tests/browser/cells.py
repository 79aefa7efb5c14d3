"""Cells that the browser tests run."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parents[2] / "data"


def load(model: str, name: str = "") -> str:
    """Copy a sample into a folder of its own and load it as `m`."""
    return (
        f"import shutil, workbench.migration as wb\n"
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
