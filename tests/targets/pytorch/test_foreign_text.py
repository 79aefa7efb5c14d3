"""Whatever a model or a person wrote, generated source holds it as data and computes the same."""

from __future__ import annotations

import ast
import math
import struct
import tokenize
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from tests.small_programs import ProgramMaker, mapped
from workbench.conversion.names import snake
from workbench.core.errors import ConversionError
from workbench.core.identifiers import MODULE_ATTRIBUTES, is_plain
from workbench.core.mapping import Mapping
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.codegen.expressions import literal
from workbench.targets.pytorch.codegen.layout import wrap
from workbench.targets.pytorch.codegen.source import generate
from workbench.targets.pytorch.codegen.text import (
    comment,
    docstring,
    printable,
    quoted,
    variable,
)
from workbench.targets.pytorch.reserved import GRAPH, SOURCE, VARIABLES

#: Names and texts that would run, break out, be folded, or hide something.
NASTY = [
    "x", "𝐱", "ⅹ", "X", "self", "__x", "__init__", "class", "None", "True", "lambda", "torch", "nn",
    "F", "Path", "load", "load_file", "TIED", "Model", "Scope", "layer", "math", "print", "_", "",
    "Modules", "Parameters", "State_dict", "modules", "parameters", "state_dict", "training",
    "forward", "_modules", "graph", "code", "meta", "T_destination", "ops", "operator", "set_item",
    '"""\nraise SystemExit("ran")\n"""', "\nraise SystemExit('ran')", "\rraise SystemExit('ran')",
    "\x0craise SystemExit('ran')", "\u2028raise SystemExit('ran')", "\x85raise SystemExit('ran')",
    "\x0braise SystemExit('ran')", '"); raise SystemExit("ran"); ("', "a\x00b", "\\", '\\"',
    '\\"""',
    "'", '"', "a.b", "a b", "1", "1a", "²", "𐄇", "ﬁ", "İ", "ſ", "é", "e\u0301", "层", "\u202e",
    "\ud800", "# coding: utf-7", "x = self.blocks[0](x)", "return x", "{0}", "%s", "a\tb",
    "\ufeffx", "\u0345", "´", "´´",
]  # fmt: skip

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12), st.text("_aA1.\n\"'\\", max_size=8))
numbers = st.one_of(
    st.floats(-1e30, 1e30), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e-5])
)


def executed(source: str) -> ModuleType:
    made = ModuleType("model")
    made.__file__ = "model.py"
    encoded = source.encode("utf-8")  # what is written is what Python reads
    exec(compile(encoded, "model.py", "exec"), made.__dict__)
    return made


def _model(names: Sequence[str], slopes: Sequence[float]) -> Mapping:
    """Layers, a shared weight, bare parameters, equal blocks and several outputs, named so."""
    make = ProgramMaker()
    x, y = (make.input(name, -1, 4) for name in names[:2])
    kept = [x]
    for number, (first, second) in enumerate(((2, 3), (2, 4), (5, 3), (5, 6))):
        scope = f"/Net/{names[first]}/{names[second]}/"
        inner = f"{scope}{names[7]}/"
        x = make.linear(x, f"{names[8]}{number % 3}", 4, inner)
        x = make.op("pd_op.leaky_relu", {"x": x}, (-1, 4), f"{scope}{names[9]}/",
                    negative_slope=slopes[number % 2])  # fmt: skip
        kept.append(x)
    bare = make.parameter(names[10] or "p", 4)
    x = make.op("pd_op.add", {"x": x, "y": bare}, (-1, 4), f"/Net/{names[11]}/")
    x = make.op("pd_op.multiply", {"x": x, "y": y}, (-1, 4), f"/Net/{names[2]}/")
    return make.mapping(x, kept[2], x)


def _noted(mapping: Mapping, notes: Sequence[str]) -> Mapping:
    rows = [
        replace(row, notes=(notes[number % len(notes)],)) for number, row in enumerate(mapping.rows)
    ]
    return replace(mapping, rows=tuple(rows))


