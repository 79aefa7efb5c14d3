"""Run a small program that stands by itself: a few operators, everything fed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle

from workbench.sources.paddle.worker.saved import run_saved, store
from workbench.sources.paddle.worker.substitutes import file_ops, substitute


def probe(
    program: str, feed: dict[str, str], fetch: list[list[Any]], folder: str
) -> dict[str, str]:
    """Run the program on `.npy` files by feed name; returns {stem: dtype} of what was stored.

    `fetch` lists [op position, result number, file stem]; values go to `folder/<stem>.npy`.
    """
    paddle.enable_static()
    loaded = paddle.static.Program()
    paddle.base.core.deserialize_pir_program(program, loaded)
    substitute(loaded)
    ops = file_ops(loaded.global_block())
    values = [ops[position].results()[number] for position, number, _ in fetch]
    arrays = {name: np.load(path) for name, path in feed.items()}
    executor = paddle.static.Executor(paddle.CPUPlace())
    with paddle.static.scope_guard(paddle.static.Scope()):
        results = run_saved(executor, loaded, arrays, values)
        stems = [stem for _, _, stem in fetch]
        for stem in stems:
            (Path(folder) / stem).parent.mkdir(parents=True, exist_ok=True)
        return store(stems, values, results, folder)
