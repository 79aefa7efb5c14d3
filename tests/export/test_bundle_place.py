"""Where a bundle goes: nothing of others is lost, whatever happens in between."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.core.errors import InputError
from workbench.export import place
from workbench.export.manifest import FORMAT, sha256, write_manifest
from workbench.export.place import examine, placed


def fill(folder: Path, **texts: str) -> None:
    """A bundle as we write it: files and a manifest that lists them."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    listed = {name: sha256(folder / name) for name in texts}
    write_manifest(folder, {"format": FORMAT, "tool": "paddle-torch-workbench 1", "sha256": listed})


def export(folder: Path, **texts: str) -> None:
    with placed(folder) as staging:
        fill(staging, **texts)


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.fixture(params=["exchange", "two renames"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two renames":
        monkeypatch.setattr(place, "_swapped", lambda *_: False)


FOREIGN: dict[str, object] = {
    "a web app": {"name": "app", "version": "1.0", "sha256": {}},
    "another tool's": {"format": FORMAT, "tool": "other 1", "sha256": {}},
    "an unknown format": {"format": "x", "tool": "paddle-torch-workbench 1", "sha256": {}},
    "no hashes": {"format": FORMAT, "tool": "paddle-torch-workbench 1"},
    "a list": [1, 2],
    "no JSON": None,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_that_is_not_ours_is_refused(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told = "{ not" if FOREIGN[name] is None else json.dumps(FOREIGN[name])
    (out / "manifest.json").write_text(told)
    (out / "work.txt").write_text("years")
    with pytest.raises(InputError, match="not a bundle"):
        export(out, a="new")
    assert texts(out) == {"work.txt": "years"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_and_pipes_in_the_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "odd").mkdir()
    os.mkfifo(tmp_path / "odd" / "manifest.json")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("file", "pipe", "odd", "loop"):
        with pytest.raises(InputError):
            export(tmp_path / name, a="new")
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.usefixtures("_way")
def test_what_a_person_added_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(out, a="1", b="1", c="1")
    (out / "finetune.py").write_text("mine")
    (out / "checkpoints" / "empty").mkdir(parents=True)
    (out / "checkpoints" / "1.pt").write_text("mine")
    (out / "link").symlink_to("checkpoints")
    (out / "broken").symlink_to("nowhere")
    (out / "b").write_text("changed by hand")
    (out / "d").write_text("mine too")
    checkpoint = (out / "checkpoints" / "1.pt").stat().st_ino
    export(out, a="2", b="2", d="2")
    assert texts(out) == {
        "a": "2", "b": "2", "d": "2", "b.kept": "changed by hand", "d.kept": "mine too",
        "finetune.py": "mine", "checkpoints/1.pt": "mine",
    }  # fmt: skip
    assert (out / "checkpoints" / "1.pt").stat().st_ino == checkpoint
    assert (out / "checkpoints" / "empty").is_dir()
    assert (out / "link").is_symlink()
    assert (out / "broken").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (out / "b").write_text("again")
    export(out, a="3", b="3")
    assert texts(out)["b.kept2"] == "again"
    assert texts(out)["b.kept"] == "changed by hand"


@pytest.mark.usefixtures("_way")
def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "bundle")
    export(tmp_path / "out", a="1")
    (tmp_path / "disk" / "bundle").chmod(0o750)
    export(tmp_path / "out", a="2")
    assert (tmp_path / "out").is_symlink()
    assert texts(tmp_path / "disk" / "bundle") == {"a": "2"}
    assert (tmp_path / "disk" / "bundle").stat().st_mode & 0o777 == 0o750
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["bundle"]


def test_a_second_rename_that_fails_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(out, a="1")
    rename, calls = os.rename, []

    def failing(one: Path, other: Path) -> None:
        calls.append(one)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        rename(one, other)

    monkeypatch.setattr(place, "_swapped", lambda *_: False)
    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(InputError, match="No space left"):
        export(out, a="2")
    assert texts(out) == {"a": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _killed(step: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed at a step of the exchange: nothing is cleaned up."""
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 9 << 8
        return
    if step == "while writing":
        with placed(out) as staging:
            (staging / "half").write_text("half")
            os._exit(9)
    if step == "before the exchange":
        place._exchange = lambda *_: os._exit(9)
    elif step == "between two renames":
        place._swapped = lambda *_: False
        rename = os.rename
        os.rename = lambda one, other: os._exit(9) if one != out else rename(one, other)
    else:
        place._retire = lambda *_: os._exit(9)
    export(out, a="2")
    os._exit(0)


@pytest.mark.parametrize(
    "step", ["while writing", "before the exchange", "between two renames", "after the exchange"]
)
def test_after_a_kill_everything_is_found_again(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(out, a="1")
    (out / "mine").write_text("mine")
    _killed(step, out, monkeypatch)
    assert len(list(tmp_path.iterdir())) == 2
    assert examine(out) == out
    assert texts(out) == {"a": "2" if step == "after the exchange" else "1", "mine": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    export(out, a="3")
    assert texts(out) == {"a": "3", "mine": "mine"}


def test_what_is_not_ours_is_no_leftover(tmp_path: Path) -> None:
    names = [".out-abcdefgh", ".out-notes", ".out.workbench-notes", ".other.workbench-abcdefgh"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "work").write_text("years")
    export(tmp_path / "out", a="1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "out"])


def test_two_exports_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(out, a="1")
    with placed(out) as staging:
        fill(staging, a="2")
        with pytest.raises(InputError, match="Another export"):
            export(out, a="3")
        assert staging.is_dir()
    assert texts(out) == {"a": "2"}


def test_what_appears_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(out, a="1")
    exchange = place._exchange

    def late(staging: Path, real: Path) -> Path:
        (real / "late").write_text("mine")
        return exchange(staging, real)

    monkeypatch.setattr(place, "_exchange", late)
    export(out, a="2")
    assert texts(out) == {"a": "2", "late": "mine"}


@pytest.fixture
def _read_only(tmp_path: Path) -> Iterator[None]:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    yield
    tmp_path.chmod(0o700)


@pytest.mark.usefixtures("_read_only")
def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        export(tmp_path / "out", a="1")
