"""Links, pipes and devices where files are expected: nothing hangs, nothing foreign is copied."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.small_programs import classifier
from workbench.checks.results.verification import Verification
from workbench.checks.tasks.answers import _characters
from workbench.checks.tasks.preprocessing import read_image, read_preprocessing
from workbench.checks.tasks.samples import read_samples
from workbench.checks.values.inputs import load_inputs
from workbench.core.errors import InputError, MappingError, ModelFileError, WorkbenchError
from workbench.core.files import belongs, open_regular, read_bytes, read_text
from workbench.editing.file import EditFile
from workbench.export.bundle import _companions
from workbench.sources.paddle.files.folder import find_model
from workbench.sources.paddle.files.pdparams import read_pdparams

SECRET = "root:x:0:0"
INPUT = [np.zeros((1, 3, 32, 32), np.float32)]


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data / "digits_classifier", tmp_path / "model"))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "private" / "secret.txt"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@pytest.fixture(autouse=True)
def _in_no_time() -> Iterator[None]:
    """A pipe that is opened waits for ever, a device never ends."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 60


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _zero(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _nowhere(path: Path) -> Path:
    path.symlink_to("/nowhere/at/all")
    return path


def _circle(path: Path) -> Path:
    path.symlink_to(path)
    return path


MAKERS = [_pipe, _zero, _folder, _nowhere, _circle]
Maker = Callable[[Path], Path]


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_only_regular_files_are_opened(make: Maker, tmp_path: Path) -> None:
    path = make(tmp_path / "file")
    with pytest.raises(OSError, match=r"regular file|No such file|Too many levels") as told:
        open_regular(path)
    assert told.value.strerror
    assert not belongs(path, tmp_path)


def test_a_limit_holds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert len(read_bytes(path, 100)) == 100
    with pytest.raises(OSError, match="larger than"):
        read_bytes(path, 99)
    path.write_bytes(b"a\r\nb\rc\n")
    assert read_text(path) == "a\nb\nc\n"


READERS: dict[str, Callable[[Path], object]] = {
    "model.json": find_model,
    "inference.json": wb.load,
    "model.pdmodel": wb.load,
    "model.pdparams": read_pdparams,
    "inputs.npz": lambda path: load_inputs(classifier().program, path),
    "mapping.yaml": lambda path: EditFile(path).read(),
    "inference.yml": read_preprocessing,
    "image.png": read_image,
    "run.json": Verification.load,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("make", MAKERS)
def test_a_named_file_that_is_no_file_is_told(name: str, make: Maker, tmp_path: Path) -> None:
    path = make(tmp_path / name)
    if name == "mapping.yaml" and make is _nowhere:
        return  # a mapping file that is not there yet holds no edits
    with pytest.raises(WorkbenchError):
        READERS[name](path)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "name", ["a.json", "b.pdmodel", "z.pdparams", "inference.yml", "labels.txt"]
)
def test_what_lies_beside_a_model_does_no_harm(name: str, make: Maker, model: Path) -> None:
    make(model / name)
    with wb.load(model) as migration:
        assert migration.files is not None
        assert migration.files.config is None
        if name.endswith(".txt"):
            with pytest.warns(UserWarning, match="left out"):
                assert _companions(migration) == []
        else:
            assert _companions(migration) == []


@pytest.mark.parametrize("make", MAKERS)
def test_weights_that_are_no_file_are_told(make: Maker, model: Path) -> None:
    (model / "inference.pdiparams").unlink()
    make(model / "inference.pdiparams")
    with pytest.raises(ModelFileError):
        wb.load(model)


@pytest.mark.parametrize("make", MAKERS)
def test_weights_of_a_legacy_model_that_are_no_file_are_told(
    make: Maker, data: Path, tmp_path: Path
) -> None:
    """Before Paddle opens them."""
    model = Path(shutil.copytree(data / "legacy_classifier", tmp_path / "model"))
    (model / "model.pdiparams").unlink()
    make(model / "model.pdiparams")
    with pytest.raises(ModelFileError):
        wb.load(model)


def test_an_endless_file_of_edits_is_told(tmp_path: Path) -> None:
    path = tmp_path / "edits.yaml"
    path.write_text("rows: {}\n" + "#" * (17 << 20))
    with pytest.raises(MappingError, match="larger than"):
        EditFile(path).read()


# --- links ------------------------------------------------------------------------------------


def test_a_link_out_of_the_folder_is_not_copied_into_the_bundle(
    model: Path, secret: Path, tmp_path: Path
) -> None:
    (model / "labels.txt").symlink_to(secret)
    (model / "inference.yml").symlink_to(secret)
    (model / "classes.txt").write_text("zero\n")
    (model / "alias.txt").symlink_to("classes.txt")
    with wb.load(model) as migration:
        migration.convert()
        migration.verify(INPUT)
        with pytest.warns(UserWarning, match=r"labels\.txt was left out"):
            bundle = migration.export(tmp_path / "out")
    assert {"classes.txt", "alias.txt"} <= set(bundle.files)
    for path in bundle.folder.rglob("*"):
        assert not path.is_symlink()
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("name", ["labels.txt", "metric.json", "inference.yml"])
def test_a_link_among_samples_is_told(name: str, model: Path, secret: Path, tmp_path: Path) -> None:
    from PIL import Image

    samples = tmp_path / "samples"
    samples.mkdir()
    Image.new("RGB", (8, 8)).save(samples / "a.png")
    (samples / name).symlink_to(secret)
    with wb.load(model) as migration, pytest.raises(InputError, match="no regular file") as told:
        read_samples(migration, samples, None if name == "inference.yml" else lambda path: [])
    assert SECRET not in str(told.value)


def test_edits_are_not_written_through_a_link(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "startup.yaml"
    (model / "mapping.yaml").symlink_to(target)
    with wb.load(model) as migration, pytest.raises(MappingError, match="no regular file"):
        migration.edit()
    assert not target.exists()


def test_a_dictionary_elsewhere_is_not_read(secret: Path, tmp_path: Path) -> None:
    class Found:
        source = str(tmp_path / "samples")

    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "dict.txt").symlink_to(secret)
    with pytest.raises(InputError, match="no dictionary"):
        _characters(Found(), {})  # type: ignore[arg-type]


def test_names_beside_the_model_are_not_taken_from_elsewhere(model: Path, tmp_path: Path) -> None:
    import pickle

    elsewhere = tmp_path / "other.pdparams"
    elsewhere.write_bytes(pickle.dumps({"StructuredToParameterName@@": {"stolen": "conv2d_0.w_0"}}))
    (model / "inference.pdparams").symlink_to(elsewhere)
    with wb.load(model) as migration:
        assert "stolen" not in migration.program.structured_names.values()
    with wb.load(model, names=elsewhere) as migration:  # named, it is read
        assert "stolen" in migration.program.structured_names.values()


def test_a_folder_reached_by_a_link_is_the_folder(model: Path, tmp_path: Path) -> None:
    (model / "classes.txt").write_text("zero\n")
    link = tmp_path / "link"
    link.symlink_to(model, target_is_directory=True)
    with wb.load(link) as migration:
        assert [path.name for path in _companions(migration)] == ["classes.txt"]


def test_links_of_a_hub_cache_are_followed(model: Path, secret: Path, tmp_path: Path) -> None:
    """snapshots/<commit>/file → ../../blobs/<hash>, as Hugging Face keeps what it downloads."""
    (model / "classes.txt").write_text("zero\n")
    repository = tmp_path / "models--someone--digits"
    blobs, snapshot = repository / "blobs", repository / "snapshots" / "0123abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(model.iterdir())):
        if file.is_file():
            shutil.copy(file, blobs / f"hash{number}")
            (snapshot / file.name).symlink_to(f"../../blobs/hash{number}")
    (snapshot / "labels.txt").symlink_to(secret)
    with wb.load(snapshot) as migration:
        with pytest.warns(UserWarning, match="labels"):
            assert [path.name for path in _companions(migration)] == ["classes.txt"]
        assert migration.verify(INPUT).passed
    with wb.load(snapshot / "inference.json") as migration:
        assert len(migration.program.parameters) > 0


def test_program_and_weights_may_be_links(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    for name in ("inference.json", "inference.pdiparams"):
        (folder / name).symlink_to(model / name)
    with wb.load(folder) as migration:
        assert json.loads((model / "inference.json").read_text())
        assert len(migration.program.parameters) > 0
