"""The editor without a browser: what each message does and what the views are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.notebook.holder import FakeLab
from tests.small_programs import branching, classifier, deep
from workbench.editing.edits import apply_changes, changes_of, edit_row
from workbench.editing.file import EditFile


@pytest.fixture
def lab() -> FakeLab:
    return FakeLab(classifier())


# --- the table --------------------------------------------------------------------------------


def test_ready_sends_the_table_only_when_the_view_has_an_old_one(lab: FakeLab) -> None:
    lab.send("ready", version=-1)
    snapshot = next(told for told in lab.sent if told["type"] == "snapshot")
    assert [row["k"] for row in snapshot["rows"]] == [row.path for row in classifier().walk()]
    lab.send("ready", version=snapshot["version"])
    assert not any(told["type"] == "snapshot" for told in lab.sent)


def test_all_messages_are_json(lab: FakeLab) -> None:
    lab.edit("head.fc", arguments={"bias": {"text": "False"}})
    lab.send("select", key="head.fc")
    assert json.loads(lab.session.snapshot_text())["rows"]
    json.dumps(lab.sent)


def test_unknown_messages_and_rows_do_no_harm(lab: FakeLab) -> None:
    lab.session.handle({"type": "nonsense"})
    lab.session.handle({})
    assert lab.send("select", key="gone")["type"] == "gone"
    assert "there is no row" in lab.edit("gone", note="x")["refused"]["gone"]["message"]
    assert lab.send("suggest", key="gone")["targets"] == []


# --- edits ------------------------------------------------------------------------------------


def test_an_edit_changes_the_mapping_and_tells_the_row(lab: FakeLab) -> None:
    reply = lab.edit("block.conv2d", arguments={"padding_mode": {"text": "reflect"}})
    (row,) = reply["rows"]
    assert row["s"] == "edited"
    assert row["e"] == ["arguments"]
    assert "padding_mode='reflect'" in row["a"]
    assert lab.holder.mapping["block.conv2d"].arguments["padding_mode"] == "reflect"
    assert reply["info"]["undo"] == "arguments of block.conv2d"
    assert reply["info"]["stale"]


@pytest.mark.parametrize(
    ("argument", "text", "value"),
    [
        ("stride", "(2, 2)", (2, 2)),
        ("padding", "same", "same"),
        ("padding", "'same'", "same"),
        ("padding", "1", 1),
        ("padding_mode", "'reflect'", "reflect"),
        ("dilation", "", 1),
        ("stride", "x.shape[0]", None),
        ("stride", "two", None),
        ("stride", "__import__('os')", None),
        ("kernel_size", "", None),
        ("groups", "1.5", None),
    ],
)
def test_typed_arguments(lab: FakeLab, argument: str, text: str, value: Any) -> None:
    reply = lab.edit("block.conv2d", arguments={argument: {"text": text}})
    if value is None:
        assert argument in reply["refused"]["block.conv2d"]["message"] or "input" in str(reply)
        assert lab.holder.mapping is lab.model.mapping
        assert not lab.holder.mapping["block.conv2d"].edited
    else:
        assert lab.holder.mapping["block.conv2d"].arguments[argument] == value


def test_arguments_typed_as_one_line(lab: FakeLab) -> None:
    line = "in_channels=3, out_channels=4, kernel_size=3, padding='same', padding_mode=reflect"
    lab.edit("block.conv2d", arguments_text=f"{line}, bias=False")
    arguments = lab.holder.mapping["block.conv2d"].arguments
    assert arguments["padding"] == "same"
    assert arguments["padding_mode"] == "reflect"
    lab.edit(
        "block.conv2d", arguments_text="in_channels=3, out_channels=4, kernel_size=3, bias=False"
    )
    arguments = lab.holder.mapping["block.conv2d"].arguments
    assert (arguments["padding"], arguments["padding_mode"]) == (0, "zeros"), "torch's defaults"
    for text, told in [
        ("in_channels=3", "needs out_channels"), ("stride=", "not a list of arguments"),
        ("**x", "not a list of arguments"), ("3, 4", "values without a name"),
    ]:  # fmt: skip
        reply = lab.edit("block.conv2d", arguments_text=text)
        assert told in reply["refused"]["block.conv2d"]["message"]


def test_refusals_come_without_the_name_of_the_row(lab: FakeLab) -> None:
    reply = lab.edit("head.fc", target="nn.Liner")
    assert reply["refused"]["head.fc"] == {
        "message": reply["refused"]["head.fc"]["message"],
        "hint": "Did you mean nn.Linear or nn.Bilinear?",
    }
    assert reply["refused"]["head.fc"]["message"].startswith("'nn.Liner' is not")
    assert reply["rows"] == []


def test_a_target_that_needs_arguments_asks_for_them(lab: FakeLab) -> None:
    reply = lab.edit("head.mystery", target="nn.Linear")
    assert reply["missing"] == {"head.mystery": ["in_features", "out_features"]}
    assert not reply["refused"]
    fields = lab.send("form", key="head.mystery", target="nn.Linear")["fields"]
    assert [f["name"] for f in fields if f["required"]] == ["in_features", "out_features"]
    given = {"num_features": {"text": "4"}, "affine": {"text": "False"}}
    reply = lab.edit("head.mystery", target="nn.BatchNorm2d", arguments=given)
    assert reply["weights"] == {"head.mystery": {"running_mean": [4], "running_var": [4]}}
    given["track_running_stats"] = {"text": "False"}
    reply = lab.edit("head.mystery", target="nn.BatchNorm2d", arguments=given)
    assert reply["rows"][0]["s"] == "edited"


def test_resets(lab: FakeLab) -> None:
    lab.edit("head.fc", note="one", arguments={"bias": {"text": "False"}})
    lab.edit("head.fc", arguments={"bias": {"reset": True}})
    assert lab.model.rows["head.fc"].edited == {"note": "one"}
    lab.edit("head.fc", note={"reset": True})
    assert not lab.model.rows["head.fc"].edited
    lab.edit("head.fc", note="two", weights={"weight": {"parameter": "fc.w_0", "steps": []}})
    lab.edit("head.fc", reset=True)
    assert not lab.model.rows["head.fc"].edited


def test_bulk_edits_change_what_fits(lab: FakeLab) -> None:
    keys = ["block.conv2d", "block_1.conv2d", "head.fc"]
    changes = {"arguments": {"padding_mode": {"text": "reflect"}}}
    reply = lab.send("edit", edits=dict.fromkeys(keys, changes))
    assert [row["k"] for row in reply["rows"]] == keys[:2]
    assert list(reply["refused"]) == ["head.fc"]
    assert reply["info"]["undo"] == "arguments of 2 rows"
    lab.send("undo")
    assert not any(row.edited for row in lab.model.rows.values())


def test_apply_to_all_like_this(lab: FakeLab) -> None:
    lab.edit("block.conv2d", arguments={"padding_mode": {"text": "reflect"}}, rename="stem")
    reply = lab.send("same", key="block.conv2d")
    assert reply["notices"] == ["1 of 1 rows changed."]
    assert lab.model.rows["block_1.conv2d"].edited == {"arguments": {"padding_mode": "reflect"}}
    assert lab.send("same", key="s")["notices"] == [
        "This row has no changes that others could take over."
    ]


def test_undo_and_redo(lab: FakeLab) -> None:
    lab.edit("head.fc", note="one")
    lab.edit("head.fc", note="two")
    lab.edit("head.fc", rename="out")
    for wanted in ({"note": "two"}, {"note": "one"}, {}):
        lab.send("undo")
        assert lab.model.rows["head.fc"].edited == wanted
    assert lab.send("undo")["notices"] == ["There is nothing to undo."]
    for wanted in ({"note": "one"}, {"note": "two"}, {"note": "two", "rename": "out"}):
        reply = lab.send("redo")
        assert lab.model.rows["head.fc"].edited == wanted
    assert reply["info"]["redo"] == ""
    lab.send("undo")
    lab.edit("head.fc", note="three")
    assert lab.send("redo")["notices"] == ["There is nothing to redo."]


def test_a_rename_sends_the_whole_table(lab: FakeLab) -> None:
    reply = lab.edit("head.fc", rename="classifier.out")
    snapshot = next(told for told in lab.sent if told["type"] == "snapshot")
    assert {"head.fc": "classifier.out"}.items() <= {
        row["k"]: row["p"] for row in snapshot["rows"]
    }.items()
    assert reply["rows"] == []
    assert lab.sent.index(snapshot) < lab.sent.index(reply), "the table comes before the answer"


def test_swapped_names_stay_apart(lab: FakeLab) -> None:
    edits = {"block.conv2d": {"rename": "block.re_lu"}, "block.re_lu": {"rename": "block.conv2d"}}
    lab.send("edit", edits=edits)
    lab.edit("block.conv2d", note="the convolution")
    assert lab.holder.mapping["block.re_lu"].note.endswith("the convolution")
    assert lab.holder.mapping["block.re_lu"].target == "nn.Conv2d"


# --- details ----------------------------------------------------------------------------------


def test_the_detail_of_a_row(lab: FakeLab) -> None:
    detail = lab.send("select", key="head.fc")["detail"]
    weight = detail["weights"][0]
    assert (weight["parameter"], weight["steps"], weight["final"]) == (
        "fc.w_0",
        ["transposed"],
        [4, 4],
    )
    assert sum(weight["before"]["counts"]) == 16
    assert detail["rule"].startswith("workbench/sources/paddle/rules/linear.py")
    assert "Fully connected" in detail["doc"]
    assert detail["source"] == "nn.Linear(in_features=4, out_features=4)(x)"
    names = {field["name"]: field for field in detail["arguments"]}
    assert names["bias"]["kind"] == "bool"
    assert not names["bias"]["given"]
    assert names["in_features"]["required"]
    assert "dtype" not in names
    assert detail["target"]["suggestions"][0] == "nn.Linear"
    mystery = lab.send("select", key="head.mystery")["detail"]
    assert mystery["reason"] == "there is no rule for pd_op.mystery"
    assert mystery["arguments"] == []


def test_details_of_every_sort_of_row() -> None:
    for mapping in (classifier(), branching()):
        lab = FakeLab(mapping)
        for key in lab.model.rows:
            json.dumps(lab.send("select", key=key))
            lab.send("suggest", key=key)
    assert lab.send("select", key="choose")["detail"]["target"]["fixed"]


def test_selection_is_told_to_listeners(lab: FakeLab) -> None:
    told: list[str] = []
    lab.session.on_select.append(told.append)
    lab.send("select", key="head.fc")
    lab.session.reveal("block.conv2d")
    assert told == ["head.fc"]
    assert lab.sent[-1] == {"type": "reveal", "key": "block.conv2d"}


# --- saving -----------------------------------------------------------------------------------


def test_every_change_is_saved_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    lab = FakeLab(classifier(), path)
    lab.edit("head.fc", note="kept")
    assert yaml.safe_load(path.read_text())["rows"] == {"head.fc": {"note": "kept"}}
    lab.send("undo")
    assert not yaml.safe_load(path.read_text())["rows"]
    lab.edit("head.fc", note="again")
    after = FakeLab(classifier(), path)
    after.model.load()
    assert after.model.rows["head.fc"].edited == {"note": "again"}


def test_two_sessions_see_each_others_changes(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    one, two = FakeLab(classifier(), path), FakeLab(classifier(), path)
    one.edit("head.fc", note="from one")
    two.sent.clear()
    two.session.poll()
    (told,) = [m for m in two.sent if m["type"] == "changed"]
    assert told["rows"][0]["n"].endswith("from one")
    assert told["notices"] == ["1 rows were changed elsewhere and are shown now."]
    two.edit("block.conv2d", arguments={"padding_mode": {"text": "reflect"}})
    two.edit("head.fc", note="from two")
    one.session.poll()
    assert one.model.rows["head.fc"].edited == {"note": "from two"}
    assert one.model.rows["block.conv2d"].status == "edited"
    one.sent.clear()
    one.session.poll()
    assert one.sent == [], "nothing new, nothing sent"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lab = FakeLab(classifier(), tmp_path / "file" / "mapping.yaml")
    reply = lab.edit("head.fc", note="x")
    assert "cannot be saved" in reply["notices"][0]
    assert reply["info"]["saved"] is False
    assert lab.model.rows["head.fc"].edited == {"note": "x"}, "the edit itself is kept"


def test_a_broken_file_does_not_stop_the_editor(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("rows: {head.fc: {target: nn.Nope}, gone: {note: x}}")
    lab = FakeLab(classifier(), path)
    told = lab.model.load().notices
    assert any("saved edit of head.fc does not fit" in text for text in told)
    assert any("that this model does not have: gone" in text for text in told)
    path.write_text("rows: {{{")
    assert "mapping.yaml" in FakeLab(classifier(), path).model.load().notices[0]


def test_edits_from_a_cell_and_new_rules(tmp_path: Path) -> None:
    lab = FakeLab(classifier(), tmp_path / "mapping.yaml")
    lab.edit("block.re_lu", note="mine")
    lab.holder.mapping = edit_row(lab.holder.mapping, "head.fc", {"note": "from a cell"})
    lab.sent.clear()
    lab.session.poll()
    assert lab.sent[-1]["rows"][0]["k"] == "head.fc"
    edits = changes_of(lab.holder.mapping)
    lab.holder.mapping = apply_changes(classifier(), edits).mapping  # as a new rule does
    lab.session.poll()
    assert lab.holder.mapping["block.re_lu"].edited == {"note": "mine"}
    assert lab.holder.mapping["head.fc"].edited == {"note": "from a cell"}
    assert set(EditFile(tmp_path / "mapping.yaml").read()) == {"block.re_lu", "head.fc"}


def test_a_cell_that_goes_back_to_an_older_mapping_is_followed(tmp_path: Path) -> None:
    lab = FakeLab(classifier(), tmp_path / "mapping.yaml")
    older = lab.holder.mapping
    lab.edit("block.re_lu", target="nn.SiLU")
    lab.holder.mapping = older
    lab.session.poll()
    assert lab.holder.mapping["block.re_lu"].target == "nn.ReLU"
    assert EditFile(tmp_path / "mapping.yaml").read() == {}
    lab.session.poll()
    assert lab.session.info()["undo"] == "what a cell did"
    lab.send("undo")
    assert lab.holder.mapping["block.re_lu"].target == "nn.SiLU"
    assert set(EditFile(tmp_path / "mapping.yaml").read()) == {"block.re_lu"}


# --- size -------------------------------------------------------------------------------------


def test_two_thousand_rows_stay_small_and_one_edit_sends_one_row() -> None:
    lab = FakeLab(deep(2000))
    assert len(lab.session.snapshot_text()) < 2 << 20
    key = list(lab.model.rows)[1000]
    assert len(lab.edit(key, note="x")["rows"]) == 1
