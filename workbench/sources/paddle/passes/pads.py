"""Padding of 3-D and 4-D tensors: `squeeze(pad3d(unsqueeze(x)))` → `workbench.pad`.

Paddle has a kernel for 5-D tensors only: it adds spatial dimensions of size 1 and takes them away
again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from workbench.conversion.rewrite import count_uses, map_blocks, producers
from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import Value


def pads(program: Program) -> Program:
    """Run the pass on every block."""
    uses, makers = count_uses(program), producers(program)

    def fuse(block: Block) -> Block:
        inside = {op.index for op in block.ops}
        found: dict[str, Op] = {}
        gone: set[str] = set()
        for op in block.ops:
            source = op.inputs["x"] if op.name == "pd_op.squeeze" else None
            pad = makers.get(source) if isinstance(source, Value) else None
            if pad is None or pad.name != "pd_op.pad3d" or pad.index not in inside:
                continue
            made = _fused(pad, op, program, makers, uses)
            if made:
                found[op.index] = made
                gone.add(pad.index)
        ops = (found.get(op.index, op) for op in block.ops if op.index not in gone)
        return replace(block, ops=tuple(ops))

    return map_blocks(program, fuse)


def _fused(
    pad: Op, squeeze: Op, program: Program, makers: dict[Value, Op], uses: Counter[Value]
) -> Op | None:
    """The padding without the added dimensions, when nothing is padded there."""
    source = pad.inputs["x"]
    unsqueeze = makers.get(source) if isinstance(source, Value) else None
    if unsqueeze is None or unsqueeze.name != "pd_op.unsqueeze" or uses[pad.outputs["out"]] != 1:
        return None
    added = _numbers(unsqueeze.inputs["axis"], program)
    sides = _numbers(pad.inputs["paddings"], program)
    if not added or sides is None or added != _numbers(squeeze.inputs.get("axis"), program):
        return None
    layout = str(pad.attributes.get("data_format", "NCDHW"))
    first = 1 if layout.endswith("C") else 2
    kept: list[Any] = []
    for position, axis in enumerate(range(first + 2, first - 1, -1)):  # the last axis comes first
        pair = sides[2 * position : 2 * position + 2]
        if axis not in added:
            kept += pair
        elif pair != [0, 0]:
            return None
    if sorted(added) != added or not set(added) <= set(range(first, first + 3)) or not kept:
        return None
    attributes = dict(pad.attributes) | {"paddings": tuple(kept)}
    return Op(
        "workbench.pad", {"x": unsqueeze.inputs["x"]}, squeeze.outputs, attributes, squeeze.index,
        pad.scope, merged=(unsqueeze, pad, squeeze),
    )  # fmt: skip


def _numbers(operand: Operand, program: Program) -> list[Any] | None:
    known = program.known.get(operand.id) if isinstance(operand, Value) else None
    return None if known is None else known.items
