"""1-D layers: `squeeze(conv2d(unsqueeze(x), unsqueeze(filter)))` becomes `workbench.conv1d`.

Paddle has no 1-D convolution or pooling kernels: it adds a spatial dimension of size 1 to the input
(and to the filter), and takes it away afterwards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from workbench.conversion.rewrite import count_uses, map_blocks, producers
from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import Value

#: 2-D operators: the 1-D name, and which spatial dimension Paddle adds.
_OPERATORS = {
    "pd_op.conv2d": ("workbench.conv1d", 0),
    "pd_op.depthwise_conv2d": ("workbench.conv1d", 0),
    "pd_op.conv2d_transpose": ("workbench.conv1d_transpose", 1),
    "pd_op.depthwise_conv2d_transpose": ("workbench.conv1d_transpose", 1),
    "pd_op.pool2d": ("workbench.pool1d", 0),
    "pd_op.lp_pool2d": ("workbench.lp_pool1d", 0),
    "pd_op.max_pool2d_with_index": ("workbench.max_pool1d", 0),
}
_PAIRS = ("strides", "dilations", "output_padding", "kernel_size", "output_size")


def one_dimension(program: Program) -> Program:
    """Run the pass on every block."""
    fuser = _Fuser(program)
    return map_blocks(program, fuser.block)


class _Fuser:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.uses: Counter[Value] = count_uses(program)
        self.makers: dict[Value, Op] = producers(program)

    def block(self, block: Block) -> Block:
        """The block with every fitting squeeze and its operator made one."""
        inside = {op.index for op in block.ops}
        found: dict[str, Op] = {}
        gone: set[str] = set()
        for op in block.ops:
            plane = self._plane(op)
            made = self._fused(plane, op) if plane and plane.index in inside else None
            if plane and made:
                found[op.index] = made
                gone.add(plane.index)
        ops = (found.get(op.index, op) for op in block.ops if op.index not in gone)
        return replace(block, ops=tuple(ops))

    def _plane(self, squeeze: Op) -> Op | None:
        """The 2-D operator whose only used output goes into this squeeze."""
        source = squeeze.inputs["x"] if squeeze.name == "pd_op.squeeze" else None
        plane = self.makers.get(source) if isinstance(source, Value) else None
        if plane is None or plane.name not in _OPERATORS:
            return None
        first, *others = plane.outputs.values()
        if source != first or self.uses[first] != 1 or any(self.uses[value] for value in others):
            return None
        return plane

    def _fused(self, plane: Op, squeeze: Op) -> Op | None:
        """The 1-D operator, when the added dimension is the expected one."""
        name, added = _OPERATORS[plane.name]
        last = str(plane.attributes.get("data_format", "NCHW")).endswith("C")
        axis = added + (1 if last else 2)
        key = "input" if "input" in plane.inputs else "x"
        inputs: dict[str, Operand] = {
            key: self._before_unsqueeze(plane.inputs[key], axis),
            "bias": plane.inputs.get("bias"),
        }
        if "filter" in plane.inputs:
            inputs["filter"] = self._before_unsqueeze(plane.inputs["filter"], added + 2)
        if any(inputs[name] is None for name in inputs if name != "bias"):
            return None
        attributes = self._attributes(plane, 1 - added, last)
        if attributes is None or self._axis(squeeze) != axis or _is_loose_maximum(plane):
            return None
        merged = (*(plane.merged or (plane,)), squeeze)
        outputs = {next(iter(plane.outputs)): squeeze.outputs["out"]}
        return Op(name, inputs, outputs, attributes, squeeze.index, plane.scope, merged=merged)

    def _attributes(self, plane: Op, keep: int, last: bool) -> dict[str, Any] | None:
        """The attributes without those of the added dimension; None when a size is not known."""
        attributes = dict(plane.attributes) | {"data_format": "NLC" if last else "NCL"}
        for name in ("output_size", "kernel_size"):
            operand = plane.inputs.get(name)
            if isinstance(operand, Value) and operand.shape != (0,):
                known = self.program.known.get(operand.id)
                if known is None or len(known.items) != 2:
                    return None
                attributes[name] = tuple(known.items)
        for name in _PAIRS:
            if attributes.get(name):
                attributes[name] = (attributes[name][keep],)
        paddings = attributes.get("paddings") or (0, 0)
        sides = 2 if len(paddings) == 4 else 1
        attributes["paddings"] = tuple(paddings[sides * keep : sides * keep + sides])
        return attributes

    def _before_unsqueeze(self, operand: Operand, axis: int) -> Value | None:
        """The value to which an unsqueeze added this axis; through a copy of a parameter."""
        unsqueeze = self.makers.get(operand) if isinstance(operand, Value) else None
        if unsqueeze is None or unsqueeze.name != "pd_op.unsqueeze":
            return None
        source = unsqueeze.inputs["x"]
        if not isinstance(source, Value) or len(source.shape) != 3:
            return None
        if self._axis(unsqueeze) != axis:
            return None
        copy = self.makers.get(source)
        if copy is not None and copy.name == "pd_op.assign":
            original = copy.inputs["x"]
            if isinstance(original, Value) and original.parameter in self.program.parameters:
                return original
        return source

    def _axis(self, op: Op) -> int | None:
        """The single constant axis of a squeeze or an unsqueeze of a 4-D tensor."""
        axis = op.inputs.get("axis")
        known = self.program.known.get(axis.id) if isinstance(axis, Value) else None
        if known is None or not known.constant or len(known.items) != 1:
            return None
        return int(known.items[0]) % 4


def _is_loose_maximum(plane: Op) -> bool:
    """True for a maximum over a dynamic length: `torch.export` fixes the length of `max_pool1d`."""
    attributes = plane.attributes
    if attributes.get("adaptive") or attributes.get("global_pooling"):
        return False
    x = plane.inputs.get("x")
    maximum = attributes.get("pooling_type") == "max" or plane.name.endswith("with_index")
    return maximum and isinstance(x, Value) and any(size < 0 for size in x.shape[1:])
