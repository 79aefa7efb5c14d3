"""A second framework is a source and nothing else: everything behind it works as for Paddle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.sources.toy import RULES, ToySource, leaky
from workbench.core.calls import Call
from workbench.core.errors import ModelFileError
from workbench.sources import registry


@pytest.fixture(autouse=True)
def source() -> Iterator[None]:
    registry.register(ToySource())
    yield
    registry._LOADED.pop("toy")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two dense layers with a leaky relu between them, then a sum."""
    random = np.random.default_rng(0)
    shapes = {"w1": (3, 5), "b1": (5,), "w2": (5, 4), "b2": (4,)}
    document = {
        "inputs": {"x": [-1, 3]},
        "weights": {name: random.normal(size=shape).tolist() for name, shape in shapes.items()},
        "ops": [
            _op("toy.dense", {"x": "x", "weight": "w1", "bias": "b1"}, "h", [-1, 5]),
            _op("toy.leaky", {"x": "h"}, "a", [-1, 5], slope=0.1),
            _op("toy.dense", {"x": "a", "weight": "w2", "bias": "b2"}, "y", [-1, 4]),
            _op("toy.sum", {"x": "y"}, "s", [-1], axis=1),
        ],
        "outputs": ["s", "y"],
    }
    path = tmp_path / "small.toy"
    path.write_text(json.dumps(document))
    return path


def _op(op: str, inputs: dict[str, str], output: str, shape: list[int], **given: float) -> dict:
    return {"op": op, "inputs": inputs, "output": output, "shape": shape, "attributes": given}


def test_it_loads_converts_verifies_reports_and_exports(model: Path, tmp_path: Path) -> None:
    with wb.load(model) as m:
        assert list(m.mapping.frame()["target"]) == [
            "nn.Linear", "F.leaky_relu", "nn.Linear", ".sum",
        ]  # fmt: skip
        found = m.verify()
        assert found.passed, found.summary
        assert not any(layer.coarse for layer in found.layers), "each row was judged in float64"
        m.export(tmp_path / "out", formats=["torchscript"])
        page = m.report(tmp_path / "out" / "report.html").read_text()
        assert "toy.leaky" in page
    x = torch.randn(6, 3)
    loaded = torch.jit.load(tmp_path / "out" / "model.torchscript")
    torch.testing.assert_close(loaded(x)[1], m.convert()(x)[1])


def test_thorough_probes_its_rows(model: Path) -> None:
    with wb.load(model) as m:
        found = m.verify(thorough=True)
        assert found.passed, found.summary
        assert any(layer.probe.verdict in ("exact", "rounding") for layer in found.layers)


def test_a_wrong_rule_is_found_and_its_cause_named(model: Path) -> None:
    with wb.load(model) as m:

        @m.rule("toy.leaky")
        def off_by_a_thousandth(op, x, slope) -> Call:  # type: ignore[no-untyped-def]
            """A slope that float32 could hardly tell from the right one."""
            return leaky(op, x, slope * 1.001)

        found = m.verify()
        assert found.failed
        (row,) = {layer.path for layer in found.layers if layer.failed}
        assert m.mapping[row].target == "F.leaky_relu"
        assert any(one.path == row and "negative_slope" in one.cause for one in found.diagnosis)


def test_an_operator_without_a_rule_is_told(model: Path) -> None:
    document = json.loads(model.read_text())
    document["ops"][1]["op"] = "toy.mystery"
    model.write_text(json.dumps(document))
    assert RULES.find("toy.mystery") is None
    with pytest.raises(wb.WorkbenchError, match=r"toy\.mystery"):
        wb.load(model).convert()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.toy").write_text("{")
    with pytest.raises(ModelFileError, match="no toy model"):
        wb.load(tmp_path / "bad.toy")
