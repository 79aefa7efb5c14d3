"""Which rows become a class of their own, and in which order a class runs its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from workbench.core.mapping import Row, walk_rows
from workbench.core.values import Value

Path = tuple[str, ...]


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
        self.homes = _homes(steps)
        self.steps = steps
        self.position = {id(row): number for number, row in enumerate(steps)}
        self.whole = self._contiguous()
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
            home = self.homes[id(row)]
            return home[: depth + 1] if len(home) > depth else ()

        for key, group in groupby(rows, child):
            inside = list(group)
            if not key:
                items += inside
            elif self._is_part(key, inside):
                items.append(self._part(key, inside))
            else:
                items += self._items(inside, key)
        return tuple(items)

    def _is_part(self, key: Path, rows: list[Row]) -> bool:
        if key not in self.whole or key not in self.holding or len(rows) < 2:
            return False
        steps = {self.homes[id(row)][len(key) :][:1] for row in rows}
        return not all(step and step[0].isdigit() for step in steps)

    def _part(self, key: Path, rows: list[Row]) -> Part:
        made = [value for row in rows for value in row.values]
        inside = set(made) | {
            value
            for row in self.parameters
            if _container(row)[: len(key)] == key
            for value in row.values
        }
        reads = dict.fromkeys(value for row in rows for value in row.reads if value not in inside)
        last = self.position[id(rows[-1])]
        writes = [value for value in made if self.uses.get(value, -1) > last]
        return Part(key, self._items(rows, key), tuple(reads), tuple(writes))

    def _contiguous(self) -> set[Path]:
        """Scopes whose rows follow one another without a gap."""
        found: dict[Path, list[int]] = {}
        for number, row in enumerate(self.steps):
            for path in _prefixes(self.homes[id(row)]):
                found.setdefault(path, []).append(number)
        return {path for path, places in found.items() if places[-1] - places[0] == len(places) - 1}

    def _last_uses(self) -> dict[Value, int]:
        uses: dict[Value, int] = {}
        for number, row in enumerate(self.steps):
            for value in row.reads:
                uses[value] = number
        for value in self.results:
            uses[value] = len(self.steps)
        return uses


def _container(row: Row) -> Path:
    return tuple(row.path.split(".")[:-1])


def _scopes(rows: Iterable[Row]) -> set[Path]:
    return {path for row in rows for path in _prefixes(_container(row))}


def _prefixes(path: Path) -> Iterator[Path]:
    for length in range(1, len(path) + 1):
        yield path[:length]


def _homes(steps: list[Row]) -> dict[int, Path]:
    """The scope of each row; functions without layers move into the scope around them.

    Paddle saves some functional ops without their scope. One that stands between two ops of a
    scope must run there, whatever its label says.
    """
    homes = [_container(row) for row in steps]
    free = [not (row.is_layer or row.blocks) for row in steps]
    following: list[Path] = [()] * len(steps)
    after: Path = ()
    for number in range(len(steps) - 1, -1, -1):
        following[number] = after
        if not free[number]:
            after = homes[number]
    before: Path = ()
    for number in range(len(steps)):
        if free[number]:
            shared = _shared(before, following[number])
            if len(shared) > len(homes[number]) and shared[: len(homes[number])] == homes[number]:
                homes[number] = shared
        else:
            before = homes[number]
    return {id(row): home for row, home in zip(steps, homes, strict=True)}


def _shared(left: Path, right: Path) -> Path:
    length = 0
    while length < min(len(left), len(right)) and left[length] == right[length]:
        length += 1
    return left[:length]
