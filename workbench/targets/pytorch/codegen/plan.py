"""Which rows become a class of their own, and in which order a class runs its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from workbench.conversion.blocks import Blocks, Path, container, prefixes
from workbench.core.mapping import Row, walk_rows
from workbench.core.values import Value


@dataclass(frozen=True, slots=True)
class Part:
    """A scope that becomes a class: its items in order, what it reads, what others read of it."""

    path: Path
    items: tuple[Row | Part, ...]
    reads: tuple[Value, ...] = ()
    writes: tuple[Value, ...] = ()
    parameters: tuple[Row, ...] = field(default=())

    def rows(self) -> Iterator[Row]:
        """Every row inside, in order."""
        for item in self.items:
            if isinstance(item, Part):
                yield from item.rows()
            else:
                yield item


def make_plan(rows: Sequence[Row], results: Sequence[Value]) -> Part:
    """The root part of a model."""
    parameters = tuple(row for row in rows if row.is_parameter)
    steps = [row for row in rows if not row.is_parameter]
    return _Planner(steps, parameters, results).root()


class _Planner:
    def __init__(
        self, steps: list[Row], parameters: tuple[Row, ...], results: Sequence[Value]
    ) -> None:
        self.parameters = parameters
        self.results = set(results)
        self.blocks = Blocks(steps)
        self.steps = steps
        self.position = {id(row): number for number, row in enumerate(steps)}
        rows = (*steps, *parameters)
        self.holding = _scopes(row for row in rows if row.blocks) | _scopes(
            row for row in rows if row.is_layer or row.is_parameter
        )
        # A loop may be all that a scope has; without a layer there is nothing to hold it.
        self.holding &= _scopes(row for row in walk_rows(rows) if row.is_layer or row.is_parameter)
        self.uses = self._last_uses()

    def root(self) -> Part:
        items = self._items(self.steps, ())
        return Part((), items, (), tuple(self.results), self.parameters)

    def _items(self, rows: Sequence[Row], path: Path) -> tuple[Row | Part, ...]:
        depth = len(path)
        items: list[Row | Part] = []

        def child(row: Row) -> Path:
            home = self.blocks.home(row)
            return home[: depth + 1] if len(home) > depth else ()

        for key, group in groupby(rows, child):
            inside = list(group)
            if not key:
                items += inside
            elif key in self.holding and self.blocks.is_block(key):
                items.append(self._part(key, inside))
            else:
                items += self._items(inside, key)
        return tuple(items)

    def _part(self, key: Path, rows: list[Row]) -> Part:
        made = [value for row in rows for value in row.values]
        inside = set(made) | {
            value
            for row in self.parameters
            if container(row.path)[: len(key)] == key
            for value in row.values
        }
        reads = dict.fromkeys(value for row in rows for value in row.reads if value not in inside)
        last = self.position[id(rows[-1])]
        writes = [value for value in made if self.uses.get(value, -1) > last]
        return Part(key, self._items(rows, key), tuple(reads), tuple(writes))

    def _last_uses(self) -> dict[Value, int]:
        uses: dict[Value, int] = {}
        for number, row in enumerate(self.steps):
            for value in row.reads:
                uses[value] = number
        for value in self.results:
            uses[value] = len(self.steps)
        return uses


def _scopes(rows: Iterable[Row]) -> set[Path]:
    return {path for row in rows for path in prefixes(container(row.path))}
