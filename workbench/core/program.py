"""A saved Paddle program as plain data: no torch, no paddle, no file format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from workbench.core import shown
from workbench.core.dtypes import item_size
from workbench.core.traits import Role, Trait
from workbench.core.values import Value

if TYPE_CHECKING:
    from workbench.core.integers import Known


#: What stands in one input position: a value, a list of values, or nothing (an absent optional).
Operand: TypeAlias = "Value | tuple[Value | None, ...] | None"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A stored tensor, read lazily; bfloat16 is held as its 16-bit patterns (uint16).

    `map` gives the array memory-mapped, `read` gives it in memory of its own.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool = True
    map: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)
    read: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)

    @property
    def data(self) -> np.ndarray:
        """The tensor as a read-only, memory-mapped numpy array."""
        if self.map is None:
            raise ValueError(f"parameter {self.name} has no data")
        return self.map()

    def load(self) -> np.ndarray:
        """The tensor in memory of its own, writable."""
        return self.read() if self.read is not None else np.array(self.data)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * item_size(self.dtype)


@dataclass(frozen=True, slots=True)
class Block:
    """A straight run of ops. `results` are what its `cf.yield` (or the fetches) hand out."""

    arguments: tuple[Value, ...]
    ops: tuple[Op, ...]
    results: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """One operator call.

    `inputs` are keyed by the operator's own names (`x`, `filter` …); `index` is the position in the
    saved program ("12", or "12.0.3" for op 3 of block 0 of op 12); `merged` are the ops that a pass
    folded into this one. `traits` and `roles` are what its rule states of its operator.
    """

    name: str
    inputs: Mapping[str, Operand]
    outputs: Mapping[str, Value]
    attributes: Mapping[str, Any]
    index: str
    scope: str = ""
    blocks: tuple[Block, ...] = ()
    merged: tuple[Op, ...] = ()
    traits: frozenset[Trait] = frozenset()
    roles: Mapping[Role, str] = field(default_factory=dict)

    def operand(self, role: Role) -> Value | None:
        """The operand with this role, where it is a single value."""
        found = self.inputs.get(self.roles.get(role, ""))
        return found if isinstance(found, Value) else None

    def setting(self, role: Role, default: float) -> float:
        """The real number among the attributes that has this role."""
        return float(self.attributes.get(self.roles.get(role, ""), default))

    @property
    def operands(self) -> Iterator[Value]:
        """Every value that the op itself reads (not its blocks)."""
        for operand in self.inputs.values():
            if isinstance(operand, Value):
                yield operand
            elif operand is not None:
                yield from (value for value in operand if value is not None)

    @property
    def short_name(self) -> str:
        """Name without dialect: `conv2d`."""
        return short(self.name)

    @property
    def where(self) -> str:
        """Where the op stands, for messages."""
        return f"op {self.index}" + (f" in {self.scope}" if self.scope else "")

    def __repr__(self) -> str:
        out = ", ".join(map(repr, self.outputs.values()))
        args = ", ".join(
            f"{key}={value}" for key, value in self.inputs.items() if value is not None
        )
        return f"{out} = {self.name}({args})"


@dataclass(frozen=True, slots=True)
class Program:
    """A whole saved program.

    `inputs` are in feed order, `outputs` in fetch order. `known` holds what the shape-arithmetic
    pass knows of small integer values, by value id. `positions` tells where Paddle makes each value
    of the outermost block: (position of the op in the file, number of the result); `block_places`
    where it makes those of inner blocks: (key of the block, position of the op or -1 for an
    argument, number), with "12.0" the key of block 0 of op 12.
    `framework` names the source that the program came from, see `sources.registry`.
    `fetched` are the numbers of the outputs before any pass, in fetch order; `own_outputs` says
    that they are not those of the file's own fetch list.
    `structured_names` maps parameter names to attribute paths of the Paddle model where they are
    known.
    """

    block: Block
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: Mapping[str, Parameter]
    source: Path | None = None
    known: Mapping[int, Known] = field(default_factory=dict)
    positions: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    block_places: Mapping[int, tuple[str, int, int]] = field(default_factory=dict)
    params_file: Path | None = None
    structured_names: Mapping[str, str] = field(default_factory=dict)
    fetched: tuple[int, ...] = ()
    own_outputs: bool = False
    framework: str = ""

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops of the outermost block."""
        return self.block.ops

    def walk(self) -> Iterator[Op]:
        """Every op, those inside blocks too."""
        yield from walk(self.block)

    def with_block(self, block: Block) -> Program:
        """The same program with other ops."""
        return replace(self, block=block, outputs=block.results)

    def __repr__(self) -> str:
        count = sum(1 for _ in self.walk())
        return (
            f"Program({count} ops, {len(self.parameters)} parameters; "
            f"inputs {list(self.inputs)}; outputs {list(self.outputs)})"
        )

    def _repr_html_(self) -> str:
        return shown.html(self)


def short(name: str) -> str:
    """An operator's name without dialect: `conv2d`."""
    return name.partition(".")[2] or name


def walk(block: Block) -> Iterator[Op]:
    """Every op of a block and of the blocks inside it, outer first."""
    for op in block.ops:
        yield op
        for inner in op.blocks:
            yield from walk(inner)


def captured(block: Block) -> tuple[Value, ...]:
    """Values that a block reads from outside, in order of first use; parameters included."""
    inside = set(block.arguments)
    found: dict[Value, None] = {}
    for op in block.ops:
        reads = [*op.operands, *(value for inner in op.blocks for value in captured(inner))]
        for value in reads:
            if value not in inside:
                found.setdefault(value)
        inside.update(op.outputs.values())
    for value in block.results:
        if value not in inside:
            found.setdefault(value)
    return tuple(found)
