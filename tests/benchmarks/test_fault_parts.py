"""Parts of the fault bench: what differs, slips, samples, and that planting leaves no trace."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks.faults.bench import sampled
from benchmarks.faults.function_kinds import mutants
from benchmarks.faults.planting import altered_rule, faulty_function, mapped
from benchmarks.faults.table import table
from benchmarks.faults.visible import difference
from workbench.core.calls import Call
from workbench.sources.paddle.rules import DEFAULT
from workbench.targets.pytorch import functions
from workbench.targets.pytorch.functions import elementwise
from workbench.targets.pytorch.resolve import resolve


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        (lambda x: x * 1.01, 0.009, 0.011),
        (lambda x: x + 0.0, 0.0, 0.0),
        (lambda x: x.half(), math.inf, math.inf),
        (lambda x: torch.where(x > 0, torch.nan, x), math.inf, math.inf),
        (lambda x: x[:1], math.inf, math.inf),
    ],
)
def test_difference_is_that_of_the_worst_element(change: object, low: float, high: float) -> None:
    x = torch.tensor([[1.0, -2.0], [3.0, -3.2e38]])
    assert low <= difference(change(x), x) <= high  # type: ignore[operator]


def test_a_mask_does_not_hide_a_small_difference() -> None:
    x = torch.tensor([1.0, 2.0, -1e9])
    assert difference(x * torch.tensor([1.01, 1.0, 1.0]), x) == pytest.approx(0.01, rel=0.02)


def test_slips_change_what_a_function_gives() -> None:
    x = torch.tensor([3.0, 4.0])
    right = elementwise.clip_by_norm(x, 2.0)
    made = {kind for kind, _, _ in mutants(elementwise.clip_by_norm)}
    assert "other operation" in made or "arguments exchanged" in made
    changed = 0
    for _, _, make in mutants(elementwise.clip_by_norm):
        try:
            changed += not torch.equal(make()(x, 2.0), right)
        except Exception:  # noqa: BLE001 - some slips cannot run
            changed += 1
    assert changed > 0


def test_a_planted_function_is_what_targets_find_and_leaves_no_trace() -> None:
    right = functions.clip_by_norm
    with faulty_function(elementwise, "clip_by_norm", print):
        assert resolve("fn.clip_by_norm") is print
    assert resolve("fn.clip_by_norm") is right is elementwise.clip_by_norm


def test_a_planted_rule_leaves_no_trace() -> None:
    before = DEFAULT.find("pd_op.relu")
    with altered_rule(("pd_op.relu",), lambda op, call: None):
        assert DEFAULT.find("pd_op.relu") is not before
    assert DEFAULT.find("pd_op.relu") is before


def test_inner_calls_are_changed_first() -> None:
    call = Call("torch.add", (Call("torch.mul", (1, 2)), 3))
    seen: list[str] = []
    made = mapped(call, lambda part: seen.append(part.target))
    assert made == call
    assert seen == ["torch.mul", "torch.add"]


def test_a_sample_is_spread_over_kinds_and_places() -> None:
    names = [f"rule: kind {i} @ op#{j}" for i in range(10) for j in range(30)]
    names += [f"module: other {i} @ x#{j}" for i in range(50) for j in range(30)]
    chosen = sampled({Path("a"): names}, 50, seed=3)[Path("a")]
    rules = [name for name in chosen if name.startswith("rule")]
    assert len(chosen) == 50
    assert len(rules) == 47
    assert len({name.partition(" @ ")[0] for name in rules}) == 10
    assert sampled({Path("a"): names}, 50, seed=3) == {Path("a"): chosen}


def test_the_table_names_what_was_missed() -> None:
    line = {
        "id": "net: rule: epsilon @ pd_op.batch_norm_", "program": "net", "family": "classifier",
        "place": "rule", "kind": "epsilon", "level": "plain", "how": "output", "size": 0.5,
        "found": "", "right": False, "accused": [], "named": None, "told": "",
    }  # fmt: skip
    text = table([line])
    assert "net: rule: epsilon @ pd_op.batch_norm_" in text.partition("missed")[2]
    assert "0 of    1" in text
