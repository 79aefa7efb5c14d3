"""Remove ops that only hand on their input: `assign`, device copies, `scale` by 1.

In-place operators need the copies in Paddle; after the `inplace` pass every value is written once.
`share_data` is `Tensor.detach`: of a float it stays, since it stops gradients. With an underscore
it shares memory that is overwritten, and is only another name of a value.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.conversion.rewrite import producers, substitute, substitute_op
from workbench.core.dtypes import is_float
from workbench.core.program import Block, Op, Program
from workbench.core.values import ARRAY, LIST, Value

_COPIES = {
    f"pd_op.{name}"
    for name in (
        "assign", "assign_", "assign_out_", "share_data_", "memcpy", "memcpy_d2h", "memcpy_h2d",
        "npu_identity", "copy_to", "shadow_feed",
    )
}  # fmt: skip


def identities(program: Program) -> Program:
    """Run the pass on every block."""
    makers = producers(program)
    return program.with_block(_block(program.block, {}, makers))


def _block(block: Block, outer: dict[Value, Value], makers: dict[Value, Op]) -> Block:
    table = dict(outer)
    ops: list[Op] = []
    for op in block.ops:
        inner = tuple(_block(one, table, makers) for one in op.blocks)
        op = replace(substitute_op(replace(op, blocks=()), table), blocks=inner)
        source = next(iter(op.inputs.values()), None)
        if isinstance(source, Value) and _hands_on(op, source, makers):
            table[next(iter(op.outputs.values()))] = source
        else:
            ops.append(op)
    return Block(block.arguments, tuple(ops), tuple(substitute(v, table) for v in block.results))


def _hands_on(op: Op, source: Value, makers: dict[Value, Op]) -> bool:
    if len(op.outputs) != 1 or source.dtype in (ARRAY, LIST):
        return False
    (result,) = op.outputs.values()
    if result.dtype != source.dtype:
        return False
    if op.name == "pd_op.cast":
        return True
    if op.name == "pd_op.share_data":
        return not is_float(source.dtype)
    if op.name in ("pd_op.scale", "pd_op.scale_"):
        factor = makers.get(op.inputs["scale"])  # type: ignore[arg-type]
        return (
            factor is not None
            and factor.name == "pd_op.full"
            and factor.attributes["value"] == 1
            and op.attributes.get("bias", 0) == 0
        )
    return op.name in _COPIES
