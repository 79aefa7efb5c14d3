"""Recurrent layers: drop initial states of zeros, fold transposes around a batch-first layer.

Paddle's operator is time-major and always wants initial states, so that a usual `nn.LSTM` is saved
as `transpose → rnn(zeros) → transpose`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workbench.conversion.rewrite import count_uses, map_blocks, producers
from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import Value

_SWAP = (1, 0, 2)


def recurrent(program: Program) -> Program:
    """Run the pass on every block."""
    uses, makers = count_uses(program), producers(program)

    def rewrite(block: Block) -> Block:
        swaps = {
            source: op
            for op in block.ops
            if op.name == "pd_op.transpose"
            and tuple(op.attributes["perm"]) == _SWAP
            and isinstance(source := op.inputs["x"], Value)
        }
        gone: set[str] = set()
        ops = []
        for op in block.ops:
            if op.name in ("pd_op.rnn", "pd_op.rnn_"):
                op = _without_zeros(op, program, makers)
                after = swaps.get(op.outputs["out"])
                batched = _batch_first(op, after, uses, makers)
                if batched is not None and after is not None:
                    op = batched
                    gone.add(after.index)
            ops.append(op)
        return replace(block, ops=tuple(op for op in ops if op.index not in gone))

    return map_blocks(program, rewrite)


def _batch_first(
    op: Op, after: Op | None, uses: Counter[Value], makers: dict[Value, Op]
) -> Op | None:
    """The op on batch-first tensors, when both its input and its output are transposed."""
    x, out = op.inputs["x"], op.outputs["out"]
    before = makers.get(x) if isinstance(x, Value) else None
    if before is None or before.name != "pd_op.transpose":
        return None
    if after is None or uses[out] != 1 or tuple(before.attributes["perm"]) != _SWAP:
        return None
    return replace(
        op,
        inputs={**op.inputs, "x": before.inputs["x"]},
        outputs={**op.outputs, "out": after.outputs["out"]},
        attributes={**op.attributes, "batch_first": True},
        merged=(before, op, after),
    )


def _without_zeros(op: Op, program: Program, makers: dict[Value, Op]) -> Op:
    states = op.inputs.get("pre_state")
    if not isinstance(states, tuple) or not all(_is_zero(s, program, makers) for s in states):
        return op
    return replace(op, inputs={**op.inputs, "pre_state": None})


def _is_zero(value: Operand, program: Program, makers: dict[Value, Op]) -> bool:
    """True for a tensor that an operator fills with zeros."""
    maker = makers.get(value) if isinstance(value, Value) else None
    if maker is None:
        return False
    if maker.name == "pd_op.full":
        return bool(maker.attributes["value"] == 0)
    if maker.name in ("pd_op.full_with_tensor", "pd_op.full_like", "pd_op.full_batch_size_like"):
        fill = maker.inputs.get("value")
        known = program.known.get(fill.id) if isinstance(fill, Value) else None
        stored = maker.attributes.get("value")
        return stored == 0 or (known is not None and known.items == [0])
    return False
