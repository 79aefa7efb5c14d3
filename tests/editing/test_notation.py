"""Arguments as text: they read back, they are never evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.small_programs import ProgramMaker, classifier
from workbench.core.calls import Call, Dtype
from workbench.core.errors import MappingError
from workbench.core.integers import Dim, Item, int_op
from workbench.core.values import Value
from workbench.editing.names import Names
from workbench.editing.notation import decode, encode, parse, show

MAKE = ProgramMaker()
X = MAKE.input("image", -1, 3, 8, 8)
IDS = MAKE.input("ids", 4, dtype="int64")
SUM = MAKE.op(
    "pd_op.mystery", {"x": X, "input": IDS, "pair": (X, IDS), "none": None}, (-1, 3, 8, 8), "/Net/"
)
MAPPING = MAKE.mapping(SUM)
NAMES = Names(MAPPING, MAPPING.rows[-1])
OTHER = Names(classifier(), classifier()["head.fc"])

SIGNS = ["+", "-", "*", "min", "max", "<"]

values = st.sampled_from([X, IDS])
ints: Any = st.recursive(
    st.integers(-9, 9) | st.builds(Dim, st.just(X), st.integers(0, 3))
    | st.builds(Item, st.just(IDS), st.integers(0, 3)),
    lambda inner: st.builds(int_op, st.sampled_from(SIGNS), inner, inner),
    max_leaves=5,
)  # fmt: skip
plain: Any = (
    st.none() | st.booleans() | st.integers() | st.floats(width=32, allow_nan=False)
    | st.text(max_size=8) | st.sampled_from([Dtype("float16"), Dtype("int64"), Dtype("bool")])
)  # fmt: skip
arguments: Any = st.recursive(
    plain | ints | values,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3)
        | st.builds(
            Call, st.sampled_from(["torch.add", "F.relu"]), st.lists(inner, max_size=2).map(tuple)
        )
        | st.builds(lambda v, i: Call("operator.add", (v, i)), values, inner)
        | st.builds(lambda v, i: Call(".reshape", (v, i)), values, inner)
    ),
    max_leaves=6,
)


@given(arguments)
def test_texts_read_back(argument: Any) -> None:
    text = show(argument, NAMES)
    assert show(parse(text, NAMES), NAMES) == text


@given(plain | ints | values)
def test_simple_arguments_come_back_equal(argument: Any) -> None:
    text = show(argument, NAMES)
    found = parse(text, NAMES)
    assert found == argument or np.float32(found) == np.float32(argument)


@given(arguments)
def test_what_files_keep_reads_back(argument: Any) -> None:
    kept = encode(argument, NAMES)
    assert encode(decode(kept, NAMES), NAMES) == kept


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x.shape[0]*2", "x.shape[0] * 2"),
        ("(x.shape[0] + 1) * 2", "(x.shape[0] + 1) * 2"),
        ("int(input[3])", "int(input[3])"),
        ("int(input)", "int(input[0])"),
        ("pair[1]", "input"),
        ('input["image"]', "x"),
        ("input[0]", "input[0]"),
        ("x[:, 1:2, ..., -1]", "x[:, 1:2, ..., -1]"),
        ("x[None]", "x[None]"),
        ("-x", "-x"),
        ("x + 1", "x + 1"),
        ("x @ x.transpose(-1, -2)", "x @ x.transpose(-1, -2)"),
        ("fn.pad_same(x, kernel_size=(3, 3), stride=(1, 1))",) * 2,
        ("max(x.shape[2], 1)", "max(x.shape[2], 1)"),
        ("torch.bfloat16", "torch.bfloat16"),
        ("[1, (2,), 'a', None, True, 1e-05]", "[1, (2,), 'a', None, True, 1e-05]"),
        ("2 ** 3 - 7 // 2", "5"),
        ("(inf, nan, -inf)", "(inf, nan, -inf)"),
    ],
)
def test_forms(text: str, shown: str) -> None:
    assert show(parse(text, NAMES), NAMES) == shown


def test_values_of_other_rows_are_named_by_path() -> None:
    mapping = classifier()
    value = mapping["block.conv2d"].values[0]
    assert OTHER.text(value) == 'row["block.conv2d"]'
    assert OTHER.text(mapping.program.inputs[0]) == 'input["image"]'
    assert OTHER.text(mapping["s"].values[0]) == 'parameter["s"]'
    assert OTHER.text(Value(999, (), "int64")) == "value[999]"
    assert isinstance(parse('row["block.conv2d"]', OTHER), Value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "x.__class__", "(lambda: 1)()", "[i for i in x]",
        "torch.os.system('true')", "torch.load('f')", "x.numpy()", "operator.call(x)", "open('f')",
        "f'{x}'", "x := 1", "x.shape", "x.shape[9]", "y", "row['nope']", "1 if x else 2", "x and x",
        "not x", "**x", "F.relu(**x)", "9**9**9", "2**10000", "1 // 0", "'a' + 1", "1 < 2 < 3",
        "b'x'", "1j", "", "(", "int(x, y)", "pair[7]", "-" * 9000 + "1", "(" * 500 + ")" * 500,
    ],
)  # fmt: skip
def test_refusals(text: str) -> None:
    with pytest.raises((ValueError, MappingError)):
        parse(text, NAMES)


@pytest.mark.parametrize("text", ["x << 2", "~x", "x & input", "x[..., 0]", "(x ** 2) * (-1)"])
def test_operators_are_written_as_such(text: str) -> None:
    assert show(parse(text, NAMES), NAMES) == text


@pytest.mark.parametrize("text", ["1 & 2", "1 << 3", "x.shape[0] / 2", "x.shape[0] ** 2"])
def test_operators_that_numbers_do_not_have(text: str) -> None:
    with pytest.raises(ValueError, match=r"tensor|whole numbers"):
        parse(text, NAMES)
