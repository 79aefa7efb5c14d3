"""The mapping: one row for each layer, function or parameter of the PyTorch model.

It is the hub of the workbench. The table that people see and edit is this object; the module is
built from it and the source is written from it, so they cannot disagree. A `Mapping` is immutable:
an edit gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.core import shown
from workbench.core.arguments import calls_in, values_of
from workbench.core.calls import Call, Layer, Weight
from workbench.core.program import Op, Program
from workbench.core.traits import Trait
from workbench.core.values import Value

#: Row statuses, from unremarkable to blocking.
STATUSES = ("converted", "adjusted", "edited", "custom", "unsupported")


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Rows of one block of an `if` or `while`; `captures` are the outer values that it reads."""

    name: str
    arguments: tuple[Value, ...]
    rows: tuple[Row, ...]
    results: tuple[Any, ...]
    captures: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the mapping.

    `path` names the row: the module path for a layer (`blocks.0.conv`), a unique name otherwise.
    `outputs` pairs each program value with its place in the call's result (see `calls.Result`).
    `traits` are what its rule says of this very row; `has` asks for those of its ops too.
    """

    path: str
    op: Op | None
    call: Call | Layer | None
    outputs: tuple[tuple[Value, tuple[int, ...]], ...]
    status: str = "converted"
    notes: tuple[str, ...] = ()
    rule: str = ""
    doc: str = ""
    reason: str = ""
    hint: str = ""
    blocks: tuple[RowBlock, ...] = ()
    edited: dict[str, Any] = field(default_factory=dict)
    traits: frozenset[Trait] = frozenset()

    @property
    def scope(self) -> str:
        """Paddle's path of layer classes, `/Block_1/Linear_2/`; empty where the file has none."""
        return self.op.scope if self.op else ""

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the Paddle ops that the row stands for."""
        if self.op is None:
            return ("workbench.parameter",)
        return tuple(op.name for op in self.parts)

    @property
    def parts(self) -> tuple[Op, ...]:
        """The ops of the saved program that the row stands for; none for a parameter."""
        if self.op is None:
            return ()
        return self.op.merged or (self.op,)

    def has(self, trait: Trait) -> bool:
        """True when the row, or any of the ops that it stands for, has the trait."""
        return trait in self.traits or any(trait in op.traits for op in self.parts)

    def is_only(self, trait: Trait) -> bool:
        """True when the row, or every op that it stands for, has the trait."""
        parts = self.parts
        every = bool(parts) and all(trait in op.traits for op in parts)
        return every or trait in self.traits

    @property
    def layer(self) -> Layer | None:
        """The layer in the row's call, which may stand inside other calls (permutes around it)."""
        found = (part for part in calls_in(self.call) if isinstance(part, Layer))
        return next(found, None) if self.call else None

    @property
    def target(self) -> str:
        """What the row becomes in PyTorch."""
        main = self.layer or self.call
        return main.target if main else ""

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the layer or the function."""
        if self.layer is not None:
            return dict(self.layer.arguments)
        return dict(self.call.kwargs) if self.call else {}

    @property
    def weights(self) -> dict[str, Weight]:
        """Where each parameter of the layer comes from, by state_dict key."""
        return dict(self.layer.weights) if self.layer else {}

    @property
    def values(self) -> tuple[Value, ...]:
        """The program values that the row makes."""
        return tuple(value for value, _ in self.outputs)

    @property
    def reads(self) -> tuple[Value, ...]:
        """The program values that the row needs, those captured by its blocks too."""
        needed = values_of(self.call) if self.call else self.op.operands if self.op else ()
        found = dict.fromkeys(needed)
        for block in self.blocks:
            found.update(dict.fromkeys(block.captures))
        return tuple(found)

    @property
    def is_layer(self) -> bool:
        """True when the row becomes a module with a path of its own."""
        return self.layer is not None and not self.is_parameter

    @property
    def is_parameter(self) -> bool:
        """True when the row is a bare parameter or buffer."""
        return self.op is None

    @property
    def is_random(self) -> bool:
        """True when the row draws random numbers."""
        return Trait.RANDOM in self.traits

    @property
    def is_mistaken(self) -> bool:
        """True where Paddle computes something else than the operator means."""
        return Trait.MISTAKEN in self.traits

    @property
    def is_comparable(self) -> bool:
        """False when Paddle's numbers cannot be those that the row should make."""
        return not (self.is_random or self.is_mistaken)

    @property
    def note(self) -> str:
        """All notes in one line, weight steps included."""
        steps = [f"{key} {weight}" for key, weight in self.weights.items() if weight.steps]
        return "; ".join([*steps, *self.notes])


@dataclass(frozen=True, slots=True)
class Mapping:
    """All rows, in the order in which the program runs."""

    program: Program
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return sum(1 for _ in self.walk())

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, path: str) -> Row:
        for row in self.walk():
            if row.path == path:
                return row
        raise KeyError(f"no row named {path!r}")

    def walk(self) -> Iterator[Row]:
        """Every row, those inside `if` and `while` blocks too."""
        yield from walk_rows(self.rows)

    @property
    def unsupported(self) -> tuple[Row, ...]:
        """Rows that no rule could serve."""
        return tuple(row for row in self.walk() if row.status == "unsupported")

    def with_row(self, path: str, changed: Row) -> Mapping:
        """The mapping with one row replaced."""
        return replace(self, rows=_replaced(self.rows, path, changed))

    def __repr__(self) -> str:
        counts = dict.fromkeys(STATUSES, 0)
        for row in self.walk():
            counts[row.status] += 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return f"Mapping({len(self)} rows: {told})"

    def _repr_html_(self) -> str:
        return shown.html(self)


def walk_rows(rows: tuple[Row, ...]) -> Iterator[Row]:
    """Every row, outer before inner."""
    for row in rows:
        yield row
        for block in row.blocks:
            yield from walk_rows(block.rows)


def _replaced(rows: tuple[Row, ...], path: str, changed: Row) -> tuple[Row, ...]:
    return tuple(
        changed
        if row.path == path
        else replace(
            row,
            blocks=tuple(
                replace(block, rows=_replaced(block.rows, path, changed)) for block in row.blocks
            ),
        )
        if row.blocks
        else row
        for row in rows
    )
