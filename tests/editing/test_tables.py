"""The mapping as a table."""

from __future__ import annotations

from dataclasses import replace

from tests.small_programs import ProgramMaker, branching, classifier, deep
from workbench.checks.results.checks import Check, LayerCheck, Run
from workbench.checks.results.statistics import ErrorStats
from workbench.checks.results.verification import Verification
from workbench.core.calls import Call, Dtype
from workbench.core.mapping import Mapping
from workbench.editing.listing import COLUMNS, arguments_text, call_text, mapping_frame


def with_call(call: Call) -> tuple[Mapping, str]:
    """A mapping whose relu row has another call."""
    mapping = classifier()
    row = replace(mapping["block.re_lu"], call=call)
    return mapping.with_row(row.path, row), arguments_text(mapping, row)


def test_the_frame_has_a_line_a_row() -> None:
    frame = classifier().frame().set_index("path")
    assert list(classifier().frame().columns) == list(COLUMNS)
    conv = frame.loc["block.conv2d"]
    assert conv["inputs"] == "[?, 3, 8, 8]"
    assert conv["outputs"] == "[?, 4, 8, 8]"
    assert conv["target"] == "nn.Conv2d"
    assert conv["arguments"] == (
        "in_channels=3, out_channels=4, kernel_size=3, padding=1, bias=False"
    )
    assert conv["weights"] == "weight ← conv_0.w_0"
    assert conv["ops"] == "conv2d"
    assert conv["status"] == "converted"
    fc = frame.loc["head.fc"]
    assert fc["weights"] == "weight ← fc.w_0 transposed; bias ← fc.b_0"
    assert fc["rule"].startswith("workbench/sources/paddle/rules/linear.py:")
    assert frame.loc["head.mystery"]["inputs"] == "[?, 4, 8, 8]"
    assert frame.loc["head.mystery"]["target"] == ""
    assert frame.loc["s"]["weights"] == "← s"


def test_arguments_that_equal_torchs_default_are_left_out() -> None:
    x = classifier().program.inputs[0]
    assert with_call(Call("F.gelu", (x,), {"approximate": "none"}))[1] == ""
    assert with_call(Call("F.gelu", (x,), {"approximate": "tanh"}))[1] == "approximate='tanh'"
    call = Call("F.conv2d", (x, x, None), {"stride": (1, 1), "padding": (1, 1), "groups": 1})
    assert with_call(call)[1] == "padding=(1, 1)"


def test_positions_are_named_where_torch_names_them() -> None:
    x = classifier().program.inputs[0]
    assert with_call(Call(".transpose", (x, -1, -2)))[1] == "dim0=-1, dim1=-2"
    assert with_call(Call(".permute", (x, 0, 2, 3, 1)))[1] == "0, 2, 3, 1"
    assert with_call(Call("F.pad", (x, (1, 1, 0, 0))))[1] == "pad=(1, 1, 0, 0)"
    assert with_call(Call("operator.add", (x, 2)))[1] == "b=2"
    dtype = {"dtype": Dtype("int64")}
    assert with_call(Call("torch.tensor", ([1, 2],), dtype))[1] == "[1, 2], dtype=torch.int64"


def test_long_arguments_are_cut() -> None:
    text = with_call(Call("torch.tensor", (list(range(1000)),)))[1]
    assert text.endswith("…")
    assert len(text) < 250


def test_the_source_line() -> None:
    mapping = classifier()
    assert call_text(mapping, mapping["head.fc"]).startswith("nn.Linear(in_features=4")
    assert call_text(mapping, mapping["block_1.relu"]) == "F.relu(x)"
    assert call_text(mapping, mapping["head.mystery"]) == ""


def test_control_flow_and_empty_mappings() -> None:
    frame = branching().frame().set_index("path")
    assert frame.loc["choose"]["inputs"] == "bool [1], [?, 4]"
    make = ProgramMaker()
    assert list(make.mapping(make.input("x", 2)).frame().columns) == list(COLUMNS)


def test_a_verification_adds_its_columns() -> None:
    error = ErrorStats(1e-3, 1e-4, 1.0, 1e-4, 1.0, 3, 10, 7, (1,))
    check = Check("wrong", error, 1e-6)
    layer = LayerCheck("head.fc", ("linear",), "nn.Linear", (1, 4), "float32", check, check)
    told = Verification((Run((), (layer,), ()),))
    frame = mapping_frame(classifier(), told.frame()).set_index("path")
    assert frame.loc["head.fc"]["alone_max_abs"] == 1e-3
    assert frame.loc["head.fc"]["verdict"] == "wrong"
    assert len(frame) == len(classifier())
    assert frame.loc["head.fc"]["target"] == "nn.Linear"


def test_two_thousand_rows_are_quick() -> None:
    import time

    mapping = deep(2000)
    start = time.perf_counter()
    assert len(mapping.frame()) == 2000
    assert time.perf_counter() - start < 2
