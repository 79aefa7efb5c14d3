"""What is the same whatever the inputs are: a reference that is constant there shows nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.core.calls import Call, Device, Layer
from workbench.core.integers import Dim, IntOp, Symbol, values_in
from workbench.core.traits import Trait
from workbench.core.values import Value

if TYPE_CHECKING:
    from workbench.core.mapping import Mapping, Row


def fixed_values(mapping: Mapping) -> set[Value]:
    """The values that the contents of the inputs do not change: a constant reference is theirs."""
    varying = set(mapping.program.inputs)
    _spread(mapping.rows, varying)
    made = {value for row in mapping.walk() for value in row.values}
    return made - varying


def _spread(rows: Iterable[Row], varying: set[Value]) -> None:
    for row in rows:
        for block in row.blocks:
            varying.update(block.arguments)
            _spread(block.rows, varying)
        if row.blocks or not row.is_comparable or _varies(row, varying):
            varying.update(row.values)


def _varies(row: Row, varying: set[Value]) -> bool:
    if row.op is not None and Trait.SHAPE_ONLY in row.op.traits:
        return False
    return any(value in varying for value in _contents(row.call))


def _contents(argument: Any) -> Iterator[Value]:
    """The values whose elements an argument reads; not those of which it takes a size."""
    if isinstance(argument, Value):
        yield argument
    elif isinstance(argument, Dim | Device):
        return
    elif isinstance(argument, IntOp):
        yield from _contents((argument.left, argument.right))
    elif isinstance(argument, Symbol):
        yield from values_in(argument)
    elif isinstance(argument, Call | Layer):
        yield from _contents((tuple(argument.args), tuple(argument.kwargs.values())))
    elif isinstance(argument, slice):
        yield from _contents((argument.start, argument.stop, argument.step))
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _contents(item)
