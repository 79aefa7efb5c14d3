"""Tools of the strategies: draw sizes, some of them dynamic, and put a case together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.oracle.case import Case, Spec

T = TypeVar("T")
Dim = int | str
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Sketch:
    """A case that is being drawn: its dynamic dimensions, inputs and tolerances."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw
        self.sizes: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.inputs: dict[str, Spec] = {}

    # --- plain values ------------------------------------------------------------------------

    def pick(self, *options: T) -> T:
        """One of the options."""
        return self._draw(st.sampled_from(options))  # type: ignore[no-any-return]

    def int(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return self._draw(st.integers(low, high))  # type: ignore[no-any-return]

    def often(self, percent: int = 50) -> bool:
        """True in so many cases of a hundred."""
        return self.int(0, 99) < percent

    def ints(self, count: int, low: int, high: int) -> list[int]:
        """Several integers."""
        return [self.int(low, high) for _ in range(count)]

    def some(self, options: Sequence[T], least: int = 0, most: int = 99) -> list[T]:
        """Some of the options, without repetition, in any order."""
        most = min(most, len(options))
        count = self.int(min(least, most), most)
        return list(self._draw(st.permutations(list(options)))[:count])

    def order(self, count: int) -> list[int]:
        """A permutation."""
        return list(self._draw(st.permutations(range(count))))

    def number(self, low: float = -3.0, high: float = 3.0) -> float:
        """A number with few decimals."""
        return self.int(round(low * 20), round(high * 20)) / 20

    # --- shapes -------------------------------------------------------------------------------

    def dim(self, low: int = 1, high: int = 6, dynamic: int = 35) -> Dim:
        """A size; in `dynamic` cases of a hundred one that differs in the second run."""
        size = self.int(low, high)
        if not self.often(dynamic):
            return size
        letter = _LETTERS[len(self.sizes[0])]
        self.sizes[0][letter] = size
        self.sizes[1][letter] = self.int(low, high)
        return letter

    def size(self, dim: Dim, run: int = 0) -> int:
        """The size that a dimension has in a run."""
        return self.sizes[run][dim] if isinstance(dim, str) else dim

    def least(self, dim: Dim) -> int:
        """The smaller size of both runs."""
        return min(self.size(dim), self.size(dim, 1))

    def shape(
        self, ranks: tuple[int, int] = (0, 4), low: int = 0, high: int = 5, dynamic: int = 30
    ) -> list[Dim]:
        """A shape; size 0 is rare."""
        rank = self.int(*ranks)
        least = low if low or self.often(12) else 1
        return [self.dim(least, high, dynamic) for _ in range(rank)]

    def like(self, dims: Sequence[Dim]) -> list[Dim]:
        """A shape that broadcasts against `dims`: some sizes 1, some leading ones left out."""
        kept = [1 if self.often(25) else dim for dim in dims]
        return kept[self.int(0, len(kept)) if self.often(40) else 0 :]

    def axis(self, rank: int) -> int:
        """An axis, often a negative one."""
        return self.int(-rank, rank - 1)

    def axes(self, rank: int, least: int = 1, most: int = 9) -> list[int]:
        """Different axes, each positive or negative."""
        chosen = self.some(range(rank), least, most)
        return [axis - rank if self.often() else axis for axis in chosen]

    # --- inputs -------------------------------------------------------------------------------

    def floats(self) -> str:
        """A float dtype, mostly float32."""
        return self.pick("float32", "float32", "float32", "float32", "float64", "float16")

    def numbers(self) -> str:
        """A dtype of numbers."""
        return self.pick("float32", "float32", "float64", "int64", "int32", "float16", "uint8")

    def add(
        self, name: str, dims: Sequence[Dim], dtype: str = "float32",
        low: float | None = None, high: float | None = None, values: Any = None,
    ) -> str:  # fmt: skip
        """Add an input and give its name back."""
        whole = dtype.startswith(("int", "uint"))
        bottom = low if low is not None else (0 if dtype.startswith("u") else -5 if whole else -2.0)
        top = high if high is not None else (6 if whole else 2.0)
        self.inputs[name] = Spec(tuple(dims), dtype, bottom, top, values)
        return name

    def tensor(
        self, name: str, dims: Sequence[Dim], dtype: str = "float32",
        low: float | None = None, high: float | None = None,
    ) -> str:  # fmt: skip
        """Like `add`; now and then with ties or, for floats, special values."""
        kind = self.int(0, 11)
        special = {0: "ties", 1: "special"}.get(kind)
        if dtype.startswith(("int", "uint", "bool", "complex")) or low is not None:
            special = None
        return self.add(name, dims, dtype, low, high, special)

    def attribute(self, name: str, value: Any, percent: int = 15, dtype: str = "") -> str:
        """An attribute in the expression: a literal, or now and then an input tensor."""
        if not self.often(percent):
            return repr(value)
        dtype = dtype or self.pick("int32", "int64")
        dims = (len(value),) if isinstance(value, list) else self.pick((), (1,))
        data = value if isinstance(value, list) or dims == () else [value]
        self.inputs[name] = Spec(dims, dtype, values=data)
        return name

    def case(self, expression: str, **more: Any) -> Case:
        """The case as drawn, with the inputs that the expression reads."""
        words = set(re.findall(r"\w+", f"{expression} {more.get('setup', '')}"))
        inputs = {name: spec for name, spec in self.inputs.items() if name in words}
        return Case((), expression, inputs, sizes=self.sizes, **more)


@dataclass(frozen=True)
class Family:
    """Random cases of some operators. `refused` are the reasons that rules may refuse with."""

    name: str
    cases: st.SearchStrategy[Case]
    refused: tuple[str, ...]


FAMILIES: dict[str, Family] = {}


def family(*refused: str) -> Callable[[Callable[[Sketch], Case]], Callable[[Sketch], Case]]:
    """Decorator: a function that draws a case becomes a family of its name."""

    def register(function: Callable[[Sketch], Case]) -> Callable[[Sketch], Case]:
        @st.composite
        def drawn(draw: Callable[[Any], Any]) -> Case:
            return function(Sketch(draw))

        name = function.__name__.strip("_")
        FAMILIES[name] = Family(name, drawn(), refused)
        return function

    return register
