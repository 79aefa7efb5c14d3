"""Where created tensors go: on the device of a tensor beside them, `device=x.device`.

A Paddle program does not say where its constants are. Without a device torch makes them on the CPU,
and the converted model would break when it is moved to a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from workbench.core.arguments import calls_in, map_argument
from workbench.core.calls import Call, Device, Layer
from workbench.core.mapping import Row, RowBlock
from workbench.core.values import ARRAY, LIST, Value

#: What makes a tensor out of numbers; each takes `device`.
CREATORS = {
    f"torch.{name}"
    for name in (
        "arange", "blackman_window", "empty", "eye", "full", "hann_window", "linspace", "logspace",
        "ones", "rand", "randint", "randn", "randperm", "tensor", "tril_indices", "triu_indices",
        "zeros",
    )
} | {"fn.int_tensor", "fn.linspace", "fn.float_range", "fn.array_length"}  # fmt: skip
#: How many of the following rows are searched for a tensor that is at hand anyway.
_NEAR = 50


def place(rows: Sequence[Row], inputs: Iterable[Value]) -> tuple[Row, ...]:
    """The rows with a device for every tensor that they create.

    It is the device of a tensor that the row reads, else of one that a row soon after reads too, so
    that no variable lives longer for it, else of the latest tensor.
    """
    start = [value for value in inputs if _is_tensor(value)]
    return _placed(tuple(rows), _Known(dict.fromkeys(start), start[0] if start else None))


@dataclass
class _Known:
    """The tensors made so far, and the one to fall back on."""

    values: dict[Value, None]
    latest: Value | None

    def add(self, values: Iterable[Value]) -> None:
        for value in values:
            if _is_tensor(value):
                self.values[value] = None
                self.latest = value

    def inner(self, arguments: Sequence[Value]) -> _Known:
        """For a block, which has the loop values too."""
        made = _Known(dict(self.values), self.latest)
        made.add(arguments)
        return made


def _placed(rows: tuple[Row, ...], known: _Known) -> tuple[Row, ...]:
    done: list[Row] = []
    for number, row in enumerate(rows):
        if row.blocks:
            row = replace(row, blocks=tuple(_block(row, block, known) for block in row.blocks))
        elif row.call is not None and _creates(row.call):
            beside = _beside(row, rows[number + 1 :], known)
            if beside is not None:
                row = replace(row, call=_with_device(row.call, Device(beside)))
        known.add(row.values)
        done.append(row)
    return tuple(done)


def _block(row: Row, block: RowBlock, known: _Known) -> RowBlock:
    counts = row.call is not None and row.call.target == "control.for"
    arguments = block.arguments[1:] if counts else block.arguments
    rows = _placed(block.rows, known.inner(arguments))
    inside = {*block.arguments, *(value for inner in rows for value in inner.values)}
    captures = dict.fromkeys(block.captures)
    captures |= dict.fromkeys(value for inner in rows for value in inner.reads)
    return replace(block, rows=rows, captures=tuple(v for v in captures if v not in inside))


def _beside(row: Row, following: Sequence[Row], known: _Known) -> Value | None:
    own = [value for value in row.reads if _is_tensor(value) and value in known.values]
    if own:
        return own[0]
    near = list(islice(following, _NEAR))
    same = [later for later in near if later.scope == row.scope]
    for later in (*same, *near):
        for value in later.reads:
            if value in known.values:
                return value
    return known.latest


def _is_tensor(value: Value) -> bool:
    return value.dtype not in (LIST, ARRAY)


def _creates(call: Call | Layer) -> bool:
    return any(_needs_device(part) for part in calls_in(call))


def _needs_device(call: Call | Layer) -> bool:
    return call.target in CREATORS and "device" not in call.kwargs


def _with_device(argument: Any, device: Device) -> Any:
    """A call, and every call in its arguments, with the device where it is needed."""
    made = map_argument(argument, lambda part: _with_device(part, device))
    if isinstance(made, Call) and _needs_device(made):
        return replace(made, kwargs={**made.kwargs, "device": device})
    return made
