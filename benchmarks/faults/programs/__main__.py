"""Export the programs of the fault bench, each into a folder of its own, those missing only.

Usage: python -m benchmarks.faults.programs FOLDER [NAME ...]
"""

from __future__ import annotations

import shutil
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from benchmarks.faults.programs import detection, mixed, others, series, tensors, text, vision  # noqa: F401
from benchmarks.faults.programs.collection import RECIPES, Recipe
from benchmarks.faults.programs.health import healthy


def export(name: str, recipe: Recipe, folder: Path) -> str:
    """Export one program with its inputs; returns what its outputs look like."""
    seed = zlib.crc32(name.encode())
    paddle.seed(seed)
    feeds = recipe.feeds(seed)
    net = healthy(recipe.net(), feeds, seed)
    spec = [one.spec for one in recipe.inputs]
    paddle.jit.save(net, str(folder / "inference"), input_spec=spec)
    names = [one.name for one in recipe.inputs]
    for number, feed in enumerate(feeds):
        np.savez(folder / f"feed{number}.npz", **dict(zip(names, feed, strict=True)))
    loaded = paddle.jit.load(str(folder / "inference"))
    told = []
    for feed in feeds:
        found = loaded(*[paddle.to_tensor(array) for array in feed])
        told.append(_health(found if isinstance(found, (list, tuple)) else [found]))
    return " | ".join(told)


def _health(found: Any) -> str:
    scales = []
    for one in found:
        array = one.astype("float32").numpy()
        scales.append(f"{np.abs(array).max(initial=0):.3g}{list(array.shape)}")
    return " ".join(scales)


def main(folder: Path, names: list[str]) -> None:
    """Export those that are not there yet."""
    for name, recipe in RECIPES.items():
        made = folder / name
        if (names and name not in names) or (made / "feed0.npz").exists():
            continue
        made.mkdir(parents=True, exist_ok=True)
        (made / "family.txt").write_text(recipe.family)
        try:
            print(f"{name:24s} {export(name, recipe, made)}", flush=True)
        except Exception as error:  # noqa: BLE001 - the others can be exported all the same
            shutil.rmtree(made)
            print(f"{name:24s} FAILED {type(error).__name__}: {str(error)[-400:]}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