def _agree(mapping: Mapping, header: str) -> str:
    """The source; it must be the module, and nothing else may run."""
    module = build(mapping)
    source = generate(mapping, header)
    written = executed(source)
    model = written.Model().eval()
    state = module.state_dict()
    assert list(model.state_dict()) == list(state)
    model.load_state_dict(state)
    inputs = [torch.randn(2, 4, generator=torch.Generator().manual_seed(n)) for n in (0, 1)]
    for ours, theirs in zip(module(*inputs), model(*inputs), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=0, equal_nan=True)
    return source


@settings(max_examples=60, deadline=None)
@given(
    st.lists(texts, min_size=12, max_size=12),
    st.lists(numbers, min_size=2, max_size=2),
    st.lists(texts, min_size=1, max_size=3),
    texts,
)
def test_source_of_any_names(
    names: list[str], slopes: list[float], notes: list[str], file: str
) -> None:
    header = f"PyTorch model converted from the Paddle program {printable(file)}.\n\nMore."
    _agree(_noted(_model(names, slopes), notes), header)


@pytest.mark.parametrize("name", NASTY)
def test_source_of_one_name_everywhere(name: str) -> None:
    source = _agree(_noted(_model([name] * 12, [math.nan, -0.0]), [name]), name)
    assert "SystemExit" not in {
        node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([n for n in NASTY if n and "." not in n]), min_size=3, max_size=3))
def test_names_of_a_live_model(steps: list[str]) -> None:
    make = ProgramMaker()
    x, y = make.input("x", -1, 4), make.input("y", -1, 4)
    x = make.linear(x, "a", 4)
    x = make.op("pd_op.add", {"x": x, "y": make.parameter("b", 4)}, (-1, 4))
    program = make.program(make.op("pd_op.multiply", {"x": x, "y": y}, (-1, 4)), x)
    structured = {"a.w_0": f"{steps[0]}.{steps[1]}.weight", "b": f"{steps[0]}.{steps[2]}"}

    mapping = mapped(replace(program, structured_names=structured))
    _agree(mapping, "")


@given(texts)
def test_text_is_one_literal_one_comment_one_docstring(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text
    assert len(quoted(text).splitlines()) == 1
    lines = f"{comment(text)}\nx = 1\n"
    kinds = [t.type for t in tokenize.tokenize(BytesIO(lines.encode()).readline)]
    assert kinds.count(tokenize.COMMENT) == 1
    assert len(ast.parse(lines).body) == 1
    (only,) = ast.parse(f"{docstring(text)}\n").body
    assert isinstance(only, ast.Expr)


@given(texts, st.sets(texts))
def test_a_variable_is_a_name_of_its_own(text: str, taken: set[str]) -> None:
    for name in (variable(text, taken), variable(snake(text), taken)):
        assert is_plain(name)
        assert name not in taken
        assert name not in VARIABLES
        (node,) = ast.parse(name).body
        assert node.value.id == name  # type: ignore[attr-defined]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), numbers, texts, st.complex_numbers()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner)),
    max_leaves=6,
)


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("d", value)
    if isinstance(value, complex):
        return _bits(value.real), _bits(value.imag)
    if isinstance(value, (list, tuple)):
        return [type(value), *map(_bits, value)]
    return type(value), value


@given(values, st.integers(0, 90))
def test_a_constant_is_written_as_it_is_and_may_be_wrapped(value: Any, indent: int) -> None:
    line = wrap(f"x = call({literal(value)}, {literal('a' * indent)}, 1)")
    (found,) = (eval(line.removeprefix("x = "), {"call": lambda *a: a})[:1],)
    assert _bits(found[0]) == _bits(value)


@pytest.mark.parametrize("value", [object(), torch.zeros(2), nn.ReLU(), lambda: 1])
def test_what_is_no_constant_is_refused(value: object) -> None:
    with pytest.raises(ConversionError, match="cannot be written"):
        literal(value)


def test_attributes_of_every_module_are_known() -> None:
    found = dir(fx.GraphModule(nn.Module(), fx.Graph()))
    assert {name for name in found if not name.startswith("__")} <= MODULE_ATTRIBUTES


def test_no_variable_hides_a_helper_that_is_imported_late() -> None:
    assert {"box_iou", "greedy_nms", "softmax", "math", "_tie"} <= VARIABLES
    assert SOURCE < VARIABLES
    assert VARIABLES | {"inf", "nan", "device"} > GRAPH
