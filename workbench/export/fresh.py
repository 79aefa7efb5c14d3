"""Run a script in a process of its own: not from this folder, and without this package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch


def run_fresh(script: Path, *arguments: str | Path, timeout: float) -> tuple[int, str, str]:
    """Exit code, output and error output.

    The working folder and PYTHONPATH are not on the path of the new process; the folder that torch
    was imported from is its last argument. Raises `TimeoutError` when it does not end.
    """
    packages = Path(torch.__file__).parents[1]
    command = [sys.executable, "-P", "-B", str(script), *map(str, arguments), str(packages)]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSTARTUP")}
    try:
        done = subprocess.run(
            command, capture_output=True, env=environment, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it did not end within {timeout:.0f} seconds") from error
    return done.returncode, done.stdout, done.stderr


def last_line(text: str) -> str:
    """What an error output ends with: the exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "no message"
