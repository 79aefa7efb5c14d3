"""Fully connected layers: `matmul(x, weight) + bias` becomes one `workbench.linear`.

Paddle saves a Linear as a matmul with a parameter and an add of a 1-D parameter.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.conversion.rewrite import count_uses, map_blocks
from workbench.core.dtypes import is_float
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value


def linear(program: Program) -> Program:
    """Run the pass on every block."""
    uses = count_uses(program)

    def fuse(block: Block) -> Block:
        products = {op.outputs["out"]: op for op in block.ops if _is_product(op, program)}
        fused: dict[str, Op] = {}
        for op in block.ops:
            match = _match(op, products, program)
            if match and uses[match[0].outputs["out"]] == 1 and match[0].index not in fused:
                fused[match[0].index] = op
        absorbed = {op.index for op in fused.values()}
        ops = []
        for op in block.ops:
            if op.index in fused:
                continue
            if op.index in absorbed:
                product, bias = _match(op, products, program) or (op, None)
                ops.append(_linear(product, bias, op))
            elif op.outputs.get("out") in products:
                ops.append(_linear(op, None, None))
            else:
                ops.append(op)
        return replace(block, ops=tuple(ops))

    return map_blocks(program, fuse)


def _is_product(op: Op, program: Program) -> bool:
    if op.name != "pd_op.matmul" or op.attributes.get("transpose_x"):
        return False
    x, weight = op.inputs["x"], op.inputs["y"]
    return (
        isinstance(x, Value)
        and isinstance(weight, Value)
        and weight.parameter in program.parameters
        and len(weight.shape) == 2
        and len(x.shape) >= 1
        and not x.parameter
        and is_float(weight.dtype)
        and weight.dtype == x.dtype
    )


def _match(op: Op, products: dict[Value, Op], program: Program) -> tuple[Op, Value] | None:
    """The product and the bias that an add joins."""
    if op.name != "pd_op.add":
        return None
    x, y = op.inputs["x"], op.inputs["y"]
    for product, bias in ((x, y), (y, x)):
        if not (isinstance(product, Value) and isinstance(bias, Value) and product in products):
            continue
        width = product.shape[-1]
        if bias.parameter in program.parameters and bias.shape == (width,):
            return products[product], bias
    return None


def _linear(product: Op, bias: Value | None, add: Op | None) -> Op:
    last = add or product
    inputs = {"x": product.inputs["x"], "weight": product.inputs["y"], "bias": bias}
    transposed = bool(product.attributes.get("transpose_y", False))
    return Op(
        "workbench.linear",
        inputs,
        {"out": last.outputs["out"]},
        {"transpose_weight": transposed},
        last.index,
        product.scope or last.scope,
        merged=(product, add) if add else (product,),
    )
