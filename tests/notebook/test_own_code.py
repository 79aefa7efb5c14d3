"""Code of the person's own in the editor, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.notebook.holder import FakeLab
from tests.small_programs import classifier
from workbench.targets.pytorch import custom


def double(tensor: torch.Tensor, offset: float = 0.0) -> torch.Tensor:
    """Twice the tensor."""
    return 2 * tensor + offset


class Gained(nn.Module):
    """Needs a tensor that no rule knows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale the channels."""
        return x.mean((2, 3)) * self.gain


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """Whatever a test registers is forgotten after it."""
    before = dict(custom._codes)
    yield
    custom._codes.clear()
    custom._codes.update(before)


def test_own_code_is_offered_first_and_shown_with_its_text() -> None:
    lab = FakeLab(classifier())
    custom.register(double)
    assert lab.send("suggest", key="block.re_lu")["targets"][1] == "custom.double"
    assert lab.session.info()["own"] == ("custom.double",)
    reply = lab.edit("block.re_lu", target="custom.double")
    assert reply["missing"] == {}, "the row's own tensor is the first argument"
    told = lab.send("select", key="block.re_lu")["detail"]
    assert told["s"] == "custom"
    (code,) = told["code"]
    assert code["name"] == "custom.double"
    assert "test_own_code.py:" in code["place"]
    assert code["source"].startswith("def double(")


def test_a_weight_that_nobody_can_guess_is_asked_for() -> None:
    lab = FakeLab(classifier())
    custom.register(Gained)
    target = {"target": "custom.Gained"}
    assert lab.edit("head.mystery", **target)["missing"] == {"head.mystery": ["size"]}
    given = {**target, "arguments": {"size": {"text": "4"}}}
    reply = lab.edit("head.mystery", **given)
    assert reply["missing"] == {"head.mystery": []}
    assert reply["weights"] == {"head.mystery": {"gain": [4]}}
    assert not lab.model.rows["head.mystery"].edited
    weight = {"gain": {"parameter": "s", "steps": []}}
    reply = lab.edit("head.mystery", **given, weights=weight)
    assert reply["refused"] == {}
    row = lab.model.rows["head.mystery"]
    assert (row.status, row.weights["gain"].parameter) == ("custom", "s")


def test_saved_edits_wait_for_their_code(tmp_path: Path) -> None:
    custom.register(double)
    lab = FakeLab(classifier(), tmp_path / "edits.yaml")
    lab.edit("block.re_lu", target="custom.double")
    custom._codes.clear()
    again = FakeLab(classifier(), tmp_path / "edits.yaml")
    notices = again.model.load().notices
    assert "'custom.double' is not known in this session" in " ".join(notices)
    again.edit("head.fc", note="meanwhile")
    assert "custom.double" in (tmp_path / "edits.yaml").read_text()
    custom.register(double)
    again.holder.mapping = again.holder.mapping.edit("head.fc", note="from a cell")
    again.session.poll()
    assert again.model.rows["block.re_lu"].target == "custom.double"
    assert again.model.pending == {}


def test_rows_are_checked_again_when_their_code_is_defined_anew() -> None:
    lab = FakeLab(classifier())
    custom.register(double)
    lab.edit("block.re_lu", target="custom.double")

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        return 3 * tensor

    changed.__name__ = "double"
    custom.register(changed)
    lab.holder.mapping = lab.holder.mapping.edit("head.fc", note="anything")
    assert set(lab.model.pull().recheck) == {"block.re_lu", "head.fc"}
