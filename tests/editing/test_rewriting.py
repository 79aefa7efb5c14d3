"""Attention that is written out, exchanged for torch's fused function on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import workbench as wb
from tests.oracle.case import Case, case, f32
from tests.oracle.portable import write_program
from workbench.core.errors import MappingError
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.targets.pytorch.codegen.source import generate

NAME = "scaled_dot_product_attention"
X = f32("B", "T", 8)
HEADS = (
    "def heads(v):\n    return v.reshape([0, -1, 2, 4]).transpose([0, 2, 1, 3])\n"
    "q, k, v = heads(a(x)), heads(b(x)), heads(c(x))\n"
)
LAYERS = {"a": "nn.Linear(8, 8)", "b": "nn.Linear(8, 8)", "c": "nn.Linear(8, 8)"}
ATTEND = "F.softmax(s, -1).matmul(v).transpose([0, 2, 1, 3]).reshape([0, -1, 8])"


def written_out(scores: str, result: str = ATTEND, **more: object) -> Case:
    """A program that computes `scores` into `s` and attends with them."""
    return case("softmax", result, x=X, setup=HEADS + scores, **LAYERS, **more)


#: A program, and what the call holds besides queries, keys and values.
FUSED = {
    "vit": (written_out("s = q.matmul(k, transpose_y=True) * 0.5"), ""),
    "query scaled": (written_out("s = (q * 0.5).matmul(k, transpose_y=True)"), ""),
    "divided": (written_out("s = q.matmul(k, transpose_y=True) / 3.0"), "scale=0.333333"),
    "unscaled": (written_out("s = q.matmul(k.transpose([0, 1, 3, 2]))"), "scale=1.0"),
    "bert": (
        written_out("m = (1.0 - w.unsqueeze([1, 2])) * -10000.0\n"
                    "s = q.matmul(k, transpose_y=True) * 0.5 + m", w=f32("B", "T")),
        "attn_mask=",
    ),
    "swin": (
        written_out("s = (q * 0.5).matmul(k, transpose_y=True) + t + w.unsqueeze(1)",
                    t=f32(2, "T", "T"), w=f32("B", "T", "T")),
        "attn_mask=t + ",
    ),
    "dropout": (
        written_out("s = q.matmul(k, transpose_y=True) * 0.5",
                    ATTEND.replace("F.softmax(s, -1)", "drop(F.softmax(s, -1))"),
                    drop="nn.Dropout(0.1)"),
        "",
    ),
    "layer": (case("softmax", "m(x, x, x)", x=X, m="nn.MultiHeadAttention(8, 2)"), ""),
}  # fmt: skip
KEPT = {
    "weights read twice": written_out(
        "s = q.matmul(k, transpose_y=True)", f"{ATTEND}, F.softmax(s, -1)"
    ),
    "scores read twice": written_out("s = q.matmul(k, transpose_y=True)", f"{ATTEND}, s"),
    "another axis": written_out(
        "s = q.matmul(k, transpose_y=True)", ATTEND.replace("-1).m", "2).m")
    ),
    "mask scaled too": written_out(
        "s = (q.matmul(k, transpose_y=True) + t) * 0.5", t=f32("T", "T")
    ),
    "negative": written_out("s = q.matmul(k, transpose_y=True) * -0.5"),
}  # fmt: skip


@pytest.mark.parametrize(("one", "options"), FUSED.values(), ids=FUSED)
def test_fused(one: Case, options: str, oracle: PaddleProcess, tmp_path: Path) -> None:
    write_program(one, oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        before = migration.convert()
        assert migration.offers == {NAME: 1}
        assert migration.rewrite(NAME) == 1
        assert migration.offers == {}
        runs = [list(one.arrays(run).values()) for run in (0, 1)]
        found = migration.verify(runs)
        assert found.passed, found.summary
        module = migration.convert()
        source = generate(migration.mapping, "made by a test")
        assert f"F.{NAME}(" in source
        assert options in source
        assert ("attn_mask" in source) == ("attn_mask" in options)
        assert ("scale=" in source) == ("scale" in options)
        assert "softmax" not in module.code
        tensors = [torch.from_numpy(array) for array in runs[1]]
        torch.testing.assert_close(module(*tensors), before(*tensors))


@pytest.mark.parametrize("one", KEPT.values(), ids=KEPT)
def test_not_offered(one: Case, oracle: PaddleProcess, tmp_path: Path) -> None:
    """What torch's function does not compute stays as it is."""
    write_program(one, oracle, tmp_path)
    with wb.load(tmp_path) as migration:
        assert migration.offers == {}
        with pytest.raises(MappingError, match="fits nowhere"):
            migration.rewrite(NAME)
        assert migration.rewrites == ()


def test_unknown_rewrite(data: Path) -> None:
    with (
        wb.load(data / "digits_classifier") as migration,
        pytest.raises(MappingError, match="no rewrite 'magic'"),
    ):
        migration.rewrite("magic")


def test_edits_are_kept_and_the_bundle_tells(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "transformer_encoder") as migration:
        layer = next(row.path for row in migration.mapping.walk() if row.is_layer)
        migration.mapping = migration.mapping.edit(layer, note="mine")
        count = migration.rewrite(NAME)
        assert count >= 2
        assert migration.mapping[layer].note.endswith("mine")
        made = migration.export(tmp_path / "out")
    assert made.verified
    told = json.loads((made.folder / "manifest.json").read_text())
    assert told["rewrites"] == [NAME]
    assert (made.folder / "model.py").read_text().count(f"F.{NAME}(") >= 1
