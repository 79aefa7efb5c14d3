"""The backward pass of a saved program, in the Paddle process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import paddle
from paddle.autograd import ir_backward

from workbench.paddle_side.saved import store
from workbench.paddle_side.trainable import floats, open_trainable

#: Ops that bring the model's inputs and weights in.
_SOURCES = {"builtin.parameter", "pd_op.data"}


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
    opened = open_trainable(program, params, inputs, folder)
    feed, results = opened.feed, opened.results
    targets = [results[position, number] for position, number, _ in wanted]
    targets += [opened.parameters[name] for name, _ in parameters]
    stems = [stem for *_, stem in (*wanted, *parameters)]
    outputs, given = [], []
    with paddle.static.program_guard(opened.loaded):
        for place, (position, number, path) in enumerate(cotangents):
            output, array = results[position, number], np.load(path)
            name = f"workbench_cotangent_{place}"
            given.append(paddle.static.data(name, array.shape, output.dtype))
            outputs.append(output)
            feed[name] = array
        found = _differentiated(outputs, targets, given, opened.ops)
    known = [(stem, value) for stem, value in zip(stems, found, strict=True) if value is not None]
    stored: dict[str, str] = {}
    if known:
        values = [value for _, value in known]
        arrays = opened.run(values)
        stored = store([stem for stem, _ in known], values, arrays, folder)
    return {"stored": stored, "stopped": _stopped(opened.ops, outputs), "detached": opened.detached}


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


def _stopped(ops: list[Any], outputs: Iterable[Any]) -> list[str]:
    """Names of the ops without a gradient through which outputs depend on inputs or weights."""
    derived: set[int] = set()
    for op in ops:
        sources = floats(op.operands_source())
        if op.name() in _SOURCES or any(value.id in derived for value in sources):
            derived.update(value.id for value in op.results())
    needed = {value.id for value in outputs}
    stopped: dict[str, None] = {}
    for op in reversed(ops):
        if not any(value.id in needed for value in floats(op.results())):
            continue
        without = not op.name().startswith("builtin.") and not paddle.framework.core.has_vjp(op)
        if without and any(value.id in derived for value in floats(op.operands_source())):
            stopped[op.name()] = None
            continue
        needed.update(value.id for value in op.operands_source() if value.initialized())
    return list(stopped)
