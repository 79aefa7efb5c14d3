"""What a rule returns: one torch call as data, and the weight steps that fill a layer's parameters.

Targets are written as in source code:

    "nn.Linear"      a layer (module), built once, its weights filled from Paddle's parameters
    "F.relu"         torch.nn.functional
    "torch.add"      a torch function
    ".reshape"       a method of the first argument
    "operator.add"   a Python operator, written `a + b`; "operator.getitem" is `a[b]`
    "ops.roi_align"  torchvision.ops
    "fn.pad_same"    a helper of workbench/functions.py; "fn.SomeClass" works as a layer too

Arguments are values of the program, symbolic integers, numbers, strings, `Dtype`, `Device`, slices,
nested calls, and tuples or lists of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.core.values import Value


@dataclass(frozen=True, slots=True)
class Dtype:
    """A torch dtype by Paddle's name; written `torch.float32`."""

    name: str


@dataclass(frozen=True, slots=True)
class Device:
    """The device of a value; written `x.device`."""

    value: Value


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function, method or operator. Arithmetic on calls makes more calls."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: Any) -> Call:
        return Call("operator.add", (self, other))

    def __radd__(self, other: Any) -> Call:
        return Call("operator.add", (other, self))

    def __sub__(self, other: Any) -> Call:
        return Call("operator.sub", (self, other))

    def __rsub__(self, other: Any) -> Call:
        return Call("operator.sub", (other, self))

    def __mul__(self, other: Any) -> Call:
        return Call("operator.mul", (self, other))

    def __rmul__(self, other: Any) -> Call:
        return Call("operator.mul", (other, self))

    def __truediv__(self, other: Any) -> Call:
        return Call("operator.truediv", (self, other))

    def __rtruediv__(self, other: Any) -> Call:
        return Call("operator.truediv", (other, self))

    def __neg__(self) -> Call:
        return Call("operator.neg", (self,))

    def __getitem__(self, index: Any) -> Call:
        return Call("operator.getitem", (self, index))

    def method(self, name: str, *args: Any, **kwargs: Any) -> Call:
        """`self.name(*args, **kwargs)`."""
        return Call(f".{name}", (self, *args), kwargs)


