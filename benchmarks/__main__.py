"""Conversion side by side with the detour (Paddle2ONNX → onnx2torch), and against program size.

Usage: python -m benchmarks [--repeat 3] [--detour-path FOLDER]

Each measurement runs in a process of its own, the candidates in turn, so that a noisy machine hits
both. The detour's packages are optional: `pip install paddle2onnx onnx2torch onnx_graphsurgeon`, in
this environment or in a folder that `--detour-path` names.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

EXPORT = """
import sys, paddle
name, folder = sys.argv[1:]
paddle.seed(0)
net = getattr(paddle.vision.models, name)()
net.eval()
spec = [paddle.static.InputSpec([-1, 3, -1, -1], "float32", name="image")]
paddle.jit.save(net, folder + "/inference", input_spec=spec)
"""
CHAIN = """
import sys, paddle
count, folder = int(sys.argv[1]), sys.argv[2]
class Chain(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.fc = paddle.nn.Linear(4, 4)
    def forward(self, x):
        for _ in range(count // 4):
            x = paddle.nn.functional.relu(self.fc(x)) + 1.0
        return x
spec = [paddle.static.InputSpec([-1, 4], "float32", name="x")]
paddle.jit.save(Chain(), folder + "/inference", input_spec=spec)
"""


def measure(which: str, folder: str, extra_path: str) -> dict[str, float] | str:
    """Figures of one conversion, or the last line of what went wrong."""
    path = os.pathsep.join(
        filter(None, [os.getcwd(), extra_path, os.environ.get("PYTHONPATH", "")])
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.convert_one", which, folder],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return dict(json.loads(line.removeprefix("RESULT ")))
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def compare(name: str, folder: str, repeat: int, extra_path: str) -> None:
    """Print one model's figures for both ways."""
    weights = Path(folder, "inference.pdiparams").stat().st_size
    found: dict[str, list[dict[str, float]]] = {"ours": [], "detour": []}
    for _ in range(repeat):
        for which, results in found.items():
            told = measure(which, folder, extra_path)
            if isinstance(told, str):
                print(f"  {which}: not measured ({told})")
            else:
                results.append(told)
    print(f"{name}: {weights / 1e6:.0f} MB of weights, median of {repeat}")
    for which, results in found.items():
        if results:
            seconds = statistics.median(result["seconds"] for result in results)
            memory = statistics.median(result["memory"] for result in results)
            print(
                f"  {which:7s} {seconds:7.3f} s   peak {memory / 1e6:7.0f} MB above the imports "
                f"({memory / weights:.2f} × the weights)"
            )
    if all(found.values()):
        ours, detour = (
            statistics.median(result["seconds"] for result in found[which])
            for which in ("ours", "detour")
        )
        print(f"  the detour takes {detour / ours:.1f} × our time")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--detour-path", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        for name in ("resnet50", "mobilenet_v3_large"):
            folder = str(Path(root, name))
            subprocess.run(
                [sys.executable, "-c", EXPORT, name, folder], check=True, capture_output=True
            )
            compare(name, folder, options.repeat, options.detour_path)
        print("conversion time against program size")
        for count in (100, 1000, 10000):
            folder = str(Path(root, f"chain{count}"))
            script = Path(root, "chain.py")  # Paddle's tracer wants a file
            script.write_text(CHAIN)
            subprocess.run(
                [sys.executable, script, str(count), folder], check=True, capture_output=True
            )
            told = measure("ours", folder, "")
            shown = told if isinstance(told, str) else f"{told['seconds']:.3f} s"
            print(f"  {count:6d} ops: {shown}")


if __name__ == "__main__":
    main()
