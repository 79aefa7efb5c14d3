"""Edits of rows: what they change, what they refuse, and that the result builds and runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.small_programs import ProgramMaker, branching, classifier
from workbench.core.calls import Call, Layer, Weight
from workbench.core.errors import MappingError
from workbench.core.integers import Dim
from workbench.core.mapping import Mapping
from workbench.editing.edits import Edited, changes_of, edit_row, edit_rows, original_of
from workbench.targets.pytorch.builder import build

MYSTERY = "head.mystery"


@pytest.fixture
def mapping() -> Mapping:
    return classifier()


def refused(mapping: Mapping, path: str, **changes: Any) -> str:
    """The message with which an edit is refused."""
    with pytest.raises(MappingError) as caught:
        edit_row(mapping, path, changes)
    return str(caught.value)


def test_arguments_of_a_layer(mapping: Mapping) -> None:
    edited = edit_row(mapping, "block.conv2d", {"arguments": {"padding_mode": "reflect"}})
    row = edited["block.conv2d"]
    assert row.arguments["padding_mode"] == "reflect"
    assert row.status == "edited"
    assert row.edited == {"arguments": {"padding_mode": "reflect"}}
    assert mapping["block.conv2d"].status == "converted", "the first mapping is unchanged"
    assert original_of(row) is mapping["block.conv2d"]


def test_lists_become_tuples(mapping: Mapping) -> None:
    edited = edit_row(
        mapping, "block.conv2d", {"arguments": {"dilation": [1, 2], "padding": (1, 2)}}
    )
    assert edited["block.conv2d"].arguments["dilation"] == (1, 2)
    assert edited["block.conv2d"].edited == {"arguments": {"dilation": [1, 2], "padding": [1, 2]}}


def test_a_value_like_the_rules_is_no_edit(mapping: Mapping) -> None:
    edited = edit_row(mapping, "block.conv2d", {"arguments": {"stride": 2}})
    again = edit_row(edited, "block.conv2d", {"arguments": {"stride": 1}})
    assert again["block.conv2d"] == mapping["block.conv2d"]
    assert isinstance(again["block.conv2d"].edited, Edited)


def test_changes_gather_and_are_taken_back(mapping: Mapping) -> None:
    path = "block.conv2d"
    edited = edit_row(mapping, path, {"arguments": {"padding_mode": "reflect", "groups": 1}})
    edited = edit_row(edited, path, {"note": "edge pixels matter"})
    assert edited[path].edited == {
        "arguments": {"padding_mode": "reflect"}, "note": "edge pixels matter",
    }  # fmt: skip
    assert edited[path].notes == ("edge pixels matter",)
    edited = edit_row(edited, path, {"arguments": {"padding_mode": ...}, "note": ...})
    assert edited[path] == mapping[path]


def test_reset(mapping: Mapping) -> None:
    edited = edit_row(mapping, "head.fc", {"target": "nn.Identity", "note": "off"})
    edited = edit_row(edited, "head.fc", {"reset": True})
    assert edited["head.fc"] == mapping["head.fc"]
    edited = edit_row(edited, "head.fc", {"reset": True, "note": "on"})
    assert edited["head.fc"].edited == {"note": "on"}


@pytest.mark.parametrize(
    ("path", "changes", "told"),
    [
        ("block.conv", {"note": "x"}, "Did you mean 'block.conv2d'"),
        ("block.conv2d", {"argumets": {}}, "unknown change 'argumets'"),
        ("block.conv2d", {"arguments": {"kernal_size": 5}}, "did you mean 'kernel_size'"),
        ("block.conv2d", {"arguments": {"stride": "two"}}, "stride takes an integer or a list"),
        ("block.conv2d", {"arguments": {"stride": (1, 2, 3)}}, "stride takes 2 elements, not 3"),
        ("block.conv2d", {"arguments": {"padding_mode": "mirror"}}, "one of zeros, reflect"),
        ("block.conv2d", {"arguments": {"out_channels": 5}}, "weight of nn.Conv2d is (5, 3, 3, 3)"),
        ("block.conv2d", {"arguments": {"groups": 2}}, "in_channels must be divisible by groups"),
        ("block.conv2d", {"arguments": 3}, "arguments is a dictionary"),
        ("block.conv2d", {"target": "nn.Conv9d"}, "Did you mean nn.Conv"),
        ("block.conv2d", {"target": "torch.os.system"}, "is not a module or tensor function"),
        ("block.conv2d", {"target": ""}, "a target is a text"),
        ("block.conv2d", {"target": "nn.Linear"}, "nn.Linear needs in_features, out_features"),
        ("block.conv2d", {"weights": {"bias": []}}, "no stored weight 'bias' yet; it has weight"),
        ("block.conv2d", {"weights": {"weight": ["transposed"]}}, "only a matrix"),
        ("block.conv2d", {"weights": {"weight": ["transpoze"]}}, "did you mean 'transposed'"),
        ("block.re_lu", {"weights": {"weight": []}}, "nn.ReLU has no stored weight 'weight'"),
        ("block_1.relu", {"weights": {"weight": []}}, "F.relu has no weights"),
        ("head.fc", {"weights": {"weight": {"parameter": "fc.w_9", "steps": []}}}, "'fc.w_0'"),
        (MYSTERY, {"arguments": {"dim": 1}}, "the row has no target yet"),
        (MYSTERY, {"target": "nn.Bilinear"}, "needs in1_features"),
        ("block.re_lu", {"rename": "head.fc"}, "taken by another row"),
        ("block.re_lu", {"rename": "head.fc.act"}, "would lie inside 'head.fc'"),
        ("block.re_lu", {"rename": "block"}, "'block.conv2d' lies inside it"),
        ("block.re_lu", {"rename": "block.re-lu"}, "is not a module path"),
        ("block.re_lu", {"rename": "block.class"}, "is a word of Python"),
        ("block.re_lu", {"rename": "block.forward"}, "is an attribute of every module"),
        ("s", {"target": "nn.Linear"}, "nn.Parameter or buffer"),
        ("s", {"weights": {"": ["reshaped 2 2"]}}, "the model reads a tensor (4,)"),
        ("s", {"arguments": {"dim": 1}}, "takes no arguments"),
    ],
)  # fmt: skip
def test_refusals(mapping: Mapping, path: str, changes: dict[str, Any], told: str) -> None:
    assert told in refused(mapping, path, **changes)


def test_a_shape_error_names_the_step_that_would_fit() -> None:
    make = ProgramMaker()
    x = make.linear(make.input("x", -1, 3), "fc", 5, "/Net/FC/")
    told = refused(make.mapping(x), "fc", weights={"weight": []})
    assert "weight of nn.Linear is (5, 3), but the weight steps give (3, 5)" in told
    assert "'transposed' as the last step would give (5, 3)" in told


def test_all_or_nothing(mapping: Mapping) -> None:
    edits = {"block.conv2d": {"note": "fine"}, "head.fc": {"target": "nn.Nope"}, "gone": {}}
    with pytest.raises(MappingError) as caught:
        edit_rows(mapping, edits)
    assert "2 edits do not fit" in str(caught.value)
    assert "head.fc: 'nn.Nope'" in str(caught.value)
    assert "there is no row 'gone'" in str(caught.value)


# --- targets ----------------------------------------------------------------------------------


def test_layer_to_layer_keeps_what_fits(mapping: Mapping) -> None:
    edited = edit_row(mapping, "block.conv2d", {"target": "nn.Identity"})
    row = edited["block.conv2d"]
    assert row.target == "nn.Identity"
    assert row.arguments == {}
    assert row.weights == {}
    assert any("weight left out" in note for note in row.notes)
    assert any("without in_channels" in note for note in row.notes)


def test_layer_to_function_and_back(mapping: Mapping) -> None:
    edited = edit_row(mapping, "block.re_lu", {"target": "F.leaky_relu"})
    edited = edit_row(edited, "block.re_lu", {"arguments": {"negative_slope": 0.2}})
    call = edited["block.re_lu"].call
    assert isinstance(call, Call)
    assert call.args == mapping["block.re_lu"].call.args  # type: ignore[union-attr]
    assert call.kwargs == {"negative_slope": 0.2}
    edited = edit_row(edited, "block.re_lu", {"target": "nn.LeakyReLU"})
    assert edited["block.re_lu"].arguments == {"negative_slope": 0.2}
    edited = edit_row(edited, "block.re_lu", {"target": "nn.ReLU"})
    assert edited["block.re_lu"] == mapping["block.re_lu"], "the slope does not fit nn.ReLU"


def test_unsupported_row_as_a_layer_with_a_weight(mapping: Mapping) -> None:
    edited = edit_row(mapping, MYSTERY, {"target": "nn.PReLU", "arguments": {"num_parameters": 4}})
    row = edited[MYSTERY]
    assert row.status == "edited"
    assert row.weights["weight"].parameter == "s"
    assert isinstance(row.call, Layer)
    assert [value.dtype for value in row.call.args] == ["float32"]
    assert not edited.unsupported


def test_unsupported_row_as_a_function_takes_all_inputs(mapping: Mapping) -> None:
    edited = edit_row(mapping, MYSTERY, {"target": "F.prelu"})
    call = edited[MYSTERY].call
    assert isinstance(call, Call)
    assert [value.parameter for value in call.args] == ["", "s"]


def test_parameter_rows_come_and_go_with_the_edit() -> None:
    make = ProgramMaker()
    x = make.linear(make.input("x", -1, 4), "fc", 4, "/Net/FC/")
    mapping = make.mapping(x)
    assert len(mapping) == 1
    edits = {"target": "torch.matmul", "arguments": {"other": '=parameter["fc.w_0"]'}}
    with pytest.raises(MappingError, match="there is no parameter"):
        edit_row(mapping, "fc", edits)
    edited = edit_row(mapping, "fc", {"target": "F.linear", "arguments": {"weight": "=weight.t()"}})
    assert [row.path for row in edited.walk()] == ["fc_w_0", "fc"]
    module = build(edited)
    given = torch.randn(2, 4)
    weight = torch.from_numpy(mapping.program.parameters["fc.w_0"].data)
    torch.testing.assert_close(module(given), given @ weight)
    assert len(edit_row(edited, "fc", {"reset": True})) == 1


def test_expressions_of_the_inputs(mapping: Mapping) -> None:
    edited = edit_row(mapping, MYSTERY, {"target": ".reshape"})
    edited = edit_row(edited, MYSTERY, {"arguments": {"1": "=(x.shape[0], -1)"}})
    call = edited[MYSTERY].call
    assert isinstance(call, Call)
    (batch, rest) = call.args[1]
    assert isinstance(batch, Dim)
    assert rest == -1


def test_values_of_later_rows_are_refused(mapping: Mapping) -> None:
    told = refused(
        mapping, "block.re_lu", target="torch.add", arguments={"other": '=row["head.fc"]'}
    )
    assert "not made before this row" in told
    edited = edit_row(
        mapping,
        "block_1.relu",
        {"target": "torch.add", "arguments": {"other": '=row["block.re_lu"]'}},
    )
    assert len(set(edited["block_1.relu"].reads)) == 2


def test_an_edit_inside_other_calls_keeps_them() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 6, 6, 3)
    weight = make.parameter("w", 4, 3, 3, 3)
    x = make.op(
        "pd_op.conv2d", {"input": x, "filter": weight}, (-1, 6, 6, 4), "/Net/Conv2D/",
        strides=(1, 1), paddings=(1, 1), data_format="NHWC",
    )  # fmt: skip
    mapping = make.mapping(x)
    path = next(row.path for row in mapping.walk())
    edited = edit_row(mapping, path, {"arguments": {"padding_mode": "reflect"}})
    assert edited[path].layer.arguments["padding_mode"] == "reflect"  # type: ignore[union-attr]
    assert tuple(build(edited)(torch.zeros(1, 6, 6, 3)).shape) == (1, 6, 6, 4)


# --- weights ----------------------------------------------------------------------------------


def test_weight_steps_change_the_weight(mapping: Mapping) -> None:
    edited = edit_row(mapping, "head.fc", {"weights": {"weight": []}})
    assert edited["head.fc"].weights["weight"].steps == ()
    assert edited["head.fc"].edited == {"weights": {"weight": []}}
    back = edit_row(edited, "head.fc", {"weights": {"weight": "transposed"}})
    assert back["head.fc"] == mapping["head.fc"]


def test_a_weight_object_and_another_parameter(mapping: Mapping) -> None:
    other = Weight("s", (4,), "float32")
    edited = edit_row(mapping, "head.fc", {"weights": {"bias": other}})
    assert edited["head.fc"].edited == {"weights": {"bias": {"parameter": "s", "steps": []}}}
    assert edited["head.fc"].weights["bias"].parameter == "s"


def test_bias_off_leaves_the_bias_out_and_says_so(mapping: Mapping) -> None:
    edited = edit_row(mapping, "head.fc", {"arguments": {"bias": False}})
    assert list(edited["head.fc"].weights) == ["weight"]
    assert "bias left out: nn.Linear has none" in edited["head.fc"].notes


def test_parameter_row_as_buffer(mapping: Mapping) -> None:
    edited = edit_row(mapping, "s", {"target": "buffer", "rename": "head.scale"})
    assert edited["head.scale"].target == "buffer"
    assert edited["head.scale"].edited == {"target": "buffer", "rename": "head.scale"}


# --- names ------------------------------------------------------------------------------------


def test_rename_and_the_way_back(mapping: Mapping) -> None:
    edited = edit_row(mapping, "head.fc", {"rename": "classifier"})
    assert edited["classifier"].edited == {"rename": "classifier"}
    with pytest.raises(KeyError):
        edited["head.fc"]
    edited = edit_row(edited, "classifier", {"rename": "classifier.out"})
    edited = edit_row(edited, "head.fc", {"note": "found by its first path too"})
    assert edited["classifier.out"].note.endswith("first path too")
    assert changes_of(edited)["head.fc"]["rename"] == "classifier.out"
    edited = edit_row(edited, "classifier.out", {"rename": "head.fc"})
    assert edited["head.fc"].edited == {"note": "found by its first path too"}


def test_names_can_be_swapped_at_once(mapping: Mapping) -> None:
    edited = edit_rows(
        mapping,
        {"block.conv2d": {"rename": "block.re_lu"}, "block.re_lu": {"rename": "block.conv2d"}},
    )
    assert edited["block.re_lu"].target == "nn.Conv2d"
    assert edited["block.conv2d"].target == "nn.ReLU"


def test_references_keep_their_meaning_after_a_rename(mapping: Mapping) -> None:
    edited = edit_row(mapping, "block.re_lu", {"rename": "block.act"})
    added = {"target": "torch.add", "arguments": {"other": '=row["block.re_lu"]'}}
    edited = edit_row(edited, "block_1.relu", added)
    assert edited["block.act"].values[0] in edited["block_1.relu"].reads


# --- control flow -----------------------------------------------------------------------------


def test_rows_inside_a_branch(mapping: Mapping) -> None:
    path = "choose.then_branch.relu"
    edited = edit_row(branching(), path, {"target": "F.gelu", "rename": "choose.then_branch.act"})
    assert edited["choose.then_branch.act"].target == "F.gelu"
    module = build(edited)
    given = torch.randn(2, 4)
    hidden = module.get_submodule("fc")(given)
    torch.testing.assert_close(
        module(given, torch.tensor([True])), torch.nn.functional.gelu(hidden)
    )
    told = refused(branching(), path, rename="act")
    assert "its path must begin with 'choose.then_branch.'" in told
    assert "not made before" in refused(
        branching(), path, target="torch.add",
        arguments={"other": '=row["choose.else_branch.sigmoid"]'},
    )  # fmt: skip


def test_an_if_keeps_its_target_and_name() -> None:
    assert "keeps its target" in refused(branching(), "choose", target="torch.add")
    assert "keeps its name" in refused(branching(), "choose", rename="decide")
    edited = edit_row(branching(), "choose", {"note": "mode switch"})
    edited = edit_row(edited, "choose.else_branch.sigmoid", {"note": "inner"})
    assert edited["choose"].note == "mode switch"
    edited = edit_row(edited, "choose", {"note": "again"})
    assert edited["choose.else_branch.sigmoid"].note == "inner", "inner edits stay"


# --- the result -------------------------------------------------------------------------------


def test_the_edited_model_builds_and_runs(mapping: Mapping) -> None:
    edited = edit_rows(
        mapping,
        {
            MYSTERY: {"target": ".mean", "arguments": {"dim": [2, 3]}},
            "block.re_lu": {"target": "F.gelu", "arguments": {"approximate": "tanh"}},
            "block.conv2d": {"rename": "stem", "arguments": {"padding_mode": "circular"}},
            "head.fc": {"weights": {"weight": []}, "rename": "head.out"},
        },
    )
    call = edited[MYSTERY].call
    assert isinstance(call, Call)
    assert call.kwargs == {"dim": (2, 3)}
    assert len(call.args) == 1, "the stored scale is no argument of mean"
    module = build(edited)
    images = torch.randn(2, 3, 8, 8)
    weight = torch.from_numpy(mapping.program.parameters["fc.w_0"].data)
    torch.testing.assert_close(module.get_parameter("head.out.weight").detach(), weight)
    assert module.get_submodule("stem").padding_mode == "circular"
    assert tuple(module(images).shape) == (2, 4)
