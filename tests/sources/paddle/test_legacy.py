"""Programs in Paddle 2's format: what Paddle's translation makes of them is converted correctly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, case, f32, i64, values
from tests.oracle.check import check
from tests.single_operator import convert
from workbench.sources.paddle.client.environment import LEGACY
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.files.pdiparams import write_tensors
from workbench.sources.paddle.runtime import PaddleRuntime

X = f32("B", 3)
IMAGE = f32("B", 3, "H", "W")
COUNT = "i = paddle.zeros([1], 'int64')\ny = x\nwhile i < n:\n"
EACH = "for i in range(x.shape[0]):\n"


def branch(expression: str, setup: str, **layers: str) -> list[Case]:
    """The same function with a condition that holds and one that does not."""
    return [
        case("if", expression, x=X, n=values([number], "int64"), setup=setup, **layers)
        for number in (3, 0)
    ]


CASES = [
    *branch("y", "if n > 0:\n    y = x + 1\nelse:\n    y = x - 1"),
    *branch("y", "y = x * 2\nif n > 0:\n    y = fc(x)", fc="nn.Linear(3, 3)"),
    *branch("y, z", "y = z = x\nif n > 0:\n    y = x + 1\nelse:\n    z = x * 2"),
    *branch("y", "y = x\nif n > 0:\n    if n > 2:\n        y = x * 2\n    else:\n        y = x * "
         "3\n"
            "else:\n    y = x - 1"),
    *branch("y", "y = x + 1\nif n > 0:\n    y[0] = 5.0"),
    *branch("y", "y = paddle.static.nn.cond(n > 0, lambda: x * 2, lambda: x - 1)"),
    *branch("y", "y = x\n" + EACH + "    if n > i:\n        y = y + x[i]\n    else:\n        y = "
         "y * 2"),
    case("while", "y", x=X, n=values([3], "int64"), setup=COUNT + "    y = y * 2\n    i = i + 1"),
    case("while", "y, i", x=X, n=values([0], "int64"),
         setup=COUNT + "    y = paddle.concat([y, x])\n    i += 1"),
    case("while", "y", x=X, n=values([2], "int64"), fc="nn.Linear(3, 3)",
         setup=COUNT + "    y = F.relu(fc(y)) + x\n    i += 1"),
    case("while", "i, y", x=X, setup="i, y = paddle.static.nn.while_loop(lambda i, v: i < 3, "
         "lambda i, v: [i + 1, v * 2], [paddle.zeros([1], 'int64'), x])"),
    case("while", "y", x=X, setup="y = x\n" + EACH + "    for j in range(3):\n        y = y + "
         "x[i, j]"),
    case("while create_array", "paddle.stack(a)", x=X,
         setup="a = []\n" + EACH + "    a.append(x[i] * 2)"),
    case("while slice_array_dense", "a[0] + a[-1]", x=X,
         setup="a = []\n" + EACH + "    a.append(x[i] * 2)"),
    case("set_value", "y", x=X, setup="y = x + 1\ny[0] = 5.0\ny[:, 1:] = x[:, :2]\ny[-1, ::2] = 3"),
    case("set_value", "y", x=X, setup="y = x + 1\ny[:, None, 1] = 0.5"),
    case("slice", "x[:, :, 1:x.shape[2] // 2, n:]", x=IMAGE, n=values(1, "int64")),
    case("strided_slice", "x[:, ::-1, :, ::2]", x=IMAGE),
    case("split", "paddle.split(x, 3, 1)[1], paddle.split(x, [1, -1], 1)", x=X),
    case("gather_nd", "x[paddle.to_tensor([1, 0])], x[x > 0]", x=X),
    case("embedding", "table(i)", i=i64("B", "T"), table="nn.Embedding(5, 4, padding_idx=2)"),
    case("subtract", "y - x * 2", y=X, x=X),
]  # fmt: skip


@pytest.fixture(scope="module")
def exporter() -> Iterator[PaddleProcess]:
    """The oracle, writing Paddle 2's format."""
    with PaddleProcess("tests.oracle.legacy", LEGACY, timeout=120) as process:
        yield process


@pytest.fixture(scope="module")
def translator() -> Iterator[PaddleProcess]:
    """The process that the workbench itself uses."""
    with PaddleProcess("workbench.sources.paddle.worker.legacy", LEGACY, timeout=120) as process:
        yield process


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_legacy_case(
    case: Case, exporter: PaddleProcess, translator: PaddleProcess, tmp_path: Path
) -> None:
    """As for Paddle 3's format."""
    check(case, exporter, tmp_path, translator)


