"""What is stated of every operator where its rule is, carried by every op.

`IN_PLACE` follows from the name: an operator that ends in an underscore writes into its first
operand, unless only its statistics change.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from workbench.conversion.book import Nature
from workbench.core.program import Block, Op, Program
from workbench.core.traits import Trait
from workbench.sources.paddle.passes.inplace import STATISTICS
from workbench.sources.paddle.rules import DEFAULT


def traits(program: Program) -> Program:
    """Run the pass on every block, and on the ops that passes have merged."""
    block = _block(program.block)
    return program if block is program.block else replace(program, block=block)


def _block(block: Block) -> Block:
    ops = tuple(map(_op, block.ops))
    same = all(new is old for new, old in zip(ops, block.ops, strict=True))
    return block if same else replace(block, ops=ops)


def _op(op: Op) -> Op:
    nature = _nature(op.name)
    blocks = tuple(map(_block, op.blocks)) if op.blocks else op.blocks
    merged = tuple(map(_op, op.merged)) if op.merged else op.merged
    parts = zip((*blocks, *merged), (*op.blocks, *op.merged), strict=True)
    stated = (op.traits, op.roles) == (nature.traits, nature.roles)
    if stated and all(new is old for new, old in parts):
        return op
    return replace(op, blocks=blocks, merged=merged, traits=nature.traits, roles=nature.roles)


@cache
def _nature(name: str) -> Nature:
    found = DEFAULT.nature(name)
    overwrites = name.endswith("_") and name not in STATISTICS
    return replace(found, traits=found.traits | {Trait.IN_PLACE}) if overwrites else found
