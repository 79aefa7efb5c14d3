"""Dissolve `builtin.combine` and `builtin.split`: lists become plain operands and outputs.

`concat(combine(a, b))` becomes `concat(x=(a, b))`, and `split(…) → builtin.split → a, b` an op
with the outputs a and b. A list that also serves in another way stays a list. Programs of Paddle 2
take single elements with `builtin.slice`; those of one list are treated as one split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from workbench.conversion.rewrite import count_uses, map_blocks, new_ids
from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import LIST, Value


def lists(program: Program) -> Program:
    """Run the pass on every block."""
    combined = {
        op.outputs["out"]: tuple(op.operands)
        for op in program.walk()
        if op.name == "builtin.combine"
    }
    program = map_blocks(program, lambda block: _inline(block, combined))
    numbers = new_ids(program)
    program = map_blocks(program, lambda block: _gather_slices(block, numbers))
    uses = count_uses(program)
    return map_blocks(program, lambda block: _unpack(block, uses))


def _inline(block: Block, combined: dict[Value, tuple[Value, ...]]) -> Block:
    def flat(operand: Operand) -> Operand:
        return combined.get(operand, operand) if isinstance(operand, Value) else operand

    ops = tuple(
        replace(op, inputs={name: flat(operand) for name, operand in op.inputs.items()})
        for op in block.ops
        if op.name != "builtin.combine"
    )
    return replace(block, ops=ops)


def _gather_slices(block: Block, numbers: Iterator[int]) -> Block:
    """One `builtin.split` for all the elements that are taken of a list."""
    made = {value for op in block.ops for value in op.outputs.values()}
    taken: dict[Value, dict[int, Value]] = {}
    for op in block.ops:
        source = op.inputs["x"] if op.name == "builtin.slice" else None
        if isinstance(source, Value) and source in made:
            (element,) = op.outputs.values()
            taken.setdefault(source, {})[op.attributes["index"]] = element
    if not taken:
        return block
    ops: list[Op] = []
    for op in block.ops:
        if op.name != "builtin.slice" or op.inputs["x"] not in taken:
            ops.append(op)
        for source in [value for value in op.outputs.values() if value in taken]:
            elements = taken[source]
            items = [
                elements.get(i) or Value(next(numbers), (), "none") for i in range(source.shape[0])
            ]
            outputs = {f"output_{i}": item for i, item in enumerate(items)}
            ops.append(Op("builtin.split", {"x": source}, outputs, {}, op.index))
    return replace(block, ops=tuple(ops))


def _unpack(block: Block, uses: Counter[Value]) -> Block:
    makers = {value: op for op in block.ops for value in op.outputs.values()}
    splits: dict[Value, Op] = {}
    for op in block.ops:
        if op.name == "builtin.split":
            (source,) = op.inputs.values()
            if isinstance(source, Value) and source in makers and uses[source] == 1:
                splits[source] = op
    ops = [_with_items(op, splits) for op in block.ops if op not in splits.values()]
    return replace(block, ops=tuple(ops))


def _with_items(op: Op, splits: dict[Value, Op]) -> Op:
    if not any(value in splits for value in op.outputs.values()):
        return op
    outputs: dict[str, Value] = {}
    for name, value in op.outputs.items():
        if value in splits and value.dtype == LIST:
            items = splits[value].outputs.values()
            outputs |= {f"{name}.{number}": item for number, item in enumerate(items)}
        else:
            outputs[name] = value
    return replace(op, outputs=outputs)
