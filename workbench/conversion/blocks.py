"""Which scopes are blocks: their rows follow one another, so that they can be a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from workbench.core.mapping import Row

Path = tuple[str, ...]


def container(path: str) -> Path:
    """The scope in which the row of a path stands."""
    return tuple(path.split(".")[:-1])


def prefixes(path: Path) -> Iterator[Path]:
    """The scopes around a path and the path itself, outer first."""
    for length in range(1, len(path) + 1):
        yield path[:length]


def shared(left: Path, right: Path) -> Path:
    """The steps that two paths begin with."""
    length = 0
    while length < min(len(left), len(right)) and left[length] == right[length]:
        length += 1
    return left[:length]


class Blocks:
    """The scope of each row, and the scopes that stand in one piece.

    `rows` are those of the outermost block, in order; stored tensors among them count nothing.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.steps = [row for row in rows if not row.is_parameter]
        self._homes = _homes(self.steps)
        self._places: dict[Path, list[int]] = {}
        for number, home in enumerate(self._homes):
            for path in prefixes(home):
                self._places.setdefault(path, []).append(number)
        self._by_row = {id(row): home for row, home in zip(self.steps, self._homes, strict=True)}

    def home(self, row: Row) -> Path:
        """The scope in which a row runs."""
        return self._by_row[id(row)]

    def is_block(self, path: Path) -> bool:
        """True for a scope of several rows without a gap that is not only a list of others."""
        places = self._places.get(path, [])
        if len(places) < 2 or places[-1] - places[0] != len(places) - 1:
            return False
        return not all(_is_numbered(self._homes[number], len(path)) for number in places)

    @property
    def count(self) -> int:
        """How many scopes are blocks."""
        return sum(map(self.is_block, self._places))


def _is_numbered(home: Path, depth: int) -> bool:
    return len(home) > depth and home[depth].isdigit()


def _homes(steps: Sequence[Row]) -> list[Path]:
    """The scope of each row; functions without layers move into the scope around them.

    Paddle saves some functional ops without their scope. One that stands between two ops of a
    scope must run there, whatever its label says.
    """
    homes = [container(row.path) for row in steps]
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
            around = shared(before, following[number])
            if len(around) > len(homes[number]) and around[: len(homes[number])] == homes[number]:
                homes[number] = around
        else:
            before = homes[number]
    return homes
