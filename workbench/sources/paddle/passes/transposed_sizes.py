"""Sizes that Paddle saves wrongly: transposed convolutions with `output_padding`, dynamic input.

Paddle adds the output padding to -1, its mark of a dynamic size, so that the file claims a size of
0 (or more) for what is dynamic, and so do values computed from it. Those sizes become -1 again.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.conversion.rewrite import map_blocks, substitute, substitute_op
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value


def transposed_sizes(program: Program) -> Program:
    """Run the pass on every block."""
    corrected: dict[Value, Value] = {}
    claimed: set[int] = set()
    for op in program.walk():
        wrong = _claimed(op)
        if wrong:
            claimed |= wrong
        if wrong or any(value in corrected for value in op.operands):
            for value in op.outputs.values():
                shape = tuple(-1 if size in claimed else size for size in value.shape)
                corrected[value] = replace(value, shape=shape)
    if not corrected:
        return program

    def correct(block: Block) -> Block:
        ops = []
        for op in block.ops:
            outputs = {name: substitute(value, corrected) for name, value in op.outputs.items()}
            ops.append(replace(substitute_op(op, corrected), outputs=outputs))
        results = tuple(substitute(value, corrected) for value in block.results)
        return replace(block, ops=tuple(ops), results=results)

    return map_blocks(program, correct)


def _claimed(op: Op) -> set[int]:
    """The sizes that this op's output claims for dynamic dimensions."""
    x, padding = op.inputs.get("x"), op.attributes.get("output_padding")
    if not op.name.removesuffix("_bias").endswith(("conv2d_transpose", "conv3d_transpose")):
        return set()
    if not padding or not isinstance(x, Value):
        return set()
    spatial = x.shape[1:-1] if str(op.attributes["data_format"]).endswith("C") else x.shape[2:]
    return {extra - 1 for size, extra in zip(spatial, padding, strict=False) if size < 0 < extra}
