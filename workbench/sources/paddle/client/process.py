"""A Paddle process: started on demand, asked through a pipe, allowed to die alone.

Paddle is imported only in that process. Requests and answers are lines of JSON; tensors travel as
`.npy` files in a folder that both sides know. The process works in an empty folder of its own and
imports nothing from the folder that a person works in; no program reaches it that does more than
compute.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from workbench.core.errors import PaddleProcessError
from workbench.sources.paddle.client.admission import admit
from workbench.sources.paddle.client.environment import IN_ORDER, NEVER_IN_PLACE

#: Environment variable that names another Python interpreter, one that has Paddle.
PYTHON_VARIABLE = "PADDLE_PYTHON"
_TAIL = 1500
#: How Paddle names an operator that has no kernel for a dtype.
_NO_KERNEL = re.compile(r"op \[pd_op\.(\w+)\] kernel output args")
#: Python adds the working folder to its path, as an empty entry. Its safe path prevents that from
#: 3.11 on; an older one drops the entry here, before it imports anything.
_START = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


class PaddleProcess:
    """One worker process. Use it as a context manager, or call `close`.

    `module` is the Python module that serves the requests; `environment` adds variables such as
    Paddle's FLAGS, which must be set before Paddle is imported.
    """

    def __init__(
        self,
        module: str = "workbench.sources.paddle.worker.worker",
        environment: dict[str, str] | None = None,
        timeout: float = 1800.0,
    ) -> None:
        self.module = module
        self.environment = environment or {}
        self.timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._buffer = b""

    def __enter__(self) -> PaddleProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id while the worker runs."""
        return self._process.pid if self._process else None

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send one request and wait for its answer.

        `program` and `params` among the arguments are files; a program is checked first. Raises
        `RefusedProgramError` for one with operators that do more than compute, and
        `PaddleProcessError` when Paddle is missing, the request fails in Paddle, or the process
        dies; a new process is started for the next request.
        """
        for name in ("program", "params"):
            if arguments.get(name) is not None:
                arguments[name] = os.path.abspath(arguments[name])  # the process works elsewhere
        if "program" in arguments:
            admit(arguments["program"])
        process = self._running()
        line = json.dumps({"command": command, **arguments}) + "\n"
        try:
            assert process.stdin is not None
            process.stdin.write(line.encode())
            process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise self._died(command) from None
        answer = self._read_line(command)
        if "error" in answer:
            raise _refused(answer)
        return answer.get("result")

    def ask_again(self, command: str, **arguments: Any) -> Any:
        """As `ask`, and once more when the process crashed: now and then Paddle's executor does."""
        try:
            return self.ask(command, **arguments)
        except PaddleProcessError as error:
            if not error.crashed:
                raise
        return self.ask(command, **arguments)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._buffer = b""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        python = os.environ.get(PYTHON_VARIABLE) or sys.executable
        environment = {
            **os.environ, **NEVER_IN_PLACE, **IN_ORDER, "GLOG_minloglevel": "3",
            "PYTHONWARNINGS": "ignore", "PYTHONPATH": _path(), "PYTHONSAFEPATH": "1",
            **self.environment,
        }  # fmt: skip
        self._folder = tempfile.TemporaryDirectory(prefix="workbench-paddle-")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        try:
            self._process = subprocess.Popen(
                [python, "-c", _START, self.module],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment,
                cwd=self._folder.name,
            )  # fmt: skip
        except OSError as error:
            raise PaddleProcessError(
                f"The Python for Paddle cannot be started: {python} ({error.strerror}).",
                f"Set {PYTHON_VARIABLE} to an interpreter that has paddlepaddle installed.",
            ) from error
        return self._process

    def _read_line(self, command: str) -> Any:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = time.monotonic() + self.timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready = select.select([process.stdout], [], [], max(left, 0))[0]
            if not ready:
                self.close()
                raise PaddleProcessError(
                    f"Paddle did not answer '{command}' within {self.timeout:.0f} s.",
                    "Use smaller inputs, or check the model with Paddle alone.",
                )
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                raise self._died(command)
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _died(self, command: str) -> PaddleProcessError:
        process = self._process
        code = process.wait() if process else 0
        tail = self._log_tail()
        self.close()
        if "No module named 'paddle'" in tail:
            return PaddleProcessError(
                "Paddle is not installed in this Python environment.",
                f"pip install paddlepaddle==3.3.1, or set {PYTHON_VARIABLE} to an interpreter that "
                "has it. Conversion of a Paddle 3 model does not need it; verification does.",
            )
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        told = f"\nLast words of the process:\n{tail.strip()}" if tail.strip() else ""
        error = PaddleProcessError(
            f"The Paddle process died ({how}) while it served '{command}'.{told}",
            "Your session and edits are safe. Try again; if it dies again, run the model with "
            "Paddle alone to see whether it works there.",
        )
        error.crashed = code < 0 and -code != signal.SIGKILL  # that is how memory runs out
        return error

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0, os.SEEK_END)
        size = self._log.tell()
        self._log.seek(max(0, size - _TAIL))
        return self._log.read().decode(errors="replace")  # type: ignore[no-any-return]


def _path() -> str:
    """Python's path for the process: our own code, then what the person set.

    Empty entries would mean the working folder; the others keep their meaning elsewhere.
    """
    root = str(Path(__file__).parents[4])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([root, *(os.path.abspath(entry) for entry in given if entry)])


def _refused(answer: dict[str, str]) -> PaddleProcessError:
    """What Paddle says of a request that it refuses."""
    error = PaddleProcessError(answer["error"], answer.get("hint", ""))
    found = _NO_KERNEL.search(error.message)
    error.operator = found[1] if found else ""
    return error
