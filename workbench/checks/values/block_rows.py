"""Rows inside `if` and `while` blocks: where they stand, and what is needed to check them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import fx, nn

from workbench.core.mapping import Mapping, Row, RowBlock, walk_rows
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.targets.pytorch.control_flow import For, If, While


def blocks_inside(rows: Sequence[Row]) -> Iterator[tuple[str, Row, int, RowBlock]]:
    """Every block below these rows: its key in the program, its row, its number and itself."""
    for row in walk_rows(tuple(rows)):
        for number, block in enumerate(row.blocks):
            yield block_key(row, number), row, number, block


def block_key(row: Row, number: int) -> str:
    """Key of a block of a row: "12.0" for the first block of op 12."""
    return f"{row.op.index}.{number}" if row.op is not None else ""


def values_inside(mapping: Mapping) -> dict[str, list[Value]]:
    """What the rows of each block make and read, by the key of the block."""
    return {
        key: [
            *block.arguments,
            *block.captures,
            *(value for row in block.rows for value in (*row.values, *row.reads)),
        ]
        for key, _, _, block in blocks_inside(mapping.rows)
    }


def loop_numbers(mapping: Mapping) -> set[Value]:
    """What our loops over a range count with: a Python int where Paddle has a tensor."""
    return {
        block.arguments[0]
        for _, row, _, block in blocks_inside(mapping.rows)
        if row.target == "control.for" and block.arguments
    }


def references_of(
    mapping: Mapping, path: str, references: Sequence[Reference]
) -> tuple[Reference, ...]:
    """Paddle's values as the row at a path met them: for one in a block, in its first runs."""
    for key, _, _, block in blocks_inside(mapping.rows):
        if any(row.path == path for row in block.rows):
            return tuple(run for reference in references for run in reference.blocks.get(key, ()))
    return tuple(references)


def met_inside(
    program: Program, reference: Reference, key: str, block: RowBlock
) -> tuple[Reference, ...]:
    """Paddle's values in the runs of a block; of one that makes none it cannot be known whether it
    ran, and the values around it stand for it.
    """
    met = tuple(reference.blocks.get(key, ()))
    inner = [key for key, *_ in blocks_inside(block.rows)]
    ran = any(reference.blocks.get(key) for key in inner)
    makes = any(value.id in program.block_places for row in block.rows for value in row.values)
    return met or ((reference,) if ran or not makes else ())


def block_module(modules: dict[str, nn.Module], nodes: Sequence[fx.Node], number: int) -> Any:
    """The graph of block `number` of a control-flow row; None when the module has none."""
    for node in nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, If):
            return (module.then_branch, module.else_branch)[number]
        if isinstance(module, (While, For)):
            return module.body
    return None
