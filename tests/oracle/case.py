"""One table row of an operator test: a Paddle expression and the inputs to try it on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def ties(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Few distinct values, so that many are equal."""
    return random.integers(-2, 3, shape) / 2


def special(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Values where functions of real numbers differ: NaN, infinities, signed zeros, halves."""
    points = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 0.5, -0.5, 1.0, -1.5, 2.5])
    return random.choice(points, shape)


def gone(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """A mask to be added: −inf throughout for the first of a batch, 0 for the others."""
    return np.stack([np.full(shape[1:], 0.0 if number else -np.inf) for number in range(shape[0])])


#: Functions have no name that stays the same in a test's id, so cases name them.
DRAWN: dict[str, Callable[..., np.ndarray]] = {"ties": ties, "special": special, "gone": gone}


@dataclass(frozen=True)
class Spec:
    """An input: dims are sizes, or letters for dynamic ones whose sizes the case gives twice."""

    dims: tuple[int | str, ...]
    dtype: str = "float32"
    low: float = -2.0
    high: float = 2.0
    values: Any = None

    def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """Concrete shape for one run."""
        return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in self.dims)

    @property
    def declared(self) -> list[int]:
        """Shape for Paddle's InputSpec."""
        return [-1 if isinstance(dim, str) else dim for dim in self.dims]

    def make(self, sizes: dict[str, int], seed: int) -> np.ndarray:
        """Random values for one run; bfloat16 is given as its float32 values rounded.

        `values` may be a function of the shape and a numpy generator, or a name of `DRAWN`.
        """
        random = np.random.default_rng(seed)
        shape = self.shape(sizes)
        made = DRAWN.get(self.values) if isinstance(self.values, str) else self.values
        if callable(made):
            return np.asarray(made(shape, random), self.dtype)
        if self.values is not None:
            return np.asarray(self.values, self.dtype)
        if self.dtype == "bool":
            return random.random(shape) < 0.5
        if self.dtype.startswith(("int", "uint")):
            return random.integers(int(self.low), int(self.high), shape).astype(self.dtype)
        if self.dtype.startswith("complex"):
            parts = random.uniform(self.low, self.high, (2, *shape))
            return (parts[0] + 1j * parts[1]).astype(self.dtype)
        return random.uniform(self.low, self.high, shape).astype(self.dtype)


def f32(*dims: int | str, low: float = -2.0, high: float = 2.0) -> Spec:
    """float32 input, uniform in [low, high)."""
    return Spec(dims, "float32", low, high)


def f64(*dims: int | str, low: float = -2.0, high: float = 2.0) -> Spec:
    """float64 input."""
    return Spec(dims, "float64", low, high)


def f16(*dims: int | str, low: float = -2.0, high: float = 2.0) -> Spec:
    """float16 input."""
    return Spec(dims, "float16", low, high)


def i64(*dims: int | str, low: int = 0, high: int = 5) -> Spec:
    """int64 input, uniform in [low, high)."""
    return Spec(dims, "int64", low, high)


def i32(*dims: int | str, low: int = 0, high: int = 5) -> Spec:
    """int32 input, uniform in [low, high)."""
    return Spec(dims, "int32", low, high)


def boolean(*dims: int | str) -> Spec:
    """Bool input."""
    return Spec(dims, "bool")


def c64(*dims: int | str) -> Spec:
    """complex64 input."""
    return Spec(dims, "complex64")


def values(data: Any, dtype: str = "float32") -> Spec:
    """An input with exactly these values (same in both runs; static shape)."""
    return Spec(np.asarray(data).shape, dtype, values=data)


@dataclass(frozen=True)
class Case:
    """One expression to convert and compare.

    `ops` are the operators under test: at least one must be in the exported program. `expression`
    is Python over the inputs, the layers and `paddle`, `nn`, `F`, `np`; a tuple gives several
    outputs. `layers` are expressions built once in the layer's constructor; `setup` is statements
    before the expression. `sizes` are the sizes of lettered dims in the first and the second run.
    `refused` is part of the reason with which the rule must refuse. Gradients by float inputs are
    compared wherever Paddle computes them: `grad` says that it must, `no_grad` why they are left
    out. `compare` is "values", or "shapes" for random operators.
    """

    ops: tuple[str, ...]
    expression: str
    inputs: dict[str, Spec]
    layers: dict[str, str] = field(default_factory=dict)
    setup: str = ""
    sizes: tuple[dict[str, int], ...] = (
        {"B": 2, "C": 4, "T": 5, "H": 7, "W": 6, "N": 3},
        {"B": 3, "C": 4, "T": 7, "H": 9, "W": 8, "N": 5},
    )
    refused: str = ""
    grad: bool = False
    no_grad: str = ""
    compare: str = "values"
    rtol: float = 1e-5
    atol: float = 1e-5
    scale: float = 1.0

    @property
    def id(self) -> str:
        """Stable, readable test id."""
        text = f"{self.expression}|{self.inputs}|{self.layers}|{self.setup}"
        name = self.ops[0] if self.ops else ""
        return f"{name}-{self.expression[:60]}-{zlib.crc32(text.encode()) & 0xFFFF:04x}"

    @property
    def dynamic(self) -> bool:
        """True when a dimension is dynamic, so that a second run has another size."""
        return any(isinstance(dim, str) for spec in self.inputs.values() for dim in spec.dims)

    @property
    def runs(self) -> int:
        """Number of runs: two when a dimension is dynamic."""
        return 2 if self.dynamic else 1

    @property
    def differentiable(self) -> bool:
        """True when gradients are to be compared, if Paddle has any."""
        specs = self.inputs.values()
        floats = any(spec.dtype in ("float32", "float64") for spec in specs)
        # Where values are equal or not finite, a derivative is a matter of choice.
        floats = floats and not any(isinstance(spec.values, str) for spec in specs)
        return floats and self.compare == "values" and not (self.refused or self.no_grad)

    def arrays(self, run: int) -> dict[str, np.ndarray]:
        """Inputs of one run."""
        seed = zlib.crc32(self.id.encode()) + run * 1000
        return {
            name: spec.make(self.sizes[run], seed + number)
            for number, (name, spec) in enumerate(self.inputs.items())
        }


def case(ops: str, expression: str, **arguments: Any) -> Case:
    """Shorthand: `case("relu6", "F.relu6(x)", x=f32("B", 3))`.

    `ops` are short operator names separated by spaces. Keyword arguments that are `Spec` are
    inputs, in feed order; strings are layers (`conv="nn.Conv2D(3, 8, 3)"`); other names are fields
    of `Case`.
    """
    own = {"sizes", "refused", "grad", "no_grad", "compare", "rtol", "atol", "setup", "scale"}
    inputs = {key: value for key, value in arguments.items() if isinstance(value, Spec)}
    layers = {
        key: value for key, value in arguments.items() if isinstance(value, str) and key not in own
    }
    fields = {key: value for key, value in arguments.items() if key in own}
    names = tuple(name if "." in name else f"pd_op.{name}" for name in ops.split())
    return Case(names, expression, inputs, layers, **fields)
