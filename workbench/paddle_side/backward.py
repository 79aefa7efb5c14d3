"""The backward pass of a saved program, in the Paddle process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.autograd import ir_backward

from workbench.paddle_side.repairs import walk_ops
from workbench.paddle_side.saved import load_saved

#: Ops that bring the model's inputs and weights in.
_SOURCES = {"builtin.parameter", "pd_op.data"}
#: `Tensor.detach`; and a copy, since Paddle would write into the memory that it shares.
_DETACH, _COPY = "1.share_data_", "1.assign"


def gradients(
    program: str,
    params: str | None,
    inputs: list[str],
    cotangents: list[list[Any]],
    wanted: list[list[Any]],
    parameters: list[list[str]],
    folder: str,
) -> dict[str, Any]:
    """Gradients of Σ output · cotangent by values inside a saved program and by its parameters.

    `cotangents` lists [op position, result number, `.npy` file] of the outputs; `wanted` lists
    [op position, result number, file stem], `parameters` [name, file stem]. Gradients go to
    `folder/<stem>.npy`. Returns {"stored": {stem: dtype}, "stopped": [op name, …], "detached":
    number}: the stems that have a gradient, the ops on the way that Paddle has none for, and how
    often the program detaches a value.
    """
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    program, detached = trainable_copy(program, folder)
    loaded, feeds, _ = load_saved(program, params, executor)
    block = loaded.global_block()
    ops = list(block.ops)
    results = {(p, n): value for p, op in enumerate(ops) for n, value in enumerate(op.results())}
    named = {
        op.attrs()["parameter_name"]: op.results()[0]
        for op in ops
        if op.name() == "builtin.parameter"
    }
    targets = [results[position, number] for position, number, _ in wanted]
    targets += [named[name] for name, _ in parameters]
    stems = [stem for *_, stem in (*wanted, *parameters)]
    ops = prepare(block, ops, detached)
    feed = {name: np.load(path) for name, path in zip(feeds, inputs, strict=True)}
    outputs, given = [], []
    with paddle.static.program_guard(loaded):
        for place, (position, number, path) in enumerate(cotangents):
            output, array = results[position, number], np.load(path)
            name = f"workbench_cotangent_{place}"
            given.append(paddle.static.data(name, array.shape, output.dtype))
            outputs.append(output)
            feed[name] = array
        found = _differentiated(outputs, targets, given, ops)
    known = [(stem, value) for stem, value in zip(stems, found, strict=True) if value is not None]
    stored = _run(executor, loaded, feed, known, folder) if known else {}
    return {"stored": stored, "stopped": _stopped(ops, outputs), "detached": len(detached)}


class NoGradientError(Exception):
    """Paddle's own backward pass fails on the program."""

    hint = (
        "Verification of the forward values is not touched by this. Gradients can be compared on "
        "a part of the model that has no loop."
    )


def _differentiated(outputs: Any, targets: Any, given: Any, ops: Iterable[Any]) -> Any:
    try:
        return ir_backward.grad(outputs, targets, given, allow_unused=True)
    except Exception as error:
        if any(op.name() == "pd_op.while" for op in ops):
            raise NoGradientError(
                "Paddle cannot differentiate this program: its backward pass fails on a loop."
            ) from error
        raise


def trainable_copy(program: str, folder: str) -> tuple[str, set[int]]:
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


def prepare(block: Any, ops: list[Any], detached: set[int]) -> list[Any]:
    """Let gradients reach every float value; returns the ops that compute something."""
    kept = []
    for position, op in enumerate(ops):
        if op.name() == "pd_op.fetch":
            block.remove_op(op)
            continue
        kept.append(op)
        for value in op.results():
            value.stop_gradient = position in detached or not _floats([value])
            if value.is_combine() and value.use_empty():
                # an unused list of tensors has no zero gradient, its items have
                paddle.pir.set_insertion_point_after(op)
                paddle._C_ops.builtin_split(value)
    paddle.pir.set_insertion_point_to_block_end(block)
    return kept


def _run(
    executor: Any, program: Any, feed: dict[str, Any], known: list[tuple[str, Any]], folder: str
) -> dict[str, str]:
    values = [value for _, value in known]
    arrays = executor.run(program, feed=feed, fetch_list=values, return_numpy=False)
    stored = {}
    for (stem, value), array in zip(known, arrays, strict=True):
        array = np.asarray(array)
        np.save(Path(folder) / f"{stem}.npy", array)
        declared = str(value.dtype).removeprefix("paddle.").removeprefix("DataType.").lower()
        stored[stem] = declared if array.dtype == np.uint16 else str(array.dtype)
    return stored


def _stopped(ops: list[Any], outputs: Iterable[Any]) -> list[str]:
    """Names of the ops without a gradient through which outputs depend on inputs or weights."""
    derived: set[int] = set()
    for op in ops:
        sources = _floats(op.operands_source())
        if op.name() in _SOURCES or any(value.id in derived for value in sources):
            derived.update(value.id for value in op.results())
    needed = {value.id for value in outputs}
    stopped: dict[str, None] = {}
    for op in reversed(ops):
        if not any(value.id in needed for value in _floats(op.results())):
            continue
        without = not op.name().startswith("builtin.") and not paddle.framework.core.has_vjp(op)
        if without and any(value.id in derived for value in _floats(op.operands_source())):
            stopped[op.name()] = None
            continue
        needed.update(value.id for value in op.operands_source() if value.initialized())
    return list(stopped)


def _floats(values: Iterable[Any]) -> list[Any]:
    known = [value for value in values if value.initialized()]
    return [
        value
        for value in known
        if not value.is_dense_tensor_type() or "float" in str(value.dtype).lower()
    ]
