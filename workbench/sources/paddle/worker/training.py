"""A few optimiser steps on a saved program, in the Paddle process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle

from workbench.sources.paddle.worker.trainable import open_trainable


def train(
    program: str,
    params: str | None,
    inputs: list[str],
    targets: list[list[Any]],
    parameters: list[str],
    kept: list[str],
    optimiser: str,
    options: dict[str, float],
    steps: int,
    folder: str,
) -> list[float]:
    """Losses before each step and after the last; trained parameters to `folder/p<n>.npy`.

    After the parameters come the variables in `kept`, which the program itself writes: the running
    statistics of batch norm.

    The loss is the mean over the roots of their mean squared distance to `targets`, which lists
    [op position, result number, `.npy` file of float32]. Gradients come from the program, updates
    from Paddle's own optimiser.
    """
    opened = open_trainable(program, params, inputs, folder)
    with opened.differentiated():
        losses, outputs, arrays = [], [], []
        for place, (position, number, path) in enumerate(targets):
            outputs.append(opened.results[position, number].astype("float32"))
            arrays.append(np.load(path))
            given = paddle.static.data(f"workbench_target_{place}", arrays[-1].shape, "float32")
            opened.feed[f"workbench_target_{place}"] = arrays[-1]
            losses.append(paddle.mean((outputs[-1] - given) ** 2))
        loss = paddle.add_n(losses) / len(losses)
        wanted = [opened.parameters[name] for name in parameters]
        gradients = opened.gradients([loss], wanted)
    used = [(n, g) for n, g in zip(parameters, gradients, strict=True) if g is not None]
    fetches = [*outputs, *(gradient for _, gradient in used)]
    tensors = [_tensor(name) for name, _ in used]
    update = _Update(tensors, optimiser, options)
    found = []
    for step in range(steps + 1):
        with opened.differentiated():
            values = [np.asarray(value) for value in opened.run(fetches)]
        found.append(_loss(values[: len(outputs)], arrays))
        if step < steps:
            update.step(values[len(outputs) :])
    for number, name in enumerate([*parameters, *kept]):
        np.save(Path(folder) / f"p{number}.npy", np.asarray(_tensor(name)))
    return found


def _loss(outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
    """In float64: the sum of many squares in float32 would hide what the model does."""
    pairs = zip(outputs, targets, strict=True)
    parts = [((a.astype(np.float64) - b) ** 2).mean() for a, b in pairs]
    return float(np.mean(parts))


def _tensor(name: str) -> Any:
    return paddle.static.global_scope().find_var(name).get_tensor()


class _Update:
    """Paddle's optimiser on copies of the parameters, whose values go back to the program."""

    def __init__(self, tensors: list[Any], optimiser: str, options: dict[str, float]) -> None:
        self.tensors = tensors
        paddle.disable_static()
        self.copies = []
        for tensor in tensors:
            array = np.asarray(tensor)
            copy = paddle.create_parameter(array.shape, str(array.dtype))
            copy.set_value(array)
            self.copies.append(copy)
        make = getattr(paddle.optimizer, optimiser)
        self.optimiser = make(parameters=self.copies, **options)
        paddle.enable_static()

    def step(self, gradients: list[np.ndarray]) -> None:
        paddle.disable_static()
        for copy, gradient in zip(self.copies, gradients, strict=True):
            copy.grad = paddle.to_tensor(gradient)
        self.optimiser.step()
        self.optimiser.clear_grad()
        arrays = [copy.numpy() for copy in self.copies]
        paddle.enable_static()
        for tensor, array in zip(self.tensors, arrays, strict=True):
            tensor.set(array, paddle.CPUPlace())
