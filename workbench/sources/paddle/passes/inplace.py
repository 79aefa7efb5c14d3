"""In-place operators: later readers of the overwritten value see the new one.

Paddle's `increment_`, `set_value_` … write into the buffer of an input. The PyTorch side computes a
new tensor, so every later reader of the old value is pointed to the new value. What a branch or a
loop body overwrites outside of itself becomes one more result of the `if`, or one more value that
the `while` carries along. Afterwards every value is written once. Statistics (of batch norm, of
quantisers) and tensor arrays are left alone: the first are not used afterwards, the second are
mutable lists on both sides. `Tensor.detach` writes nothing, but shares memory: it is in place where
somebody writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from workbench.conversion.rewrite import new_ids, substitute, substitute_block, substitute_op
from workbench.core.program import Block, Op, Program
from workbench.core.values import ARRAY, Value

#: Operators that overwrite statistics, states or caches, and only read their first input.
STATISTICS = {
    "pd_op.batch_norm_", "pd_op.sync_batch_norm_", "pd_op.quantize_linear_",
    "pd_op.dequantize_linear_", "pd_op.fake_quantize_dequantize_moving_average_abs_max_",
    "pd_op.fake_quantize_moving_average_abs_max_", "pd_op.fake_quantize_range_abs_max_",
    "pd_op.moving_average_abs_max_scale_", "pd_op.rnn_", "pd_op.fused_batch_norm_act_",
    "pd_op.fused_bn_add_activation_", "pd_op.fused_multi_transformer_",
    "pd_op.masked_multihead_attention_", "pd_op.block_multihead_attention_",
    "pd_op.block_multihead_attention_xpu_", "pd_op.fp8_gemm_blockwise_",
}  # fmt: skip
#: `Tensor.detach`, which shares the memory of its input: what is written there later shows in both.
_DETACH = "pd_op.share_data_"
#: Operators that do not write into their first input.
_TARGETS = {"pd_op.assign_out_": "output", "pd_op.where_": "x"}

#: From overwritten values to what replaces them.
Table = dict[Value, Value]


def inplace(program: Program) -> Program:
    """Run the pass on every block."""
    program = program.with_block(_detached(program.block, _shared(program)))
    if not any(_overwritten(op) for op in program.walk()):
        return program
    block, _ = _Rewriter(new_ids(program)).block(program.block, {})
    return program.with_block(block)


def _shared(program: Program) -> set[Value]:
    """Values whose memory some operator overwrites."""
    ops = [op for op in program.walk() if op.name != _DETACH]
    return {value for op in ops for pair in _overwritten(op).items() for value in pair}


def _detached(block: Block, shared: set[Value]) -> Block:
    """Each `Tensor.detach` of a value that nobody overwrites under a name without underscore."""

    def plain(op: Op) -> Op:
        values = {*op.inputs.values(), *op.outputs.values()}
        name = "pd_op.share_data" if op.name == _DETACH and not values & shared else op.name
        return replace(op, name=name, blocks=tuple(_detached(one, shared) for one in op.blocks))

    return replace(block, ops=tuple(plain(op) for op in block.ops))


class _Rewriter:
    def __init__(self, numbers: Iterator[int]) -> None:
        self.numbers = numbers

    def block(self, block: Block, outer: Table) -> tuple[Block, Table]:
        """The block without overwriting, and what it overwrites of the values outside."""
        table = dict(outer)
        inside = set(block.arguments)
        written: Table = {}
        ops: list[Op] = []
        for op in block.ops:
            made, changes = self._op(op, table)
            ops.append(made)
            for before, after in changes.items():
                _point(table, before, after)
                if before in inside:
                    written |= {key: after for key, new in written.items() if new == before}
                else:
                    written[before] = after
            inside.update(made.outputs.values())
        results = tuple(substitute(value, table) for value in block.results)
        return Block(block.arguments, tuple(ops), results), written

    def _op(self, op: Op, table: Table) -> tuple[Op, Table]:
        """The op reading current values, and what it overwrites."""
        inner = [self.block(block, table) for block in op.blocks]
        op = substitute_op(replace(op, blocks=()), table)
        if not inner:
            return op, _overwritten(op)
        changed = list(dict.fromkeys(value for _, written in inner for value in written))
        results = {value: self._like(value) for value in changed}
        added = {f"inplace.{value.id}": new for value, new in results.items()}
        op = replace(op, outputs={**op.outputs, **added})
        if op.name == "pd_op.while" and changed:
            op = replace(op, inputs={**op.inputs, **{f"inplace.{v.id}": v for v in changed}})
            arguments = {value: self._like(value) for value in changed}
            inner = [(_carrying(block, arguments), written) for block, written in inner]
        blocks = (
            replace(block, results=(*block.results, *(written.get(v, v) for v in changed)))
            for block, written in inner
        )
        return replace(op, blocks=tuple(blocks)), results

    def _like(self, value: Value) -> Value:
        return Value(next(self.numbers), value.shape, value.dtype)


def _overwritten(op: Op) -> Table:
    if not op.name.endswith("_") or op.name in STATISTICS or not op.inputs or not op.outputs:
        return {}
    first = next(iter(op.inputs.values()))
    before, after = op.inputs.get(_TARGETS.get(op.name, ""), first), next(iter(op.outputs.values()))
    if not isinstance(before, Value) or before.dtype == ARRAY:
        return {}
    same = (before.shape, before.dtype) == (after.shape, after.dtype)
    return {before: after} if same or op.name == "pd_op.assign_out_" else {}


def _carrying(body: Block, arguments: Table) -> Block:
    """The loop body with more arguments, which it reads instead of the outer values."""
    body = substitute_block(body, arguments)
    return replace(body, arguments=(*body.arguments, *arguments.values()))


def _point(table: Table, before: Value, after: Value) -> None:
    for old, new in table.items():
        if new == before:
            table[old] = after
    table[before] = after
