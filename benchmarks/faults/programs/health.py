"""Weights of a healthy scale, as if the net had been trained: nothing vanishes, nothing is idle."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn


def healthy(net: nn.Layer, feeds: list[list[np.ndarray]], seed: int) -> nn.Layer:
    """Random weights that keep the scale of what passes through, and settled batch statistics."""
    random = np.random.default_rng(seed)
    for layer in net.sublayers(include_self=True):
        for name, parameter in layer.named_parameters(include_sublayers=False):
            floating = str(parameter.dtype).split(".")[-1].startswith("float")
            if floating and not name.endswith(("_mean", "_variance")):
                value = _weight(layer, name, tuple(parameter.shape), random)
                parameter.set_value(value.astype("float32"))
    if any(isinstance(one, nn.layer.norm._BatchNormBase) for one in net.sublayers()):
        _settle(net, feeds)
    return net.eval()


def _weight(
    layer: nn.Layer, name: str, shape: tuple[int, ...], random: np.random.Generator
) -> np.ndarray:
    if isinstance(layer, nn.Embedding):
        return random.normal(0, 1, shape)
    if isinstance(layer, nn.PReLU):
        return random.uniform(0.05, 0.4, shape)
    if len(shape) > 1:
        fan = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        if "Transpose" in type(layer).__name__:
            fan = int(shape[0] * np.prod(shape[2:]) / np.prod(layer._stride))
        return random.normal(0, 1.3 / max(fan, 1) ** 0.5, shape)
    if "weight" in name and "." not in name and not isinstance(layer, nn.Linear):
        return random.uniform(0.6, 1.5, shape)
    return random.normal(0, 0.25, shape)


def _settle(net: nn.Layer, feeds: list[list[np.ndarray]]) -> None:
    """Running statistics of batch norms as after training on the inputs."""
    dropped = [one for one in net.sublayers() if isinstance(one, nn.Dropout)]
    net.train()
    for one in dropped:
        one.eval()
    with paddle.no_grad():
        for _ in range(12):
            for feed in feeds:
                if len(feed[0]) > 1:
                    net(*[paddle.to_tensor(array) for array in feed])
    net.eval()
