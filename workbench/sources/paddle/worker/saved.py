"""Load a saved program into Paddle, and store what it computes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.static.pir_io import get_pir_feed_and_fetch

from workbench.sources.paddle.worker.substitutes import substitute

#: Where the random numbers of every run begin.
SEED = 1


def load_saved(program: str, params: str | None, executor: Any) -> Any:
    """Paddle's (program, feed names, fetched values) of a saved model.

    Operators that Paddle computes by mistake are replaced, see `substitutes`.
    """
    loaded, *_ = _load(program, params, executor)
    substitute(loaded)
    return loaded, *get_pir_feed_and_fetch(loaded)


def _load(program: str, params: str | None, executor: Any) -> Any:
    prefix = program.removesuffix(".json")
    if params is None or params == f"{prefix}.pdiparams":
        return paddle.static.load_inference_model(prefix, executor)
    return paddle.static.load_inference_model(
        str(Path(program).parent),
        executor,
        model_filename=Path(program).name,
        params_filename=os.path.relpath(params, Path(program).parent),
    )


def run_saved(
    executor: Any, loaded: Any, feed: dict[str, np.ndarray], fetches: list[Any]
) -> list[Any]:
    """Values of a loaded program. Random operators draw the same numbers in every run.

    A backward pass, a training step or a further chunk of values so belongs to the forward values
    that were recorded before. Not as numpy: Paddle refuses that for results that carry LoD.
    """
    paddle.seed(SEED)
    return list(executor.run(loaded, feed=feed, fetch_list=fetches, return_numpy=False))


def store(stems: list[str], values: list[Any], arrays: list[Any], folder: str) -> dict[str, str]:
    """Write fetched values to `folder/<stem>.npy`, bfloat16 as its bits; {stem: dtype}."""
    return {
        stem: store_one(Path(folder) / f"{stem}.npy", value, np.asarray(array))
        for stem, value, array in zip(stems, values, arrays, strict=True)
    }


def store_one(path: Path, value: Any, array: np.ndarray) -> str:
    """Write what Paddle computed for a value of its program, and tell in which dtype."""
    np.save(path, array)
    declared = str(value.dtype).removeprefix("paddle.").removeprefix("DataType.").lower()
    # numpy has no bfloat16; any other dtype is what Paddle really computed in
    return declared if array.dtype in (np.uint16, np.uint8) else str(array.dtype)
