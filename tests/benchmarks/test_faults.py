"""The fault bench on two samples: faults that show are found, and put in their row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.bench import sampled
from benchmarks.faults.trial import Record, Trial

pytestmark = pytest.mark.slow


@pytest.fixture(params=["transformer_encoder", "legacy_classifier"])
def trial(request: pytest.FixtureRequest, data: Path) -> Iterator[Trial]:
    made = Trial(data / request.param)
    yield made
    made.close()


def planted(trial: Trial, place: str, count: int) -> list[Record]:
    """What became of so many faults of one place, those that show."""
    faults = {fault.id: fault for fault in trial.faults() if fault.place == place}
    chosen = sampled({trial.folder: list(faults)}, count, 0)[trial.folder]
    records = [trial.run(faults[name]) for name in sorted(chosen)]
    return [one for one in records if one.level == "plain"]


def test_correct_samples_pass(trial: Trial) -> None:
    assert not any(record.found for record in trial.healthy())


@pytest.mark.parametrize("place", ["module", "mapping"])
def test_a_fault_after_conversion_is_found_in_its_row(trial: Trial, place: str) -> None:
    records = planted(trial, place, 8)
    assert len(records) > 3
    assert [one.id for one in records if not (one.found and one.right)] == []


def test_a_fault_in_a_rule_is_seen_where_it_is_planted(trial: Trial) -> None:
    before = trial.migration().mapping
    faults = [one for one in trial.faults() if one.kind == "bias left out"]
    assert faults
    for fault in faults:
        record = trial.run(fault)
        assert record.level == "plain"
        assert record.found == "default"
        assert record.right
        assert record.named
    assert [row.call for row in trial.migration().mapping.walk()] == [
        row.call for row in before.walk()
    ]


def test_a_slip_in_a_rule_that_changes_nothing_is_no_fault(trial: Trial) -> None:
    slips = [one for one in trial.faults() if one.place == "slip"]
    levels = {trial.run(one).level for one in slips[:6]}
    assert levels <= {"plain", "fine", "hidden", "idle", "broken", "refused"}
    assert len(slips) > 20
