"""Helpers that several passes share: replace values, count uses, transform every block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import overload

from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import Value


def map_blocks(program: Program, change: Callable[[Block], Block]) -> Program:
    """Apply `change` to every block, inner blocks first."""

    def inside(block: Block) -> Block:
        ops = tuple(
            replace(op, blocks=tuple(inside(inner) for inner in op.blocks)) if op.blocks else op
            for op in block.ops
        )
        return change(replace(block, ops=ops))

    return program.with_block(inside(program.block))


@overload
def substitute(operand: Value, table: Mapping[Value, Value]) -> Value: ...
@overload
def substitute(operand: Operand, table: Mapping[Value, Value]) -> Operand: ...
def substitute(operand: Operand, table: Mapping[Value, Value]) -> Operand:
    """The operand with values replaced; lists are replaced inside."""
    if isinstance(operand, Value):
        return table.get(operand, operand)
    if operand is None:
        return None
    return tuple(None if value is None else table.get(value, value) for value in operand)


def substitute_op(op: Op, table: Mapping[Value, Value]) -> Op:
    """The op, and the blocks inside it, reading the replaced values."""
    if not table:
        return op
    inputs = {name: substitute(operand, table) for name, operand in op.inputs.items()}
    blocks = tuple(substitute_block(block, table) for block in op.blocks)
    return replace(op, inputs=inputs, blocks=blocks)


def substitute_block(block: Block, table: Mapping[Value, Value]) -> Block:
    """The block reading the replaced values."""
    ops = tuple(substitute_op(op, table) for op in block.ops)
    return Block(block.arguments, ops, tuple(substitute(value, table) for value in block.results))


def count_uses(program: Program) -> Counter[Value]:
    """How often each value is read, by ops of every block and as a result."""
    uses: Counter[Value] = Counter()

    def visit(block: Block) -> None:
        for op in block.ops:
            uses.update(op.operands)
            for inner in op.blocks:
                visit(inner)
        uses.update(block.results)

    visit(program.block)
    return uses


def new_ids(program: Program) -> Iterator[int]:
    """Ids that no value of the program has."""
    highest = max((value.id for value in program.inputs), default=0)
    for op in program.walk():
        made = (*op.outputs.values(), *(v for block in op.blocks for v in block.arguments))
        highest = max(highest, *(value.id for value in made), 0)
    return count(highest + 1)


def producers(program: Program) -> dict[Value, Op]:
    """The op that makes each value."""
    return {value: op for op in program.walk() for value in op.outputs.values()}