@dataclass(frozen=True, slots=True)
class Layer:
    """One torch module: `target(**arguments)` called with `args`.

    `weights` fills its parameters and buffers by state_dict key; `kwargs` go to the call itself.
    """

    target: str
    args: tuple[Any, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A call whose result is not simply all outputs of the op.

    `outputs` maps the op's output names to the place in the call's result: () is the result itself,
    (1, 0) is `result[1][0]`. Outputs left out must not be used by the program.
    """

    call: Call | Layer
    outputs: Mapping[str, tuple[int, ...]]


# --- weight steps -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Permuted:
    """Axes reordered."""

    axes: tuple[int, ...]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array after the step; a view."""
        return array.transpose(self.axes)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the step; raises ValueError when the step does not fit."""
        if sorted(self.axes) != list(range(len(shape))):
            raise ValueError(f"permutation {self.axes} does not fit shape {shape}")
        return tuple(shape[axis] for axis in self.axes)

    def inverse(self) -> Permuted:
        """The step that undoes this one."""
        return Permuted(tuple(int(axis) for axis in np.argsort(self.axes)))

    def __str__(self) -> str:
        return "transposed" if self.axes == (1, 0) else f"permuted {self.axes}"


@dataclass(frozen=True, slots=True)
class Reshaped:
    """Same elements in another shape. `before` is kept so that the step can be undone."""

    after: tuple[int, ...]
    before: tuple[int, ...]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array after the step."""
        return array.reshape(self.after)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the step; raises ValueError when the step does not fit."""
        if np.prod(shape, dtype=int) != np.prod(self.after, dtype=int):
            raise ValueError(f"{shape} cannot be reshaped to {self.after}")
        return self.after

    def inverse(self) -> Reshaped:
        """The step that undoes this one."""
        return Reshaped(self.before, self.after)

    def __str__(self) -> str:
        return f"reshaped to {self.after}"


@dataclass(frozen=True, slots=True)
class Sliced:
    """The part `start:stop` along an axis. Lossy: has no inverse."""

    axis: int
    start: int
    stop: int

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array after the step; a view."""
        return array[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the step; raises ValueError when the step does not fit."""
        if self.axis >= len(shape) or self.stop > shape[self.axis]:
            raise ValueError(f"slice {self.start}:{self.stop} does not fit shape {shape}")
        return (*shape[: self.axis], self.stop - self.start, *shape[self.axis + 1 :])

    def inverse(self) -> None:
        """A slice cannot be undone."""
        return

    def __str__(self) -> str:
        return f"part {self.start}:{self.stop} of axis {self.axis}"


@dataclass(frozen=True, slots=True)
class Cast:
    """Another dtype (Paddle's name). Lossy: has no inverse."""

    dtype: str

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array after the step."""
        return array.astype(self.dtype)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the step."""
        return shape

    def inverse(self) -> None:
        """A cast cannot be undone."""
        return

    def __str__(self) -> str:
        return f"cast to {self.dtype}"


@dataclass(frozen=True, slots=True)
class RowZeroed:
    """One row set to zero, as Paddle's embedding does for `padding_idx`. Lossy: has no inverse."""

    row: int

    def apply(self, array: np.ndarray) -> np.ndarray:
        """A copy of the array with the row zeroed."""
        array = array.copy()
        array[self.row] = 0
        return array

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape after the step; raises ValueError when there is no such row."""
        if not shape or not -shape[0] <= self.row < shape[0]:
            raise ValueError(f"shape {shape} has no row {self.row}")
        return shape

    def inverse(self) -> None:
        """The row is lost."""
        return

    def __str__(self) -> str:
        return f"row {self.row} set to zero"


Step = Permuted | Reshaped | Sliced | Cast | RowZeroed


@dataclass(frozen=True, slots=True)
class Weight:
    """A Paddle parameter and the steps that turn it into a torch one.

    `shape` and `dtype` are those of the stored parameter.
    """

    parameter: str
    shape: tuple[int, ...]
    dtype: str
    steps: tuple[Step, ...] = ()
    trainable: bool = True

    def then(self, *steps: Step) -> Weight:
        """With more steps at the end."""
        return Weight(self.parameter, self.shape, self.dtype, (*self.steps, *steps), self.trainable)

    def transposed(self) -> Weight:
        """The matrix transposed."""
        return self.then(Permuted((1, 0)))

    def permuted(self, *axes: int) -> Weight:
        """The axes reordered; nothing when they are in order already."""
        return self if list(axes) == sorted(axes) else self.then(Permuted(axes))

    def reshaped(self, *shape: int) -> Weight:
        """In another shape; nothing when it has that shape already."""
        current = self.final_shape
        return self if shape == current else self.then(Reshaped(shape, current))

    def sliced(self, axis: int, start: int, stop: int) -> Weight:
        """Part of one axis; nothing when it is the whole."""
        if (start, stop) == (0, self.final_shape[axis]):
            return self
        return self.then(Sliced(axis, start, stop))

    @property
    def final_shape(self) -> tuple[int, ...]:
        """Shape after all steps; raises ValueError when a step does not fit."""
        shape = self.shape
        for step in self.steps:
            shape = step.shape(shape)
        return shape

    @property
    def final_dtype(self) -> str:
        """Dtype after all steps."""
        casts = [step.dtype for step in self.steps if isinstance(step, Cast)]
        return casts[-1] if casts else self.dtype

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array after all steps; a view where the steps allow it."""
        for step in self.steps:
            array = step.apply(array)
        return array

    def __str__(self) -> str:
        if not self.steps:
            return "copied"
        steps = ", ".join(str(step) for step in self.steps)
        if self.final_shape != self.shape:
            steps += f" {self.shape} → {self.final_shape}"
        return steps
