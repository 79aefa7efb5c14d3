"""Convolution bias: `conv(x, filter) + reshape(bias)` → a convolution with an input `bias`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workbench.conversion.rewrite import count_uses, map_blocks, producers
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value

#: Convolutions, with the name of their output.
CONVOLUTIONS = {
    f"pd_op.{name}"
    for name in (
        "conv2d", "depthwise_conv2d", "conv3d",
        "conv2d_transpose", "depthwise_conv2d_transpose", "conv3d_transpose", "deformable_conv",
    )
}  # fmt: skip


def conv_bias(program: Program) -> Program:
    """Run the pass on every block."""
    uses, makers = count_uses(program), producers(program)
    return map_blocks(program, lambda block: _fuse(block, program, uses, makers))


def _fuse(block: Block, program: Program, uses: Counter[Value], makers: dict[Value, Op]) -> Block:
    inside = {value for op in block.ops for value in op.outputs.values()}
    fused: dict[str, Op] = {}
    gone: set[str] = set()
    for op in block.ops:
        match = _match(op, program, makers)
        if match is None:
            continue
        conv, bias, reshape = match
        (result,) = conv.outputs.values()
        if uses[result] == 1 and result in inside:
            name = next(iter(conv.outputs))
            fused[op.index] = replace(
                conv,
                inputs={**conv.inputs, "bias": bias},
                outputs={name: op.outputs["out"]},
                index=op.index,
                merged=tuple(part for part in (conv, reshape, op) if part is not None),
            )
            gone.add(conv.index)
    ops = tuple(fused.get(op.index, op) for op in block.ops if op.index not in gone)
    return replace(block, ops=ops)


def _match(op: Op, program: Program, makers: dict[Value, Op]) -> tuple[Op, Value, Op | None] | None:
    if op.name != "pd_op.add":
        return None
    for result, shift in ((op.inputs["x"], op.inputs["y"]), (op.inputs["y"], op.inputs["x"])):
        if not (isinstance(result, Value) and isinstance(shift, Value)):
            continue
        conv = makers.get(result)
        if conv is None or conv.name not in CONVOLUTIONS or conv.inputs.get("bias") is not None:
            continue
        bias, reshape = _bias_vector(shift, program, makers)
        layout = str(conv.attributes.get("data_format", "NCHW"))
        axis = len(result.shape) - 1 if layout.endswith("C") else 1
        channels = result.shape[axis]
        aligned = (
            shift.shape
            == tuple(channels if position == axis else 1 for position in range(len(result.shape)))[
                -len(shift.shape) :
            ]
            and len(shift.shape) >= len(result.shape) - axis
        )
        if bias is not None and bias.shape == (channels,) and aligned:
            return conv, bias, reshape
    return None


def _bias_vector(
    shift: Value, program: Program, makers: dict[Value, Op]
) -> tuple[Value | None, Op | None]:
    """The 1-D parameter behind the added value, directly or through a reshape."""
    if shift.parameter in program.parameters:
        return (shift, None) if len(shift.shape) == 1 else (None, None)
    reshape = makers.get(shift)
    if reshape is not None and reshape.name == "pd_op.reshape":
        source = reshape.inputs["x"]
        if isinstance(source, Value) and source.parameter in program.parameters:
            return source, reshape
    return None, None
