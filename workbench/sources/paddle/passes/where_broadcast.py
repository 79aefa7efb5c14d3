"""Broadcasting of `where`: Paddle adds zeros to all three operands, torch.where broadcasts itself.

When shapes differ, Paddle's `where` makes `zeros = 0·x + 0·y + 0·condition` and then computes
`where(bool(condition + zeros), x + zeros, y + zeros)`. This pass brings back the plain operands.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.conversion.rewrite import map_blocks, producers
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value

Makers = dict[Value, Op]


def where_broadcast(program: Program) -> Program:
    """Run the pass on every block."""
    makers = producers(program)

    def change(block: Block) -> Block:
        ops = (_plain(op, makers) if op.name == "pd_op.where" else op for op in block.ops)
        return replace(block, ops=tuple(ops))

    return map_blocks(program, change)


def _plain(op: Op, makers: Makers) -> Op:
    """The op with the operands that stand before the zeros were added, where they do."""
    condition, x, y = (op.inputs[name] for name in ("condition", "x", "y"))
    flag = _behind_cast(condition, makers)
    parts = [_sum(value, makers) for value in (flag, x, y)]
    if flag is None or None in parts:
        return op
    (cast, zeros), (plain_x, zeros_x), (plain_y, zeros_y) = (part for part in parts if part)
    plain_condition = _behind_cast(cast, makers)
    if plain_condition is None or not zeros == zeros_x == zeros_y:
        return op
    if _sources(zeros, makers) != {plain_condition, plain_x, plain_y}:
        return op
    return replace(op, inputs={"condition": plain_condition, "x": plain_x, "y": plain_y})


def _behind_cast(value: object, makers: Makers) -> Value | None:
    maker = makers.get(value) if isinstance(value, Value) else None
    source = maker.inputs["x"] if maker is not None and maker.name == "pd_op.cast" else None
    return source if isinstance(source, Value) else None


def _sum(value: object, makers: Makers) -> tuple[Value, Value] | None:
    """Both operands of the add that makes the value."""
    maker = makers.get(value) if isinstance(value, Value) else None
    if maker is None or maker.name != "pd_op.add":
        return None
    x, y = maker.inputs["x"], maker.inputs["y"]
    return (x, y) if isinstance(x, Value) and isinstance(y, Value) else None


def _sources(value: Value, makers: Makers) -> set[Value]:
    """The values in whose shapes the zeros are made; empty when anything else takes part."""
    maker = makers.get(value)
    if maker is None:
        return set()
    if maker.name == "pd_op.cast":
        return _sources(next(maker.operands), makers)
    if maker.name == "pd_op.add":
        first, second = (_sources(operand, makers) for operand in maker.operands)
        return first | second if first and second else set()
    if maker.name == "pd_op.full_like":
        shape, number = maker.operands
        filler = makers.get(number)
        zero = filler is not None and filler.name == "pd_op.full" and not filler.attributes["value"]
        return {shape} if zero else set()
    return set()
