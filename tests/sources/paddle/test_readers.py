"""Readers: good files, and every way in which a file can be bad."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from workbench.core.errors import ModelFileError
from workbench.sources.interface import name_of
from workbench.sources.paddle.files.folder import find_model
from workbench.sources.paddle.files.pdiparams import bind_parameters, write_tensors
from workbench.sources.paddle.files.pdparams import read_pdparams
from workbench.sources.paddle.files.pir_json import _type, read_program
from workbench.sources.paddle.load import load_program


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    """A copy of a sample that a test may damage."""
    return Path(shutil.copytree(data / "digits_classifier", tmp_path / "model"))


def test_reads_inputs_outputs_and_parameters(model: Path) -> None:
    program = load_program(model).program
    assert [value.name for value in program.inputs] == ["image"]
    assert program.inputs[0].shape[0] == -1
    assert program.inputs[0].dtype == "float32"
    assert all(p.data.shape == p.shape for p in program.parameters.values())
    assert all(np.isfinite(p.data).all() for p in program.parameters.values())


@pytest.mark.parametrize(
    "given",
    ["", "inference.json", "inference", "inference.pdiparams"],
    ids=lambda name: name or "folder",
)
def test_finds_a_model_by(given: str, model: Path) -> None:
    assert find_model(model / given).program == model / "inference.json"


def test_several_models_in_a_folder_ask_which(model: Path) -> None:
    shutil.copy(model / "inference.json", model / "other.json")
    with pytest.raises(ModelFileError, match=r"several models: inference\.json, other\.json"):
        find_model(model)


def test_missing_model_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model"):
        find_model(tmp_path / "nothing")
    with pytest.raises(ModelFileError, match="no Paddle program"):
        find_model(tmp_path)


@pytest.mark.parametrize(
    ("files", "given", "told"),
    [
        (["out/best/inference.json", "out/best.pdparams"], "out", r"Did you mean \S+/out/best\?"),
        (["a/b/inference.json", "a.yaml"], "", r"Did you mean \S+/a/b\?"),
        (["det/model.pdmodel", "rec/__model__"], "", r"Did you mean \S+/det or \S+/rec\?"),
        (["best.pdparams"], "best", "weights but no network"),
        (["det.tar"], "det.tar", "Unpack it"),
        (["det.tar"], "", r"det\.tar is an archive"),
    ],
)
def test_what_is_no_model_says_where_one_is(
    files: list[str], given: str, told: str, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"{}")
    with pytest.raises(ModelFileError, match=told):
        find_model(tmp_path / given)


@pytest.mark.parametrize("name", ["inference.json", "inference.pdiparams"])
def test_a_file_that_git_did_not_fetch_is_told(name: str, model: Path) -> None:
    (model / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")
    with pytest.raises(ModelFileError, match=rf"{name} is a pointer of Git LFS"):
        find_model(model)


def test_a_checkpoint_in_place_of_the_weights_is_told(model: Path) -> None:
    (model / "inference.pdiparams").rename(model / "inference.pdparams")
    program = read_program(model / "inference.json")
    with pytest.raises(ModelFileError, match=r"inference\.pdparams is a checkpoint of training"):
        bind_parameters(program, model / "inference.pdiparams")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b'{"base_code": {"magic": "pir"', "not complete JSON"),
        (b'{"hello": 1}', "no PIR header"),
        (b"[1, 2]", "no PIR header"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        (b'{"base_code": {"magic": "pir"}, "program": {"regions": []}}', "does not hold together"),
        (b'{"base_code": {"magic": "pir"}, "program": 3}', "does not hold together"),
    ],
)
def test_bad_program(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "inference.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=told):
        read_program(path)


def test_truncated_program_at_many_places(model: Path) -> None:
    path = model / "inference.json"
    content = path.read_bytes()
    for share in np.linspace(0.01, 0.999, 25):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ModelFileError):
            read_program(path)


def test_truncated_parameters_at_many_places(model: Path) -> None:
    program = read_program(model / "inference.json")
    path = model / "inference.pdiparams"
    content = path.read_bytes()
    for share in np.linspace(0, 0.999, 40):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ModelFileError):
            bind_parameters(program, path)


def test_missing_and_foreign_parameters(model: Path, data: Path) -> None:
    (model / "inference.pdiparams").unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        load_program(model)
    shutil.copy(data / "transformer_encoder" / "inference.pdiparams", model)
    with pytest.raises(ModelFileError, match=r"different models|declares"):
        load_program(model)
    (model / "inference.pdiparams").write_bytes(b"not parameters at all, but long enough to read")
    with pytest.raises(ModelFileError, match="no valid header"):
        load_program(model)


def test_too_many_parameters(model: Path) -> None:
    path = model / "inference.pdiparams"
    extra = model / "extra"
    write_tensors(extra, {"z": ("float32", np.zeros((2, 3), np.float32))})
    path.write_bytes(path.read_bytes() + extra.read_bytes())
    with pytest.raises(ModelFileError, match="1 more tensors"):
        load_program(model)


def test_parameters_round_trip(tmp_path: Path, model: Path) -> None:
    program = load_program(model).program
    tensors = {name: (p.dtype, p.data) for name, p in program.parameters.items()}
    write_tensors(tmp_path / "again.pdiparams", tensors)
    assert (tmp_path / "again.pdiparams").read_bytes() == (
        model / "inference.pdiparams"
    ).read_bytes()


def test_program_without_output_is_refused(model: Path) -> None:
    path = model / "inference.json"
    document = json.loads(path.read_text())
    block = document["program"]["regions"][0]["blocks"][0]
    block["ops"] = [op for op in block["ops"] if op["#"] != "1.fetch"]
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="no output"):
        read_program(path)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


def test_pdparams_never_runs_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.pdparams"
    path.write_bytes(pickle.dumps({"fc.weight": _Evil()}))
    with pytest.raises(ModelFileError, match=r"builtins\.print"):
        read_pdparams(path)
    assert capsys.readouterr().out == ""


def test_pdparams_gives_arrays_and_names(tmp_path: Path) -> None:
    path = tmp_path / "model.pdparams"
    content = {
        "fc.weight": np.ones((2, 3), np.float32),
        "StructuredToParameterName@@": {"fc.weight": "linear_0.w_0"},
    }
    path.write_bytes(pickle.dumps(content))
    arrays, names = read_pdparams(path)
    assert arrays["fc.weight"].shape == (2, 3)
    assert names == {"linear_0.w_0": "fc.weight"}


def test_weights_without_network_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "model.pdparams").write_bytes(pickle.dumps({}))
    with pytest.raises(ModelFileError, match=r"no network|no Paddle program"):
        find_model(tmp_path / "model.pdparams")


def test_products_of_dynamic_dimensions_are_dynamic() -> None:
    record = {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [-32, 4, -1], "NCHW", [], 0]}
    assert _type(record) == ((-1, 4, -1), "float32")


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("/a/digits/inference.json", "digits"),
        ("/a/ocr/best_model/inference/inference.json", "ocr"),
        ("/a/ocr/det.pdmodel", "det"),
        ("/a/resnet/__model__", "resnet"),
        ("live Gate", "Gate"),
        ("/inference.json", "model"),
    ],
)
def test_a_model_has_a_short_name(origin: str, name: str) -> None:
    assert name_of(origin) == name
