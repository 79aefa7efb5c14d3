"""Tensor code comes back as a person would write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.case import Case, boolean, case, f32, i64, values
from tests.oracle.check import check
from tests.small_programs import mapped
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.files.pdiparams import bind_parameters
from workbench.sources.paddle.files.pir_json import read_program
from workbench.sources.paddle.passes import run_passes
from workbench.targets.pytorch.codegen.source import generate

X2, X3, IMAGE = f32("B", 3), f32("B", 3, "H"), f32("B", 3, "H", "W")

WRITTEN: list[tuple[str, Case]] = [
    ("return x.reshape(x.shape[0], -1)", case("reshape", "x.reshape([0, -1])", x=X3)),
    ("return x.reshape(x.shape[0], -1)", case("reshape", "x.reshape([x.shape[0], -1])", x=X3)),
    ("return x.reshape(-1, 3)", case("reshape", "x.reshape([-1, 3])", x=X3)),
    ("return x.flatten(1)", case("flatten", "x.flatten(1)", x=f32("B", 3, 4))),
    ("return x.transpose(1, 2)", case("transpose", "x.transpose([0, 2, 1])", x=X3)),
    ("return x[:, 1:3]", case("slice", "x[:, 1:3]", x=f32("B", 4, 2))),
    ("return x[:, -1]", case("slice", "x[:, -1]", x=X3)),
    ("return x[1:, :-1, 0]", case("slice", "x[1:, :-1, 0]", x=X3)),
    ("return x[:, :, ::2]", case("strided_slice", "x[:, :, ::2]", x=X3)),
    ("return x.flip(0)", case("strided_slice", "x[::-1]", x=X2)),
    ("return x[:, None, None]", case("unsqueeze", "x.unsqueeze([1, 2])", x=X2)),
    ("return x[:, n]", case("slice", "x[:, n]", x=X3, n=values(1, "int64"))),
    ("return x[n:]", case("slice", "x[n:]", x=f32(4, 3), n=values(1, "int64"))),
    ("return x[i]", case("gather_nd", "x[i]", x=f32(5, 2), i=i64("N"))),
    ("return x[:, i]", case("gather_nd", "x[:, i]", x=f32("B", 5), i=i64("N"))),
    ("return x[i, j]", case("gather_nd", "x[i, j]", x=f32(5, 5), i=i64(3), j=i64(3))),
    ("return x[m]", case("nonzero", "x[m]", x=X2, m=boolean("B"))),
    ("return x.expand(y.shape[0], -1)", case("expand", "x.expand([y.shape[0], 3])",
                                             x=f32(1, 3), y=f32("B"))),
    ("return F.pad(x, (1, 2, 0, 1))", case("pad3d", "F.pad(x, [1, 2, 0, 1])", x=IMAGE)),
    ("return F.pad(x, (0, x.shape[3] % 4, 0, 1))",
     case("pad3d", "F.pad(x, [0, x.shape[3] % 4, 0, 1])", x=IMAGE)),
    ("return torch.gather(x, 1, i % 3)",
     case("take_along_axis", "paddle.take_along_axis(x, i, 1)", x=f32(4, 3), i=i64(4, 2, high=3))),
    ("return x.masked_fill(m, 1.5)",
     case("masked_fill", "paddle.masked_fill(x, m, 1.5)", x=X2, m=boolean("B", 3))),
]  # fmt: skip


BLOCKS: list[tuple[str, Case]] = [
    (
        """state = x
for i in range(x.shape[0]):
    slice2 = x[i]
    state = state + slice2
return state""",
        case("while", "y", x=X2, setup="y = x\nfor i in range(x.shape[0]):\n    y = y + x[i]"),
    ),
    (
        """create_array = new_array()
for i in range(x.shape[0]):
    slice2 = x[i]
    scale = slice2 * 2.0
    array_append(create_array, scale)
return torch.stack(create_array, dim=0)""",
        case("while", "paddle.stack(a)", x=X2,
             setup="a = []\nfor i in range(x.shape[0]):\n    a.append(x[i] * 2)"),
    ),
    (
        """if x.shape[0] > 2:
    chosen = x * 2.0
else:
    chosen = x - 1.0
return chosen""",
        case("if", "y", x=X2, setup="y = x - 1\nif x.shape[0] > 2:\n    y = x * 2\nelse:\n"
             "    y = x - 1"),
    ),
]  # fmt: skip


def written(folder: Path) -> list[str]:
    """The forward method of a case that the oracle has exported."""
    program = read_program(folder / "inference.json")
    program = run_passes(bind_parameters(program, folder / "inference.pdiparams"))
    text = generate(mapped(program), "Case").partition("def forward")[2]
    return [line.removeprefix(" " * 8) for line in text.partition("\n\n\n")[0].splitlines()[1:]]


@pytest.mark.parametrize(("line", "case"), WRITTEN, ids=[line for line, _ in WRITTEN])
def test_source(line: str, case: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    """One line of Paddle becomes this one line."""
    check(case, oracle, tmp_path)
    assert written(tmp_path)[0] == line


@pytest.mark.parametrize(("text", "case"), BLOCKS, ids=range(len(BLOCKS)))
def test_block(text: str, case: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    """Loops and branches too."""
    check(case, oracle, tmp_path)
    assert "\n".join(written(tmp_path)) == text
