"""Faults in rules that fill layers with the wrong weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.faults.kinds_after import put
from benchmarks.faults.rule_kinds import kind, parts
from workbench.core.calls import Call, Layer, Weight


@dataclass(frozen=True)
class Reordered:
    """A step that puts equal pieces of the first axis into another order."""

    order: tuple[int, ...]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array with its pieces reordered."""
        pieces = np.split(array, len(self.order))
        return np.concatenate([pieces[i] for i in self.order])

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shapes stay."""
        return shape

    def inverse(self) -> Reordered:
        """The step that undoes this one."""
        return Reordered(tuple(int(i) for i in np.argsort(self.order)))

    def __str__(self) -> str:
        return f"pieces in the order {self.order}"


def weights(name: str, change: Any, *words: str, ops: str = "") -> None:
    """A kind that changes the weights of a layer; `change` gives those that differ."""

    def changed(part: Call | Layer) -> Any:
        if not isinstance(part, Layer) or not part.weights:
            return None
        found: dict[str, Weight] = change(part)
        return replace(part, weights={**part.weights, **found}) if found else None

    kind(name, *words, ops=ops)(parts(changed))


def _square(part: Layer) -> dict[str, Weight]:
    weight = part.weights.get("weight")
    fits = weight and len(weight.final_shape) == 2 and len(set(weight.final_shape)) == 1
    if not fits or part.target == "nn.Embedding":
        return {}
    return {"weight": replace(weight, steps=()) if weight.steps else weight.transposed()}


def _kernel(part: Layer) -> dict[str, Weight]:
    weight = part.weights.get("weight")
    fits = (
        weight
        and len(weight.final_shape) == 4
        and weight.final_shape[2] == weight.final_shape[3] > 1
    )
    return {"weight": weight.permuted(0, 1, 3, 2)} if fits else {}


def _channels(part: Layer) -> dict[str, Weight]:
    weight = part.weights.get("weight")
    groups = part.arguments.get("groups", 1)
    fits = weight and groups > 1 and weight.final_shape[0] % 2 == 0
    return {"weight": weight.then(Reordered((1, 0)))} if fits else {}


def _gates(part: Layer) -> dict[str, Weight]:
    order = {"nn.LSTM": (1, 0, 2, 3), "nn.GRU": (1, 0, 2)}.get(part.target)
    return {k: w.then(Reordered(order)) for k, w in part.weights.items()} if order else {}


def _directions(part: Layer) -> dict[str, Weight]:
    keys = [key for key in part.weights if f"{key}_reverse" in part.weights]
    turned = {f"{key}_reverse": part.weights[key] for key in keys}
    return turned | {key: part.weights[f"{key}_reverse"] for key in keys}


def _biases(part: Layer) -> dict[str, Weight]:
    if part.target not in ("nn.GRU",):
        return {}
    keys = [key for key in part.weights if key.startswith("bias_ih")]
    pairs = [(key, key.replace("_ih", "_hh")) for key in keys]
    return {a: part.weights[b] for a, b in pairs} | {b: part.weights[a] for a, b in pairs}


def _statistics(part: Layer) -> dict[str, Weight]:
    if "running_mean" not in part.weights:
        return {}
    return {"running_mean": part.weights["bias"], "bias": part.weights["running_mean"]}


weights("square weight not transposed", _square, "transpos")
weights("kernel axes swapped", _kernel, "permut", "transpos", "axes")
weights("channels in another order", _channels, "order", "channel", "group")
weights("gates in another order", _gates, "gate", "order", ops="rnn")
weights(
    "directions swapped", _directions, "direction", "reverse", "swapped", "filled from", ops="rnn"
)
weights("biases swapped", _biases, "bias", "filled from", ops="rnn")
weights("mean and bias swapped", _statistics, "mean", "filled from", "swapped")


@kind("bias left out", "bias", ops="linear|conv.*|depthwise.*")
@parts
def _no_bias(part: Call | Layer) -> Any:
    if (
        not isinstance(part, Layer)
        or "bias" not in part.weights
        or not re.search("Linear|Conv", part.target)
    ):
        return None
    kept = {key: weight for key, weight in part.weights.items() if key != "bias"}
    return replace(part, arguments={**part.arguments, "bias": False}, weights=kept)


@kind("gate by another activation", "activation", "function", "tanh", ops="rnn")
@parts
def _nonlinearity(part: Call | Layer) -> Any:
    if isinstance(part, Layer) and part.target == "nn.RNN":
        other = "tanh" if part.arguments.get("nonlinearity") == "relu" else "relu"
        return put(part, "nonlinearity", other)
    return None
