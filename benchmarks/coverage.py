"""How many programs convert and match: the workbench and the detour, over a folder of programs.

Usage: python -m benchmarks.coverage FOLDER [--detour-path FOLDER] [--seconds 120]

Each sub-folder holds a program (`inference.json`, `.pdiparams`), `inputs.npz` and Paddle's own
`outputs.npz`, arrays in feed and fetch order; `inputs2.npz` and `outputs2.npz` are a second size.
A program *matches* when every output of every size has Paddle's shape, and its values to 1e-3 of
their scale. Each program is converted in a process of its own, so that one that crashes or hangs
takes nothing with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-3


def ours(folder: Path) -> Callable[..., Any]:
    """Load and convert with the workbench."""
    import workbench as wb

    return wb.load(folder / "inference.json").convert()


def detour(folder: Path) -> Callable[..., Any]:
    """Paddle2ONNX, then onnx2torch."""
    import tempfile

    import onnx
    import onnx2torch
    import paddle2onnx

    params = folder / "inference.pdiparams"
    with tempfile.TemporaryDirectory() as temporary:
        target = f"{temporary}/model.onnx"
        given = str(params) if params.exists() else ""
        paddle2onnx.export(str(folder / "inference.json"), given, target, 17)
        module = onnx2torch.convert(onnx.load(target)).eval()
    return module  # type: ignore[no-any-return]


def arrays(path: Path) -> list[np.ndarray]:
    """Arrays of an `.npz`, in the order in which they were stored."""
    with np.load(path) as file:
        return [file[name] for name in file.files]


def largest_error(found: Any, expected: list[np.ndarray]) -> float:
    """Largest error relative to its output's scale; infinite for other shapes or numbers."""
    results = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(results) != len(expected):
        return float("inf")
    worst = 0.0
    for result, array in zip(results, expected, strict=True):
        wide = np.complex128 if np.iscomplexobj(array) else np.float64
        value = result.detach().cpu().to(_torch(wide)).numpy()
        if value.shape != array.shape:
            return float("inf")
        if not array.size:
            continue
        wanted = array.astype(wide)
        if not np.array_equal(np.isfinite(value), np.isfinite(wanted)):
            return float("inf")
        gap = np.abs(np.nan_to_num(value) - np.nan_to_num(wanted)).max()
        worst = max(worst, float(gap / max(np.abs(np.nan_to_num(wanted)).max(), 1e-9)))
    return worst


def _torch(dtype: type) -> Any:
    import torch

    return torch.complex128 if dtype is np.complex128 else torch.float64


def one(which: str, folder: Path) -> str:
    """What became of one program: "matches", "differs" or "not converted"."""
    import torch

    try:
        module = {"ours": ours, "detour": detour}[which](folder)
    except Exception as error:  # noqa: BLE001 - any failure is a result
        return f"not converted ({type(error).__name__})"
    for number in ("", "2"):
        if not (folder / f"inputs{number}.npz").exists():
            continue
        feed = [torch.from_numpy(array) for array in arrays(folder / f"inputs{number}.npz")]
        try:
            with torch.no_grad():
                found = module(*feed)
        except Exception as error:  # noqa: BLE001
            return f"fails when run ({type(error).__name__})"
        error = largest_error(found, arrays(folder / f"outputs{number}.npz"))
        if error > TOLERANCE:
            return f"differs ({error:.1e})"
    return "matches"


def isolated(which: str, folder: Path, extra_path: str, seconds: float) -> str:
    """`one`, in a process of its own."""
    path = os.pathsep.join(
        filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", ""), extra_path])
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.coverage", "--one", which, str(folder)],
            capture_output=True, text=True, check=False, timeout=seconds,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "not converted (no end)"
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return told[-1].removeprefix("RESULT ") if told else "not converted (crash)"


def main() -> None:
    """Run both over the folder and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder")
    parser.add_argument("--detour-path", default="")
    parser.add_argument("--seconds", type=float, default=120.0, help="limit for one program")
    parser.add_argument("--one", choices=("ours", "detour"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(f"RESULT {one(options.one, Path(options.folder))}")
        return
    folders = sorted(path.parent for path in Path(options.folder).glob("*/outputs.npz"))
    counts: dict[str, Counter[str]] = {"ours": Counter(), "detour": Counter()}
    for folder in folders:
        for which, counter in counts.items():
            told = isolated(which, folder, options.detour_path, options.seconds)
            counter[told.partition(" (")[0]] += 1
            print(f"{folder.name:40s} {which:7s} {told}", flush=True)
    for which, counter in counts.items():
        shares = ", ".join(f"{key} {number}" for key, number in counter.most_common())
        share = counter["matches"] / max(len(folders), 1)
        print(f"{which:7s} matches {share:.1%} of {len(folders)}: {shares}")


if __name__ == "__main__":
    main()
