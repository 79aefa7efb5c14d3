"""A saved program opened so that gradients can pass through it, in the Paddle process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from workbench.paddle_side.repairs import walk_ops
from workbench.paddle_side.saved import load_saved, run_saved

#: `Tensor.detach`; and a copy, since Paddle would write into the memory that it shares.
_DETACH, _COPY = "1.share_data_", "1.assign"


@dataclass(frozen=True, slots=True)
class Trainable:
    """A loaded program: its `ops` that compute, `results` by [op position, result number] in the
    file, `parameters` by name, `feed` by input name, and how often it detaches a value.
    """

    executor: Any
    loaded: Any
    ops: list[Any]
    results: dict[tuple[int, int], Any]
    parameters: dict[str, Any]
    feed: dict[str, np.ndarray]
    detached: int

    def run(self, fetches: list[Any]) -> list[Any]:
        """The values for the feed."""
        return run_saved(self.executor, self.loaded, self.feed, fetches)


def open_trainable(program: str, params: str | None, inputs: list[str], folder: str) -> Trainable:
    """Load a program for a backward pass; `inputs` are `.npy` files in feed order."""
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    program, detached = _trainable_copy(program, folder)
    loaded, feeds, _ = load_saved(program, params, executor)
    block = loaded.global_block()
    ops = list(block.ops)
    results = {(p, n): value for p, op in enumerate(ops) for n, value in enumerate(op.results())}
    named = {
        op.attrs()["parameter_name"]: op.results()[0]
        for op in ops
        if op.name() == "builtin.parameter"
    }
    feed = {name: np.load(path) for name, path in zip(feeds, inputs, strict=True)}
    kept = _prepare(block, ops, detached)
    return Trainable(executor, loaded, kept, results, named, feed, len(detached))


def _trainable_copy(program: str, folder: str) -> tuple[str, set[int]]:
    """A copy that keeps what the backward pass needs, and where its `detach` ops stand.

    Recurrent ops keep their states, without dropout.
    """
    document = json.loads(Path(program).read_text(encoding="utf-8"))
    (outer,) = document["program"]["regions"][0]["blocks"]
    detached = {place for place, op in enumerate(outer["ops"]) if op["#"] == _DETACH}
    changed = False
    for op in walk_ops(document["program"]["regions"]):
        if op["#"] == _DETACH:
            op["#"], changed = _COPY, True
        for attribute in op["A"] if op["#"] == "1.rnn" else ():
            if attribute["N"] in ("is_test", "dropout_prob"):
                attribute["AT"]["D"] = 0.0 if attribute["N"] == "dropout_prob" else False
                changed = True
    if not changed:
        return program, detached
    copy = Path(folder) / "trainable.json"
    copy.write_text(json.dumps(document), encoding="utf-8")
    return str(copy), detached


def _prepare(block: Any, ops: list[Any], detached: set[int]) -> list[Any]:
    """Let gradients reach every float value; returns the ops that compute something."""
    kept = []
    for position, op in enumerate(ops):
        if op.name() == "pd_op.fetch":
            block.remove_op(op)
            continue
        kept.append(op)
        for value in op.results():
            value.stop_gradient = position in detached or not floats([value])
            if value.is_combine() and value.use_empty():
                # an unused list of tensors has no zero gradient, its items have
                paddle.pir.set_insertion_point_after(op)
                paddle._C_ops.builtin_split(value)
    paddle.pir.set_insertion_point_to_block_end(block)
    return kept


def floats(values: Iterable[Any]) -> list[Any]:
    """Those that hold floats."""
    known = [value for value in values if value.initialized()]
    return [
        value
        for value in known
        if not value.is_dense_tensor_type() or "float" in str(value.dtype).lower()
    ]
