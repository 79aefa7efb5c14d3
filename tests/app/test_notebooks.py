"""Every notebook runs from top to bottom, as it is in the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    copy = shutil.copy(path, folder)
    notebook = nbformat.read(copy, as_version=4)
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs_and_cells_are_short(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs, "strip the outputs: nbstripout " + path.name
            assert cell.execution_count is None
            assert len(cell.source.splitlines()) <= 14, cell.source


def test_notebooks_are_as_nbstripout_leaves_them() -> None:
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"run nbstripout notebooks/*.ipynb\n{done.stdout}{done.stderr}"


#: The one cell of a notebook that says which model it is about.
_CHOICE = ("MODEL = ", "SAMPLE = ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_one_cell_names_the_sample(path: Path) -> None:
    """Folders and texts follow from the model, so that another one may stand there."""
    samples = {folder.name for folder in (ROOT / "data").iterdir() if folder.is_dir()}
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    named = [cell for cell in cells if any(name in cell for name in (*samples, "digits"))]
    assert len(named) <= 1, named
    assert all(any(word in cell for word in _CHOICE) for cell in named)
    assert not any("../out/" in cell for cell in cells), "a folder of one model's name"


def test_the_first_notebook_writes_to_a_folder_of_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copytree(ROOT / "data" / "transformer_encoder", tmp_path / "text_model")
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("../data/digits_classifier", "../text_model")
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    written = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("out/*/manifest.json")
    }
    assert written == {"out/text_model/manifest.json"}
    told = "".join(str(cell.get("outputs", "")) + cell.source for cell in notebook.cells)
    assert "digits" not in told
