"""One value of a program: what every part of the workbench speaks about."""

from __future__ import annotations

from dataclasses import dataclass

#: dtype of a value that is a list of tensors (`builtin.combine`) or a tensor array.
LIST, ARRAY = "list", "tensor_array"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One value of the program. Two values are equal when their ids are.

    `shape` holds -1 for a dynamic dimension; `dtype` is Paddle's name ("float32", "bfloat16" …),
    or `LIST` / `ARRAY`. `parameter` names the parameter that the value is, if it is one.
    """

    id: int
    shape: tuple[int, ...]
    dtype: str
    name: str = ""
    parameter: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def label(self) -> str:
        """Name where there is one, else `%id`."""
        return self.parameter or self.name or f"%{self.id}"

    def __repr__(self) -> str:
        dims = ", ".join("?" if dim < 0 else str(dim) for dim in self.shape)
        return f"{self.label}: {self.dtype}[{dims}]"
