"""The live check and the verification in the editor, without a browser."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.notebook.holder import FakeLab, recorded
from tests.small_programs import ProgramMaker, classifier, named
from workbench.checks.results.checks import Check, LayerCheck, OutputCheck, Run
from workbench.checks.results.statistics import ErrorStats
from workbench.checks.results.verification import Verification
from workbench.core.mapping import Mapping


def square() -> Mapping:
    """Two square linear layers with a relu between: `one`, `act`, `two`."""
    make = ProgramMaker(3)
    x = make.linear(make.input("x", -1, 6), "one", 6)
    x = make.linear(make.relu(x), "two", 6)
    return named(make.mapping(x), ["one", "act", "two"])


def checked_lab() -> FakeLab:
    """A lab with Paddle's values for the square model."""
    inputs = {"x": np.random.default_rng(0).normal(size=(5, 6)).astype("float32")}
    return FakeLab(square(), reference=recorded(square(), inputs))


# --- live check -------------------------------------------------------------------------------


def test_an_edit_is_checked_and_a_wrong_step_turns_wrong_and_back() -> None:
    lab = checked_lab()
    reply = lab.edit("one", weights={"weight": {"parameter": "one.w_0", "steps": []}})
    assert reply["recheck"] == ["one"]
    checked = next(m for m in lab.sent if m.get("checked") == ["one"])
    assert checked["rows"][0]["f"]["v"] == "wrong"
    assert sum(checked["rows"][0]["f"]["h"]) > 0
    lab.send("select", key="one")
    detail = lab.sent[-1]["detail"]
    (cause,) = detail["tries"]
    assert cause["text"] == "changed by hand: weight is copied in place of transposed"
    assert cause["action"] == "go back to what the rule makes"
    assert len(detail["scatter"]["x"]) == 31
    lab.edit("one", **cause["edit"])
    assert lab.model.alone["one"].verdict in ("exact", "rounding")
    assert lab.session.info()["overall"]["state"] == "none"


def test_notes_and_names_need_no_check() -> None:
    lab = checked_lab()
    assert lab.edit("one", note="x", rename="first")["recheck"] == []
    assert not lab.model.stale


def test_rows_that_cannot_run_say_why() -> None:
    lab = checked_lab()
    lab.edit("act", target="F.softmax", arguments={"dim": {"text": "7"}})
    check = lab.model.alone["act"]
    assert check.verdict == "wrong"
    assert "Dimension out of range" in check.problem
    lab.edit("act", target="F.glu", arguments={"dim": {"text": "1"}})
    assert "shape [5, 3], Paddle has [5, 6]" in lab.model.alone["act"].problem


def test_without_paddle_the_live_check_says_so() -> None:
    class Broken:
        ready = False

        def prepare(self) -> None:
            raise ValueError("no Paddle here")

    lab = FakeLab(classifier())
    lab.session.checker = Broken()  # type: ignore[assignment]
    lab.edit("block.conv2d", arguments={"padding_mode": {"text": "reflect"}})
    assert lab.session.live["state"] == "failed"
    assert "no Paddle here" in lab.session.live["text"]
    assert any(m.get("checked") == ["block.conv2d"] for m in lab.sent), "it does not wait for ever"


# --- verification -----------------------------------------------------------------------------


def verified(verdict: str = "rounding") -> Verification:
    """A verification of the square model."""
    error = ErrorStats(1e-7, 1e-8, 1.0, 1e-7, 1.0, 3, 30, 27, (0, 3, 0))
    check = Check(verdict, error, 1e-6)
    layers = tuple(
        LayerCheck(path, ("linear",), "nn.Linear", (5, 6), "float32", check, check)
        for path in ("one", "act", "two")
    )
    return Verification((Run(("x",), layers, (OutputCheck("y", (5, 6), "float32", check),)),))


def test_verify_tells_progress_and_results() -> None:
    def verifier(tell: Any) -> Verification:
        for number in range(3):
            tell(number, 3, "verifying")
        return verified()

    lab = FakeLab(square(), verifier=verifier)
    lab.send("verify")
    told = [m["info"]["progress"] for m in lab.sent if m.get("info", {}).get("progress")]
    assert [one["at"] for one in told] == [0, 0, 1, 2]
    final = lab.sent[-1]
    assert final["info"]["overall"]["state"] == "passed"
    assert final["rows"][0]["c"]["v"] == "rounding"
    lab.edit("one", weights={"weight": {"parameter": "one.w_0", "steps": []}})
    assert lab.session.info()["overall"]["state"] == "stale"


def test_a_verification_can_be_cancelled_and_may_fail() -> None:
    lab = FakeLab(square())

    def cancelled(tell: Any) -> Verification:
        lab.session.handle({"type": "cancel"})
        tell(1, 3, "verifying")
        raise AssertionError("not reached")

    lab.session.verifier = cancelled
    lab.send("verify")
    assert lab.sent[-1]["notices"] == ["The verification was cancelled."]
    assert lab.session.progress is None

    def failing(_: Any) -> Verification:
        raise ValueError("out of memory")

    lab.session.verifier = failing
    lab.send("verify")
    assert "out of memory" in lab.sent[-1]["notices"][0]
    assert lab.sent[-1]["bad"]


def test_a_verification_in_a_cell_is_shown() -> None:
    lab = FakeLab(square())
    found = verified("wrong")
    lab.session.poll(found)
    assert lab.sent[0]["type"] == "snapshot"
    assert lab.sent[0]["info"]["overall"]["state"] == "failed"
    lab.sent.clear()
    lab.session.poll(found)
    assert lab.sent == []
