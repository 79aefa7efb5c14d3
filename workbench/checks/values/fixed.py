"""What is the same whatever the inputs are: a reference that is constant there shows nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.core.arguments import walk
from workbench.core.calls import Device
from workbench.core.integers import Dim
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
    # not those of which it takes a size or the device: their elements do not matter
    read = walk(row.call, without=(Dim, Device))
    return any(part in varying for part in read if isinstance(part, Value))