def test_gradients_of_a_translated_program(
    exporter: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    """What Paddle keeps for a gradient has no type there, and items of a split have no gradient."""
    one = case(
        "any", "paddle.concat([bn(b), F.dropout(a, 0.5)], 1)", x=f32("B", 6),
        setup="a, b = paddle.split(fc(x), 2, 1)", fc="nn.Linear(6, 6)", bn="nn.BatchNorm1D(3)",
    )  # fmt: skip
    request = {
        "expression": one.expression, "layers": one.layers, "setup": one.setup,
        "inputs": {name: [spec.declared, spec.dtype] for name, spec in one.inputs.items()},
        "grad": False, "runs": 1, "scale": one.scale,
    }  # fmt: skip
    np.savez(tmp_path / "feed0.npz", **one.arrays(0))
    exporter.ask("export", case=request, folder=str(tmp_path))
    migration = wb.load(tmp_path)
    migration._runtime = worker
    arrays = list(one.arrays(0).values())
    assert migration.gradients(arrays).passed
    assert migration.training(arrays, ["SGD"], 2).passed
    assert migration.training(arrays, ["SGD"], 2, batch_norm="train").passed


def test_select_input_alone() -> None:
    """Picked from values that no branch makes."""
    first, second = torch.tensor([1.0]), torch.tensor([2.0])
    for number, expected in enumerate((first, second)):
        mask = torch.tensor([number], dtype=torch.int32)
        operands = {"mask": mask, "input_1": first, "input_2": second}
        assert convert("pd_op.select_input", operands, {}) is expected


def test_element_of_a_list() -> None:
    first, second = torch.tensor([1.0]), torch.tensor([2.0])
    assert convert("builtin.slice", {"x": [first, second]}, {"index": 1}) is second


def test_depend() -> None:
    x = torch.tensor([1.0])
    assert convert("pd_op.depend", {"x": x, "dep": [x]}, {}).item() == 1


def test_partial_concat() -> None:
    x = torch.arange(8.0).reshape(2, 4)
    found = convert("pd_op.partial_concat", {"x": [x, -x]}, {"start_index": 1, "length": 2})
    assert found.tolist() == [[1, 2, -1, -2], [5, 6, -5, -6]]
    found = convert("pd_op.partial_concat", {"x": [x, -x]}, {"start_index": -2, "length": -1})
    assert found.tolist() == [[2, 3, -2, -3], [6, 7, -6, -7]]


def test_partial_sum() -> None:
    x = torch.arange(8.0).reshape(2, 4)
    found = convert("pd_op.partial_sum", {"x": [x, x, x]}, {"start_index": 1, "length": 2})
    assert found.tolist() == [[3, 6], [15, 18]]
    found = convert("pd_op.partial_sum", {"x": [x, x]}, {"start_index": 0, "length": -1})
    assert torch.equal(found, 2 * x)


def test_paddle_1_kept_a_file_for_each_parameter(data: Path, tmp_path: Path) -> None:
    """`__model__` with files named like the parameters, the default of Paddle 1."""
    whole = wb.load(data / "legacy_classifier")
    shutil.copy(data / "legacy_classifier" / "model.pdmodel", tmp_path / "__model__")
    for name, parameter in whole.program.parameters.items():
        write_tensors(tmp_path / name, {name: (parameter.dtype, parameter.load())})
    found = wb.load(tmp_path)
    x = torch.randn(2, *whole.program.inputs[0].shape[1:])
    assert torch.equal(found.convert()(x), whole.convert()(x))


def test_weights_stored_as_int8_load_as_the_program_declares_them(
    data: Path, tmp_path: Path
) -> None:
    """What PaddleSlim leaves: int8 in the file, float32 in the program, scales of another shape."""
    whole = wb.load(data / "legacy_classifier")
    shutil.copy(data / "legacy_classifier" / "model.pdmodel", tmp_path / "model.pdmodel")
    tensors = {name: (one.dtype, one.load()) for name, one in whole.program.parameters.items()}
    weights = [name for name, (_, array) in tensors.items() if array.ndim == 4]
    vector = next(name for name, (_, array) in tensors.items() if array.ndim == 1)
    for name in weights:
        array = tensors[name][1]
        steps = np.round(array / np.abs(array).max() * 127)
        tensors[name] = ("int8", steps.astype(np.int8))
    tensors[vector] = (tensors[vector][0], tensors[vector][1][:, None])
    write_tensors(tmp_path / "model.pdiparams", tensors)
    migration = wb.load(tmp_path)
    found = migration.program.parameters
    for name in weights:
        assert found[name].dtype == "float32"
        assert np.array_equal(found[name].load(), tensors[name][1].astype(np.float32))
    assert found[vector].shape == whole.program.parameters[vector].shape
