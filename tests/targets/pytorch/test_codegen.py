"""Generated source: it equals the module bit for bit, and reads like a person's."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest
import torch

import workbench as wb
from tests.conftest import SAMPLES
from workbench.checks.values.inputs import sample_inputs
from workbench.core.calls import Call
from workbench.core.values import Value
from workbench.targets.pytorch.codegen.expressions import Expressions, literal
from workbench.targets.pytorch.codegen.layout import LIMIT, wrap
from workbench.targets.pytorch.codegen.source import generate
from workbench.targets.pytorch.weights import as_tensor


def execute(source: str, folder: Path) -> ModuleType:
    """The generated source as a module."""
    module = ModuleType("generated")
    module.__file__ = str(folder / "model.py")
    exec(compile(source, "model.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", SAMPLES)
def test_source_equals_the_module_bit_for_bit(name: str, data: Path, tmp_path: Path) -> None:
    with wb.load(data / name) as migration:
        module = migration.convert()
        source = generate(migration.mapping, "test")
        generated = execute(source, tmp_path).Model().eval()
        generated.load_state_dict(module.state_dict(), assign=True, strict=True)
        for run in (0, 1):
            arrays = sample_inputs(migration.program, run)
            values = zip(arrays, migration.program.inputs, strict=True)
            inputs = [as_tensor(array, value.dtype) for array, value in values]
            with torch.no_grad():
                ours, theirs = module(*inputs), generated(*inputs)
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", SAMPLES)
def test_source_is_tidy(name: str, data: Path) -> None:
    with wb.load(data / name) as migration:
        source = generate(migration.mapping, "test")
    ast.parse(source)
    assert all(
        len(line) <= LIMIT for line in source.splitlines() if not line.lstrip().startswith("#")
    )
    assert "e-06" not in source
    assert "999999" not in source


def test_source_is_the_same_every_time(data: Path) -> None:
    texts = []
    for _ in range(2):
        with wb.load(data / "digits_classifier") as migration:
            texts.append(generate(migration.mapping, "test"))
    assert texts[0] == texts[1]


def test_blocks_of_one_kind_share_a_class(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        source = generate(migration.mapping, "test")
    assert source.count("class SqueezeExcitation") == 1
    assert "self.squeeze_excitation = SqueezeExcitation(" in source
    assert "x = self.sequential(x)" in source
    assert "nn.Conv2d(in_channels, out_channels, " in source


def write(call: Call) -> str:
    names = {1: "a", 2: "b", 3: "c"}
    return Expressions(lambda value: names[value.id], lambda _: "self.layer").write(call)


A, B, C = (Value(number, (2,), "float32") for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("operator.add", (A, Call("operator.mul", (B, C)))), "a + b * c"),
        (Call("operator.mul", (Call("operator.add", (A, B)), C)), "(a + b) * c"),
        (Call("operator.sub", (A, Call("operator.sub", (B, C)))), "a - (b - c)"),
        (Call("operator.sub", (Call("operator.sub", (A, B)), C)), "a - b - c"),
        (Call("operator.pow", (Call("operator.neg", (A,)), 2)), "(-a) ** 2"),
        (Call("operator.neg", (Call("operator.add", (A, B)),)), "-(a + b)"),
        (Call("operator.pow", (Call("operator.pow", (A, 2)), 3)), "(a ** 2) ** 3"),
        (Call("operator.lt", (Call("operator.lt", (A, B)), C)), "(a < b) < c"),
        (Call("operator.mul", (A, -1)), "a * -1"),
        (Call(".sum", (Call("operator.add", (A, B)), 1), {"keepdim": True}),
         "(a + b).sum(1, keepdim=True)"),
        (Call("operator.getitem", (A, (slice(None), slice(1, None), None, 0))),
         "a[:, 1:, None, 0]"),
        (Call("torch.cat", ((A, B),), {"dim": -1}), "torch.cat((a, b), dim=-1)"),
        (Call("operator.and_", (Call("operator.gt", (A, 0)), B)), "(a > 0) & b"),
    ],
)  # fmt: skip
def test_expressions_have_the_brackets_they_need(call: Call, text: str) -> None:
    assert write(call) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (0.1, "0.1"),
        (float("inf"), 'float("inf")'),
        ((1,), "(1,)"),
        ('say "hi"', '"say \\"hi\\""'),
        (1e30, "1e+30"),
    ],
)
def test_literals(value: object, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize(
    "line",
    [
        "x = call(" + ", ".join(f"argument_{n}=({n}, {n})" for n in range(12)) + ")",
        "x = call(0 - (" + " + ".join(f"function({n}, argument)" for n in range(4)) + "), 1)",
        "x = call((" + "name" * 21 + ",), argument)",
    ],
)
def test_long_lines_are_broken_and_mean_the_same(line: str) -> None:
    broken = wrap(line)
    assert all(len(part) <= LIMIT for part in broken.splitlines())
    assert ast.dump(ast.parse(broken)) == ast.dump(ast.parse(line))
