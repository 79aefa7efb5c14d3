"""Where the backward pass of a saved program begins and where it ends, in the Paddle process."""

from __future__ import annotations

from typing import Any

from paddle.base.libpaddle.pir import get_used_external_value

from workbench.sources.paddle.worker.trainable import floats, is_barrier, open_trainable

#: Ops that bring the model's inputs and weights in.
_SOURCES = {"builtin.parameter", "pd_op.data", "pd_op.feed"}


def roots(
    program: str, params: str | None, outputs: list[list[int]], folder: str
) -> dict[str, Any]:
    """The values from which Paddle can go back to the inputs and weights.

    `outputs` and all places are [op position, result number]. Roots are the outputs with a gradient
    and, where an op has none, the values that it reads. Returns {"roots": [place, …], "barriers":
    {op name: [place of a result, …]}}.
    """
    opened = open_trainable(program, params, [], folder)
    places = {value.id: place for place, value in opened.results.items()}
    alive = _alive(opened.ops)
    wanted = [opened.results[position, number] for position, number in outputs]
    found = [value for value in wanted if value.id in alive]
    needed = {value.id for value in wanted}
    barriers: dict[str, list[tuple[int, int]]] = {}
    for op in reversed(opened.ops):
        read = floats([*op.operands_source(), *_captured(op)])
        if not any(value.id in needed for value in (*floats(op.results()), *_arrays(op, read))):
            continue
        lost = [value for value in read if value.id in alive]
        if is_barrier(op) and lost:
            made = [places[value.id] for value in op.results() if value.id in places]
            barriers.setdefault(op.name(), []).extend(made)
            found += [value for value in lost if value.get_defining_op().name() not in _SOURCES]
        needed.update(value.id for value in read)
    known = [places[value.id] for value in found if value.id in places]
    return {"roots": list(dict.fromkeys(known)), "barriers": barriers}


def _captured(op: Any) -> list[Any]:
    """Values from outside that the block of a loop reads."""
    if op.name() != "pd_op.while":
        return []
    return list(get_used_external_value(op.as_while_op().body()))


def _arrays(op: Any, read: list[Any]) -> list[Any]:
    """Tensor arrays into which a loop may write."""
    loop = op.name() == "pd_op.while"
    return [value for value in read if loop and not value.is_dense_tensor_type()]


def _alive(ops: list[Any]) -> set[int]:
    """Values that gradients can leave towards an input or a weight."""
    alive: set[int] = set()
    for op in ops:
        read = any(value.id in alive for value in floats(op.operands_source()))
        if op.name() in _SOURCES or (read and not is_barrier(op)):
            alive.update(value.id for value in floats(op.results()) if not value.stop_gradient)
    return alive
