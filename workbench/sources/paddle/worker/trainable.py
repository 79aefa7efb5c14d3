"""A saved program opened so that gradients can pass through it, in the Paddle process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.autograd import ir_backward

from workbench.sources.paddle.worker.repairs import walk_ops
from workbench.sources.paddle.worker.saved import load_saved, run_saved
from workbench.sources.paddle.worker.substitutes import file_ops

#: `Tensor.detach`; and a copy, since Paddle would write into the memory that it shares.
_DETACH, _COPY = "1.share_data_", "1.assign"
#: Ops that take a shape from their operand and nothing else.
_SHAPES = {"pd_op.full_like", "pd_op.full_batch_size_like", "pd_op.uniform_random_batch_size_like"}


@dataclass(frozen=True, slots=True)
class Trainable:
    """A loaded program: its `ops` that compute, `results` by [op position, result number] in the
    file, `parameters` by name, and `feed` by input name.
    """

    executor: Any
    loaded: Any
    ops: list[Any]
    results: dict[tuple[int, int], Any]
    parameters: dict[str, Any]
    feed: dict[str, np.ndarray]

    def run(self, fetches: list[Any]) -> list[Any]:
        """The values for the feed."""
        return run_saved(self.executor, self.loaded, self.feed, fetches)

    def gradients(self, roots: list[Any], targets: list[Any], given: Any = None) -> list[Any]:
        """Gradients of the weighted sum of the roots; None for a target that has none."""
        return list(ir_backward.grad(roots, targets, given, allow_unused=True))

    @contextmanager
    def differentiated(self) -> Iterator[None]:
        """While the program grows a backward pass; a failure on a loop is told in words."""
        try:
            with paddle.static.program_guard(self.loaded):
                yield
        except Exception as error:
            if any(op.name() == "pd_op.while" for op in self.ops):
                raise NoGradientError(
                    "Paddle cannot differentiate this program: its backward pass fails on a loop."
                ) from error
            raise


class NoGradientError(Exception):
    """Paddle's own backward pass fails on the program."""

    hint = (
        "Verification of the forward values is not touched by this. Gradients can be compared on "
        "a part of the model that has no loop."
    )


def open_trainable(program: str, params: str | None, inputs: list[str], folder: str) -> Trainable:
    """Load a program for a backward pass; `inputs` are `.npy` files in feed order, or none."""
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    program, detached = _trainable_copy(program, folder)
    loaded, feeds, _ = load_saved(program, params, executor)
    block = loaded.global_block()
    every, ops = list(block.ops), file_ops(block)
    results = {(p, n): value for p, op in enumerate(ops) for n, value in enumerate(op.results())}
    named = {
        op.attrs()["parameter_name"]: op.results()[0]
        for op in ops
        if op.name() == "builtin.parameter"
    }
    feed = {name: np.load(path) for name, path in zip(feeds, inputs, strict=bool(inputs))}
    results |= _split_lists(ops)
    _prepare(block, every, {ops[place].id() for place in detached})
    paddle.pir.set_insertion_point_to_block_end(block)
    return Trainable(executor, loaded, list(block.ops), results, named, feed)


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


def _prepare(block: Any, ops: list[Any], detached: set[int]) -> None:
    """Let gradients reach every float value, but not through ops that have none.

    A tensor array would lead them past a loop that has none into its block. `detached` are the
    numbers of ops that let none through.
    """
    loops = any(op.name() == "pd_op.while" for op in ops)
    for op in ops:
        if op.name() == "pd_op.fetch":
            block.remove_op(op)
            continue
        array = loops and op.name() == "pd_op.create_array"
        stopped = op.id() in detached or array or is_barrier(op)
        for value in op.results():
            value.stop_gradient = stopped or not floats([value])
            if value.is_combine() and value.use_empty():
                # an unused list of tensors has no zero gradient, its items have
                paddle.pir.set_insertion_point_after(op)
                paddle._C_ops.builtin_split(value)


def is_barrier(op: Any) -> bool:
    """True for an op that computes with floats and that Paddle has no gradient for.

    A loop is one: the backward pass of a saved loop fails, some end in SIGSEGV.
    """
    if op.name() == "pd_op.while":
        return True
    if op.name() in _SHAPES or op.name().startswith(("builtin.", "cf.")):
        return False
    return bool(floats(op.operands_source())) and not paddle.framework.core.has_vjp(op)


def _split_lists(ops: list[Any]) -> dict[tuple[int, int], Any]:
    """Items of lists, taken in a way that has a gradient; by [op position, result number].

    Translated programs take single items of the result of a split, for which Paddle has none.
    """
    found = {}
    parts: dict[int, Any] = {}
    for position, op in enumerate(ops):
        if op.name() != "builtin.slice":
            continue
        (whole,) = op.operands_source()
        if whole.id not in parts:
            paddle.pir.set_insertion_point_after(whole.get_defining_op())
            parts[whole.id] = paddle._C_ops.builtin_split(whole)
        item = parts[whole.id][op.attrs()["index"]]
        item.stop_gradient = not floats([item])
        op.results()[0].replace_all_uses_with(item)
        found[position, 0] = item
    return found


def floats(values: Iterable[Any]) -> list[Any]:
    """Those that gradients can pass: real or complex numbers, and lists."""
    known = [value for value in values if value.initialized()]
    return [value for value in known if not value.is_dense_tensor_type() or _is_float(value)]


def _is_float(value: Any) -> bool:
    name = str(value.dtype).lower()
    return "float" in name or "complex" in name
