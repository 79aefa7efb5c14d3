"""The backward pass of a saved program, in the Paddle process."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from workbench.sources.paddle.worker.saved import store
from workbench.sources.paddle.worker.trainable import open_trainable


def gradients(
    program: str,
    params: str | None,
    inputs: list[str],
    cotangents: list[list[Any]],
    wanted: list[list[Any]],
    parameters: list[list[str]],
    folder: str,
) -> dict[str, str]:
    """Gradients of Σ root · cotangent by values inside a saved program and by its parameters.

    `cotangents` lists [op position, result number, `.npy` file] of the roots; `wanted` lists
    [op position, result number, file stem], `parameters` [name, file stem]. Gradients go to
    `folder/<stem>.npy`. Returns {stem: dtype} of those that there are.
    """
    opened = open_trainable(program, params, inputs, folder)
    feed, results = opened.feed, opened.results
    targets = [results[position, number] for position, number, _ in wanted]
    targets += [opened.parameters[name] for name, _ in parameters]
    stems = [stem for *_, stem in (*wanted, *parameters)]
    roots, given = [], []
    with opened.differentiated():
        for place, (position, number, path) in enumerate(cotangents):
            root, array = results[position, number], np.load(path)
            name = f"workbench_cotangent_{place}"
            given.append(paddle.static.data(name, array.shape, root.dtype))
            roots.append(root)
            feed[name] = array
        found = opened.gradients(roots, targets, given)
        known = [(s, value) for s, value in zip(stems, found, strict=True) if value is not None]
        if not known:
            return {}
        values = [value for _, value in known]
        return store([stem for stem, _ in known], values, opened.run(values), folder)
