"""The file of edits: readable, atomic, and shared between editors without loss."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.small_programs import classifier, deep
from workbench.core.errors import MappingError, MappingWarning
from workbench.core.mapping import Mapping
from workbench.editing.edits import apply_changes, changes_of, edit_row, edit_rows
from workbench.editing.file import EditFile, apply_edits, save_edits

CHANGES: dict[str, dict[str, Any]] = {
    "block.conv2d": {"arguments": {"padding_mode": "reflect"}},
    "head.mystery": {"target": ".reshape", "arguments": {"1": "=(x.shape[0], 4)"}},
    "head.fc": {
        "weights": {"weight": ["transposed", "transposed"]},
        "note": "été: checked",
        "rename": "fc",
    },
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mapping.yaml"


def edited() -> Mapping:
    return edit_rows(classifier(), CHANGES)


def test_what_is_saved_can_be_read_by_a_person(path: Path) -> None:
    save_edits(edited(), path)
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["rows"]["head.fc"] == {
        "weights": {"weight": ["transposed", "transposed"]}, "note": "été: checked", "rename": "fc",
    }  # fmt: skip
    assert "  block.conv2d:\n    arguments: {padding_mode: reflect}\n" in text
    assert "été" in text
    assert len(text.splitlines()) < 20


def test_saved_edits_apply_to_a_new_export(path: Path) -> None:
    mapping = edited()
    save_edits(mapping, path)
    again = apply_edits(classifier(), path)
    assert changes_of(again) == changes_of(mapping)
    assert again["fc"].call == mapping["fc"].call or repr(again["fc"]) == repr(mapping["fc"])
    assert again["head.mystery"].status == "edited"


def test_the_methods_of_mapping_do_the_same(path: Path) -> None:
    mapping = classifier().edit("head.fc", note="hello")
    mapping.save(path)
    assert classifier().apply(path)["head.fc"].note.endswith("hello")


def test_the_source_is_named_with_its_hash(path: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    source = tmp_path / "inference.json"
    source.write_text("{}")
    mapping = edited()
    mapping = replace(mapping, program=replace(mapping.program, source=source))
    save_edits(mapping, path)
    kept = yaml.safe_load(path.read_text())["source"]
    assert kept["file"] == "inference.json"
    assert kept["sha256"].startswith("44136fa355b3678a1146ad16f7e8649e94fb4fc2")


def test_rows_without_a_match_are_told_and_kept(path: Path) -> None:
    path.write_text("version: 1\nrows:\n  gone.layer: {note: old}\n  head.fc: {note: new}\n")
    with pytest.warns(MappingWarning, match=r"1 rows that this model does not have: gone\.layer"):
        mapping = apply_edits(classifier(), path)
    assert mapping["head.fc"].edited == {"note": "new"}
    save_edits(edit_row(mapping, "head.fc", {"note": "newer"}), path)
    assert yaml.safe_load(path.read_text())["rows"] == {
        "head.fc": {"note": "newer"}, "gone.layer": {"note": "old"},
    }  # fmt: skip


def test_edits_that_do_not_fit_are_named_together(path: Path) -> None:
    path.write_text(
        "version: 1\nrows:\n  head.fc: {arguments: {in_features: 9}}\n"
        "  block.re_lu: {target: nn.Nope}\n"
    )
    with pytest.raises(MappingError) as caught:
        apply_edits(classifier(), path)
    assert "2 edits of" in str(caught.value)
    assert "head.fc: weight of nn.Linear is (4, 9)" in str(caught.value)
    found = apply_changes(classifier(), EditFile(path).read())
    assert set(found.refused or ()) == {"head.fc", "block.re_lu"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rows: [1, 2]", "must hold one entry a row"),
        ("rows:\n  a: 1", "row 'a' must hold changes"),
        ("rows:\n  a: {colour: red}", "unknown change colour"),
        ("rows:\n  a: {arguments: [1]}", "arguments of row 'a'"),
        ("rows:\n  a: {target: 3}", "target of row 'a' must be a text"),
        ("version: 7\nrows: {}", "has version 7"),
        ("hello: world", "is not a mapping file"),
        ("rows:\n  a: {note: x\n  b: {}", "line 3"),
        ("rows:\n  a: {note: x}\n  a: {note: y}", "line 3: 'a' stands twice"),
        ("rows:\n  a: &a {note: x}\n  b: *a", "line 3: aliases are not used here"),
        ("rows: !!python/object/apply:os.system [true]", "line 1"),
        ("\x00", "not allowed"),
        ("- " * 3000, "mapping.yaml"),
    ],
)
def test_malformed_files(path: Path, text: str, told: str) -> None:
    path.write_text(text)
    with pytest.raises(MappingError, match=told):
        apply_edits(classifier(), path)


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(MappingError, match="There is no file"):
        apply_edits(classifier(), path)
    assert EditFile(path).read() == {}


def test_an_empty_file_has_no_edits(path: Path) -> None:
    path.write_text("")
    assert changes_of(apply_edits(classifier(), path)) == {}


def test_numbers_that_people_write(path: Path) -> None:
    path.write_text(
        "rows:\n  block.re_lu: {target: nn.LeakyReLU, arguments: {negative_slope: 1e-2}}\n"
        "  block.conv2d: {arguments: {padding_mode: zeros, 7: 3}}"
    )
    rows = EditFile(path).read()
    assert rows["block.re_lu"]["arguments"] == {"negative_slope": 0.01}
    assert list(rows["block.conv2d"]["arguments"]) == ["padding_mode", "7"]


# --- two editors ------------------------------------------------------------------------------


class Session:
    """What an editor does: its own mapping and its own view of the file."""

    def __init__(self, path: Path, mapping: Mapping | None = None) -> None:
        self.file = EditFile(path)
        self.mapping = apply_changes(mapping or classifier(), self.file.read()).mapping

    def edit(self, path: str, **changes: Any) -> None:
        """Change a row and save at once."""
        self.mapping = edit_row(self.mapping, path, changes)
        found = self.file.write(self.mapping)
        self._take(found.foreign)

    def pull(self) -> None:
        """Take over what others wrote."""
        self._take(self.file.pull(self.mapping).foreign)

    def _take(self, rows: dict[str, dict[str, Any]]) -> None:
        self.mapping = apply_changes(self.mapping, rows).mapping
        self.file.accept(rows)

    @property
    def notes(self) -> dict[str, str]:
        """Notes of the edited rows."""
        return {path: row.get("note", "") for path, row in changes_of(self.mapping).items() if row}


def test_two_editors_keep_each_others_rows(path: Path) -> None:
    one, two = Session(path), Session(path)
    one.edit("head.fc", note="one")
    two.edit("block.conv2d", note="two")
    assert two.notes == {"head.fc": "one", "block.conv2d": "two"}, "taken over while saving"
    assert one.file.changed
    one.pull()
    assert not one.file.changed
    assert one.notes == two.notes == {"head.fc": "one", "block.conv2d": "two"}


def test_the_last_edit_of_a_row_wins(path: Path) -> None:
    one, two = Session(path), Session(path)
    one.edit("head.fc", note="first")
    two.edit("head.fc", note="second")
    one.edit("block.re_lu", note="other row")
    assert one.notes == {"head.fc": "second", "block.re_lu": "other row"}
    assert Session(path).notes == one.notes


def test_what_was_overwritten_is_told(path: Path) -> None:
    one, two = Session(path), Session(path)
    one.edit("head.fc", note="first")
    two.mapping = edit_row(two.mapping, "head.fc", {"note": "second"})
    found = two.file.write(two.mapping)
    assert found.overwritten == {"head.fc": {"note": "first"}}
    assert found.foreign == {}


def test_a_reset_reaches_the_other_editor(path: Path) -> None:
    one, two = Session(path), Session(path)
    one.edit("head.fc", note="first")
    two.pull()
    two.edit("head.fc", reset=True)
    assert "head.fc" not in yaml.safe_load(path.read_text())["rows"]
    one.edit("block.re_lu", note="x")
    assert one.notes == {"block.re_lu": "x"}


def test_foreign_changes_not_taken_over_yet_are_not_undone(path: Path) -> None:
    one, two = Session(path), Session(path)
    one.edit("head.fc", note="old")
    two.pull()
    two.edit("head.fc", note="new")
    one.file.write(one.mapping)
    one.file.write(one.mapping)
    assert Session(path).notes == {"head.fc": "new"}


def test_a_person_may_edit_the_file(path: Path) -> None:
    one = Session(path)
    one.edit("head.fc", note="by widget")
    path.write_text(path.read_text().replace("by widget", "by hand"))
    assert one.file.changed
    one.pull()
    assert one.notes == {"head.fc": "by hand"}


def test_an_unreadable_file_is_kept_aside(path: Path) -> None:
    one = Session(path)
    one.edit("head.fc", note="mine")
    path.write_text("rows: {half a line")
    with pytest.warns(MappingWarning, match=r"kept as mapping\.yaml\.unreadable-1"):
        one.edit("block.re_lu", note="more")
    assert Session(path).notes == {"head.fc": "mine", "block.re_lu": "more"}
    assert path.with_name("mapping.yaml.unreadable-1").read_text() == "rows: {half a line"


def test_random_sessions_agree_in_the_end(path: Path) -> None:
    random.seed(7)
    sessions = [Session(path) for _ in range(3)]
    rows = [row.path for row in classifier().walk()]
    expected: dict[str, str] = {}
    for number in range(60):
        session, row = random.choice(sessions), random.choice(rows)
        if random.random() < 0.2:
            session.pull()
        note = "" if random.random() < 0.25 else f"note {number}"
        if session.notes.get(row, "") == note:
            continue
        session.edit(row, note=note)
        expected[row] = note
    for session in sessions:
        session.pull()
        assert session.notes == {row: note for row, note in expected.items() if note}


def test_many_writers_lose_nothing(path: Path) -> None:
    rows = [row.path for row in deep(40).walk()]
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            session = Session(path, deep(40))
            for row in rows[number::4]:
                session.edit(row, note=f"by {number}")
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    kept = EditFile(path).read()
    assert {row: kept[row]["note"] for row in rows} == {
        row: f"by {number}" for number in range(4) for row in rows[number::4]
    }
    assert os.listdir(path.parent) == ["mapping.yaml"], "no lock and no temporary file is left"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_reader_never_sees_half_a_file(path: Path) -> None:
    """Killing writers at random moments leaves a whole file each time."""
    Session(path).edit("head.fc", note="first " + "x" * 20000)
    for delay in (0.05, 0.11, 0.23, 0.31):
        child = os.fork()
        if child == 0:
            session = Session(path)
            for number in range(10**6):
                session.edit("head.fc", note=f"{number} " + "x" * 20000)
        threading.Event().wait(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for lock in path.parent.glob(".*.lock"):
            os.utime(lock, (0, 0))
        assert EditFile(path).read()["head.fc"]["note"].endswith("x" * 20000)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MappingError, match="cannot be saved"):
        save_edits(edited(), tmp_path / "file" / "mapping.yaml")


def test_a_link_is_written_through(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text("rows: {}\n")
    real.chmod(0o640)
    path.symlink_to(real)
    save_edits(edited(), path)
    assert path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "head.fc" in real.read_text()
