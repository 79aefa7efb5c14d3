"""Which inputs a program takes: the program is loaded once and run on each."""

from __future__ import annotations

import numpy as np
import paddle

from workbench.sources.paddle.worker.saved import load_saved, run_saved


def takes(program: str, params: str | None, samples: list[list[str]]) -> list[bool]:
    """For each list of `.npy` files in feed order, whether Paddle runs the program on them."""
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    loaded, feeds, fetches = load_saved(program, params, executor)
    found = []
    for files in samples:
        feed = {name: np.load(path) for name, path in zip(feeds, files, strict=True)}
        try:
            run_saved(executor, loaded, feed, fetches)
        except Exception:  # noqa: BLE001 - Paddle raises whatever its kernels do
            found.append(False)
        else:
            found.append(True)
    return found
