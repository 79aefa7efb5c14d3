"""The Paddle process: it may die, be missing, or be another interpreter; the caller lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import workbench as wb
from workbench.checks.values.inputs import sample_inputs
from workbench.core.errors import ModelFileError, PaddleProcessError
from workbench.sources.paddle.client.process import PYTHON_VARIABLE, PaddleProcess
from workbench.sources.paddle.client.reference import record
from workbench.sources.paddle.runtime import PaddleRuntime


def test_killed_process_gives_a_clear_error_and_the_next_request_works() -> None:
    with PaddleProcess() as process:
        assert process.ask("version")
        pid = process.pid
        assert pid is not None
        threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
        time.sleep(0.5)
        assert process.ask("version")  # a new one is started
        assert process.pid != pid


def test_death_during_a_request_is_told(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        migration.convert()
        migration.paddle.ask("version")
        pid = migration.paddle.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
        inputs = sample_inputs(migration.program)
        with pytest.raises(PaddleProcessError, match=r"died .signal SIGKILL"):
            migration.verify(inputs)
        assert migration.verify(inputs).passed


def test_a_crash_of_native_code_is_tried_once_more(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        migration.paddle.ask("version")
        pid = migration.paddle.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV)).start()
        threading.Timer(0.6, os.kill, (pid, signal.SIGCONT)).start()
        assert migration.verify(sample_inputs(migration.program)).passed
        assert migration.paddle.pid != pid


def test_missing_interpreter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "/nowhere/python")
    with pytest.raises(PaddleProcessError, match="cannot be started"):
        PaddleProcess().ask("version")


def test_conversion_needs_no_paddle(data: Path) -> None:
    code = (
        "import sys; sys.modules['paddle'] = None\n"
        "import workbench as wb, torch\n"
        f"m = wb.load({str(data / 'digits_classifier')!r})\n"
        "print(m.convert()(torch.randn(2, 3, 32, 32)).shape[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2", done.stderr


def test_importing_the_workbench_imports_neither_framework() -> None:
    code = "import workbench, sys; print('torch' in sys.modules, 'paddle' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_damaged_legacy_model_is_told(tmp_path: Path, data: Path) -> None:
    (tmp_path / "model.pdmodel").write_bytes(b"this is no protobuf" * 10)
    (tmp_path / "model.pdiparams").write_bytes(
        (data / "legacy_classifier" / "model.pdiparams").read_bytes()
    )
    with pytest.raises(ModelFileError, match="could not be translated"):
        wb.load(tmp_path)


@pytest.mark.parametrize("name", ["digits_classifier", "crnn_recognizer", "transformer_encoder"])
def test_every_value_of_a_program_can_be_asked_for(
    name: str, data: Path, worker: PaddleRuntime
) -> None:
    with wb.load(data / name) as migration:
        program = migration.program
        values = [value for op in program.ops for value in op.outputs.values()]
        found = record(worker, program, sample_inputs(program), values)
        assert all(value in found for value in program.outputs)
        assert sum(value in found for value in values) > len(values) / 2
