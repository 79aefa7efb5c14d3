"""How the programs of the fault bench are declared: a net, its inputs, and sizes to feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from paddle import nn
from paddle.static import InputSpec

Dim = int | str
#: What the letters in a shape become, one row for each set of inputs. Images are H by W, texts L
#: long, a second text S, series T.
SIZES = (
    {"B": 2, "H": 64, "W": 64, "L": 12, "S": 9, "T": 24, "N": 7},
    {"B": 3, "H": 96, "W": 64, "L": 17, "S": 21, "T": 40, "N": 5},
    {"B": 1, "H": 64, "W": 128, "L": 44, "S": 6, "T": 32, "N": 11},
    {"B": 5, "H": 64, "W": 64, "L": 7, "S": 12, "T": 48, "N": 9},
)
Make = Callable[[np.random.Generator, tuple[int, ...], dict[str, int]], np.ndarray]


@dataclass(frozen=True)
class Input:
    """One input of a program; letters in the shape are dynamic."""

    name: str
    shape: tuple[Dim, ...]
    dtype: str
    make: Make

    @property
    def spec(self) -> InputSpec:
        """As Paddle wants it told."""
        shape = [None if isinstance(dim, str) else dim for dim in self.shape]
        return InputSpec(shape, self.dtype, self.name)

    def array(self, random: np.random.Generator, sizes: dict[str, int]) -> np.ndarray:
        """Numbers for these sizes."""
        shape = tuple(sizes[dim] if isinstance(dim, str) else dim for dim in self.shape)
        return self.make(random, shape, sizes).astype(self.dtype)


def real(name: str, *shape: Dim, scale: float = 1.0, dtype: str = "float32") -> Input:
    """Normally distributed numbers."""
    return Input(name, shape, dtype, lambda random, size, _: random.normal(0, scale, size))


def image(*shape: Dim, name: str = "image") -> Input:
    """Smooth waves with noise."""

    def make(random: np.random.Generator, size: tuple[int, ...], _: Any) -> np.ndarray:
        y, x = np.linspace(-1, 1, size[-2])[:, None], np.linspace(-1, 1, size[-1])
        waves = np.sin(4 * y + random.uniform(0, 3)) * np.cos(5 * x) + (x > y)
        return waves + random.normal(0, 0.6, size)

    return Input(name, shape or ("B", 3, 64, 64), "float32", make)


def whole(name: str, *shape: Dim, low: int = 0, high: int, dtype: str = "int64") -> Input:
    """Integers from `low` to below `high`."""
    return Input(name, shape, dtype, lambda random, size, _: random.integers(low, high, size))


def mask(name: str, *shape: Dim, dtype: str = "float32") -> Input:
    """1 at the beginning of each row, 0 after its length, which is at least one."""

    def make(random: np.random.Generator, size: tuple[int, ...], _: Any) -> np.ndarray:
        ends = random.integers(1, size[-1] + 1, (*size[:-1], 1))
        return np.arange(size[-1]) < ends

    return Input(name, shape, dtype, make)


def lengths(name: str, upto: str) -> Input:
    """One length for each of the batch, the first one full."""

    def make(random: np.random.Generator, size: tuple[int, ...], sizes: Any) -> np.ndarray:
        made = random.integers(1, sizes[upto] + 1, size)
        made[0] = sizes[upto]
        return made

    return Input(name, ("B",), "int64", make)


def fixed(name: str, dtype: str, *numbers: float | str) -> Input:
    """The same numbers (or sizes, by letter) for each of the batch."""

    def make(_: Any, size: tuple[int, ...], sizes: dict[str, int]) -> np.ndarray:
        row = [sizes[one] if isinstance(one, str) else one for one in numbers]
        return np.tile(np.array([row]), (size[0], 1))

    return Input(name, ("B", len(numbers)), dtype, make)


@dataclass(frozen=True)
class Recipe:
    """A net and its inputs."""

    family: str
    net: Callable[[], nn.Layer]
    inputs: tuple[Input, ...]

    def feeds(self, seed: int) -> list[list[np.ndarray]]:
        """One list of arrays for each row of `SIZES`."""
        random = np.random.default_rng(seed)
        return [[one.array(random, sizes) for one in self.inputs] for sizes in SIZES]


RECIPES: dict[str, Recipe] = {}


def program(
    family: str, *inputs: Input, name: str = ""
) -> Callable[[Callable[[], nn.Layer]], Callable[[], nn.Layer]]:
    """Decorator: a class or function that makes a net becomes a program of the bench."""

    def register(net: Any) -> Any:
        RECIPES[name or net.__name__.lower()] = Recipe(family, net, inputs)
        return net

    return register
