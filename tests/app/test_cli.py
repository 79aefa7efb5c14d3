"""The command line: what it prints and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from workbench.app.cli import main


def test_migrate_writes_bundle_and_report(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["migrate", str(data / "digits_classifier"), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "verdict   passed" in told
    assert "same answer 100.00%" in told
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "model.py").is_file()


def test_inspect_lists_operators(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(data / "crnn_recognizer")]) == 0
    told = capsys.readouterr().out
    assert "pd_op.rnn" in told
    assert "EncoderWithRNN" in told


def test_verify_with_own_inputs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(
        tmp_path / "inputs.npz", image=np.random.default_rng(0).random((1, 3, 32, 48), np.float32)
    )
    arguments = [
        "verify",
        str(data / "digits_classifier"),
        "--inputs",
        str(tmp_path / "inputs.npz"),
    ]
    earlier = str(tmp_path / "earlier.json")
    assert main([*arguments, "--layers", "--save", earlier]) == 0
    assert "rounding" in capsys.readouterr().out
    assert main([*arguments, "--compare", earlier]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_bad_input_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 2
    assert "no model" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["migrate"])
    assert stop.value.code == 2


def test_unsupported_operator_is_exit_code_1_and_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(data / "digits_classifier", tmp_path / "model"))
    program = folder / "inference.json"
    program.write_text(program.read_text().replace("1.hardswish", "1.no_such_operator"))
    assert main(["migrate", str(folder), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "pd_op.no_such_operator" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_report_with_every_check(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "report.html")
    model = str(data / "transformer_encoder")
    flags = ["--gradients", "--training", "--benchmark"]
    assert main(["report", model, "--out", out, *flags]) == 0
    told = capsys.readouterr().out
    for word in ("gradients passed", "training  passed", "task      accuracy on 200 samples"):
        assert word in told
    content = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert content["gradients"]["passed"]
    assert content["training"]["passed"]
    assert content["benchmark"]
    for flag in flags:
        assert flag in content["reproduce"]


OWN = '''
import torch
from torch import nn

HALF = 0.5


class Gate(nn.Module):
    """An activation of one's own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.relu(x + 3).clamp(max=6) / 6 + 0 * HALF


def migrate(m):
    m.custom(Gate)
    row = next(row for row in m.mapping.rows if row.target == "nn.Hardswish")
    m.mapping = m.mapping.edit(row.path, target="custom.Gate")
'''


def test_own_code(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = tmp_path / "mine.py"
    code.write_text(OWN)
    out = tmp_path / "out"
    model = str(data / "digits_classifier")
    assert main(["migrate", model, "--out", str(out), "--code", str(code)]) == 0
    assert "class Gate(nn.Module)" in (out / "model.py").read_text()
    assert f"--code {code}" in (out / "report.html").read_text()
    capsys.readouterr()
    for text, message in (
        ("x = 1", "defines no function migrate(m)"),
        ("def migrate(m):\n    m.nothing()", "AttributeError"),
        ("def migrate(m):\n    m.replace('nowhere', 'nn.ReLU')", "nowhere"),
        ("1 / 0", "ZeroDivisionError: division by zero (line 1)"),
    ):
        code.write_text(text)
        assert main(["verify", model, "--code", str(code)]) != 0
        assert message in capsys.readouterr().err
    assert main(["verify", model, "--code", str(tmp_path / "none.py")]) == 2
