"""What a stranger's model, or the folder that one works in, could do through the Paddle process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.core.errors import ModelFileError, RefusedProgramError
from workbench.sources.paddle.client import process as paddle_process
from workbench.sources.paddle.client.admission import admit, known
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.signatures import operators

Json = dict[str, Any]


# --- the folder that one works in -------------------------------------------------------------


def _trap(folder: Path, *names: str) -> Path:
    """Modules that leave a mark when they are imported; the mark."""
    mark = folder / "ran"
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    return mark


@pytest.mark.parametrize("variable", [None, "", os.pathsep, f"{os.pathsep}/nowhere"])
def test_modules_of_the_working_folder_are_not_imported(
    variable: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = _trap(tmp_path, "paddle", "statistics", "sitecustomize", "numpy", "json")
    monkeypatch.chdir(tmp_path)
    if variable is None:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONPATH", variable)
    with PaddleProcess() as process:
        assert process.ask("version")
    assert not mark.exists()


def test_a_python_without_a_safe_path_does_not_import_them_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.10 and older do not know the variable; -E makes this one so."""
    mark = _trap(tmp_path, "runpy", "statistics", "shown")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    start = paddle_process._START.replace("import runpy", f"sys.path.append({str(elsewhere)!r})\n"
                                          "import runpy, statistics")  # fmt: skip
    (elsewhere / "shown.py").write_text("import sys; print(sys.argv, __name__)")
    command = [sys.executable, "-E", "-c", start, "shown", "more"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("'more'] __main__")
    assert not mark.exists()


def test_the_process_works_in_a_folder_of_its_own_and_relative_paths_still_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(data / "digits_classifier", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    with wb.load("model") as migration:
        assert migration.verify().passed
        place = Path(f"/proc/{migration.paddle.pid}/cwd")
        if place.exists():
            folder = place.resolve()
            assert folder != tmp_path
            assert list(folder.iterdir()) == []
            migration.close()
            assert not folder.exists()


# --- operators that reach out -----------------------------------------------------------------


def _attribute(name: str, kind: str, value: Any) -> Json:
    return {"AT": {"#": kind, "D": value}, "N": name}


def _change(data: Path, folder: Path, change: Callable[[Json], None]) -> Path:
    """A copy of the sample with another program."""
    shutil.copytree(data / "digits_classifier", folder, dirs_exist_ok=True)
    program = folder / "inference.json"
    document = json.loads(program.read_text())
    change(document)
    program.write_text(json.dumps(document))
    return folder


def _ops(document: Json) -> list[Json]:
    return document["program"]["regions"][0]["blocks"][0]["ops"]  # type: ignore[no-any-return]


def _dead_save(target: Path) -> Callable[[Json], None]:
    """An operator whose result nobody reads and that writes a file; Paddle 3.3 does run it."""

    def change(document: Json) -> None:
        ops = _ops(document)
        place = next(n for n, op in enumerate(ops) if op["#"] == "1.data") + 1
        source = ops[place - 1]["O"]
        (source,) = source if isinstance(source, list) else [source]
        stop = _attribute("stop_gradient", "0.a_array", [{"#": "0.a_bool", "D": True}])
        combine = {
            "#": "0.combine", "I": [{"%": source["%"]}], "A": [], "OA": [stop],
            "O": [{"%": 99999, "TT": {"#": "0.t_vec", "D": [source["TT"]]}}],
        }  # fmt: skip
        save = {
            "#": "1.save_combine", "I": [{"%": 99999}], "O": [{"%": 99998, "TT": {"#": "NULL"}}],
            "OA": [stop],
            "A": [
                _attribute("file_path", "0.a_str", str(target)),
                _attribute("overwrite", "0.a_bool", True),
                _attribute("save_as_fp16", "0.a_bool", False),
                _attribute("save_to_memory", "0.a_bool", False),
            ],
        }  # fmt: skip
        ops[place:place] = [combine, save]

    return change


def test_a_dead_operator_does_not_write_a_file(data: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    folder = _change(data, tmp_path / "model", _dead_save(precious))
    with wb.load(folder) as migration:
        migration.convert()  # without Paddle nothing of it runs
        with pytest.raises(
            RefusedProgramError, match=r"holds pd_op\.save_combine \(operator \d+\)"
        ):
            migration.verify()
        bundle = migration.export(tmp_path / "out")
        assert not bundle.verified
        assert json.loads((bundle.folder / "manifest.json").read_text())["verification"] is None
        assert migration.paddle.pid is None
    assert precious.read_text() == "mine"


UNKNOWN = ["1.py_func", "1.run_program", "1.tensorrt_engine", "1.save_combine", "1.load_combine",
           "1.read_file", "1.c_allreduce_sum_", "1.send_v2", "1.recv_v2", "1.check_numerics",
           "1.ap_variadic", "3.gate", "4.anything", "cinn_op.group", "pd_kernel.phi_kernel",
           "custom_op.gate", "1.no_such_operator", "pd_op.save_combine"]  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("inside", [False, True])
def test_what_does_more_than_compute_is_refused_by_name_and_place(
    name: str, inside: bool, data: Path, tmp_path: Path
) -> None:
    bad: Json = {"#": name, "I": [], "O": [], "A": []}
    block = {"#": "1.if", "I": [], "O": [], "A": [],
             "regions": [{"blocks": [{"ops": []}]}, {"blocks": [{"ops": [bad]}]}]}  # fmt: skip

    def change(document: Json) -> None:
        _ops(document).insert(3, block if inside else bad)

    folder = _change(data, tmp_path, change)
    with pytest.raises(ModelFileError) as told:
        admit(folder / "inference.json")
    assert name.partition(".")[2] in told.value.message
    assert ("operator 3.1.0" if inside else "operator 3)") in told.value.message


def test_a_key_that_stands_twice_is_refused(data: Path, tmp_path: Path) -> None:
    """Paddle's parser and Python's need not agree on which one counts."""
    shutil.copytree(data / "digits_classifier", tmp_path, dirs_exist_ok=True)
    program = tmp_path / "inference.json"
    text = program.read_text()
    assert '"#":"1.relu"' in text
    program.write_text(text.replace('"#":"1.relu"', '"#":"1.save_combine","#":"1.relu"', 1))
    with pytest.raises(ModelFileError, match="twice"):
        admit(program)


def test_every_program_that_has_rules_is_let_through() -> None:
    """Refused are only operators that the rules refuse, too."""
    served = {
        name
        for name in operators()
        if (rule := DEFAULT.find(name)) is not None and not rule.doc.startswith("Not served")
    }
    assert [name for name in sorted(served) if not known(name)] == []
    assert known("pd_op.relu_")
    assert known("pd_op.tanh_double_grad")


# --- programs of Paddle 2 and 1 ---------------------------------------------------------------


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize("name", ["save_combine", "load", "py_func", "run_program", "send_v2",
                                  "tensorrt_engine", "c_allreduce_sum", "listen_and_serv",
                                  "create_py_reader"])  # fmt: skip
def test_a_legacy_program_is_looked_through_before_paddle_translates_it(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(data / "legacy_classifier", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "model.pdmodel"
    another = _field(1, _field(4, _field(3, b"relu")) + _field(4, _field(3, name.encode())))
    file.write_bytes(file.read_bytes() + another)
    monkeypatch.setattr(PaddleProcess, "_running", lambda self: pytest.fail("Paddle was started"))
    with pytest.raises(ModelFileError, match=rf"holds {name} \(block 1, operator 1\)"):
        wb.load(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_parameter_that_is_a_path_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "__model__"
    file.write_bytes(_field(1, _field(3, _field(1, name.encode()))))
    with pytest.raises(ModelFileError, match="path out of the folder"):
        admit(file)


def test_a_parameter_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fc_0.w_0")
    file = tmp_path / "__model__"
    file.write_bytes(_field(1, _field(3, _field(1, b"fc_0.w_0"))))
    with pytest.raises(ModelFileError, match="no regular file"):
        admit(file)


@pytest.mark.parametrize(
    "content",
    [b"\x0a\xff\xff\xff\xff\x0f", b"\x0a", b"\x0b", b"\x07", b"\xff" * 12, b"\x0a\x05ab", b"\x00"],
)
def test_what_is_no_program_is_told(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.pdmodel"
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        admit(file)
