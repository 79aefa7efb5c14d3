"""Deploy formats of models that branch and loop: kept where the format can, refused by row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, case, f32, i64
from tests.oracle.portable import write_program
from workbench.export.bundle import FormatError
from workbench.sources.paddle.client.process import PaddleProcess

X = f32("B", 3)
NESTED = case(
    "while if", "y", x=X, fc="nn.Linear(3, 3)",
    setup="y = x\nfor i in range(x.shape[0]):\n    if y.sum() > 0:\n        y = y * 0.5 - 1\n"
    "    else:\n        y = fc(y) + x[i]",
)  # fmt: skip
COUNTED = case(
    "if while", "y", x=X, n=i64(1, high=4), fc="nn.Linear(3, 3)",
    setup="y = x\nif x.sum() > 0:\n    for i in range(n):\n        y = fc(y)\nelse:\n    y = x * 2",
)  # fmt: skip
SHAPES = case(
    "if", "y", x=X,
    setup="if x.sum() > 0:\n    y = paddle.concat([x, x])\nelse:\n    y = x - 1",
)  # fmt: skip
GROWING = case(
    "while", "tokens", x=f32("B", 4), table="nn.Embedding(4, 6)", fc="nn.Linear(6, 4)",
    setup="tokens = paddle.argmax(x, -1, keepdim=True)\ni = paddle.zeros([], 'int64')\n"
    "while tokens.sum() < 20 and i < 7:\n    state = table(tokens).mean(1)\n"
    "    last = paddle.argmax(fc(state), -1, keepdim=True) + 1\n"
    "    tokens = paddle.concat([tokens, last], 1) % 4\n    i = i + 1",
)  # fmt: skip
ARRAY = case(
    "while", "paddle.stack(steps, 1)", x=X, cell="nn.GRUCell(3, 3)",
    setup="h = x\nsteps = []\nfor i in range(x.shape[0]):\n    out, h = cell(x, h)\n"
    "    steps.append(h)",
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (NESTED, {"pt2", "torchscript"}),
        (COUNTED, {"pt2", "torchscript"}),
        (SHAPES, {"pt2", "torchscript"}),
        (GROWING, {"torchscript"}),
        (ARRAY, set()),
    ],
    ids=["nested", "counted", "shapes", "growing", "array"],
)
def test_branches_and_loops(
    one: Case, kept: set[str], oracle: PaddleProcess, tmp_path: Path
) -> None:
    write_program(one, oracle, tmp_path)
    out = tmp_path / "out"
    with wb.load(tmp_path) as migration:
        module = migration.convert()
        failed = {}
        try:
            made = migration.export(out, formats=["pt2", "torchscript"])
        except FormatError as error:
            made, failed = error.bundle, error.failed
        values = migration.program.inputs
    assert set(failed) == {"pt2", "torchscript"} - kept
    for failure in failed.values():
        assert "row while_" in str(failure) or "row for_" in str(failure)
        assert "model.py" in failure.hint
    assert set(made.formats) == kept
    loaded = []
    if "pt2" in kept:
        loaded.append(torch.export.load(out / "model.pt2").module())
    if "torchscript" in kept:
        loaded.append(torch.jit.load(out / "model.torchscript"))
    torch.manual_seed(0)
    for rows in (1, 2, 5, 8):
        inputs = [torch.randn(rows, values[0].shape[1])]
        inputs += [torch.tensor([rows]) for _ in values[1:]]
        for model in loaded:
            torch.testing.assert_close(model(*inputs), module(*inputs))
