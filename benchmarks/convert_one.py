"""Convert one model in this process; print seconds and peak memory above the imports, as JSON.

Usage: python -m benchmarks.convert_one ours|detour FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def peak_memory() -> int:
    """Peak resident bytes since the last reset."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def reset_peak() -> None:
    """Let the kernel start a new peak from what is resident now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def ours(folder: str) -> None:
    """Load and convert with the workbench."""
    import workbench as wb

    wb.load(folder).convert()


def detour(folder: str) -> None:
    """Paddle2ONNX, then onnx2torch."""
    import onnx
    import onnx2torch
    import paddle2onnx

    target = f"/tmp/detour-{os.getpid()}.onnx"
    paddle2onnx.export(f"{folder}/inference.json", f"{folder}/inference.pdiparams", target, 13)
    onnx2torch.convert(onnx.load(target))
    Path(target).unlink()


def warm(which: str) -> None:
    """Import everything, so that imports are not measured."""
    import torch  # noqa: F401

    if which == "ours":
        import workbench.sources.paddle.rules  # noqa: F401
    else:
        import onnx2torch  # noqa: F401
        import paddle  # noqa: F401
        import paddle2onnx  # noqa: F401


def main() -> None:
    """Measure one conversion."""
    which, folder = sys.argv[1:]
    start = time.perf_counter()
    warm(which)
    imports = time.perf_counter() - start
    reset_peak()
    before = peak_memory()
    start = time.perf_counter()
    {"ours": ours, "detour": detour}[which](folder)
    seconds = time.perf_counter() - start
    told = {"seconds": seconds, "memory": peak_memory() - before, "imports": imports}
    print("RESULT " + json.dumps(told))


if __name__ == "__main__":
    main()
