"""Taking elements out of tensor arrays, at which Paddle 3.3 sometimes crashes while exporting."""

from __future__ import annotations

import torch

from tests.small_programs import mapped
from workbench.core.program import Block, Op, Program
from workbench.core.values import ARRAY, Value
from workbench.targets.pytorch.builder import build


def test_pop_changes_the_array() -> None:
    """What is read later misses the element, and unused pops stay."""
    x, y = Value(1, (2,), "float32", "x"), Value(2, (2,), "float32", "y")
    array, written = Value(3, (), ARRAY), [Value(4 + i, (), ARRAY) for i in range(3)]
    ops = [Op("pd_op.create_array", {}, {"out": array}, {}, "0")]
    for number, (value, out) in enumerate(zip((x, y, x), written, strict=True)):
        length = Value(20 + number, (1,), "int64")
        ops.append(Op("pd_op.array_length", {"x": array}, {"out": length}, {}, str(len(ops))))
        inputs = {"array": array, "x": value, "i": length}
        ops.append(Op("pd_op.array_write_", inputs, {"out": out}, {}, str(len(ops))))
    popped = [(Value(30 + i, (), ARRAY), Value(40 + i, (2,), "float32")) for i in range(2)]
    for (left, element), index in zip(popped, (0, -1), strict=True):
        outputs = {"array_out": left, "out": element}
        ops.append(
            Op("pd_op.array_pop", {"input": array}, outputs, {"index": index}, str(len(ops)))
        )
    joined = Value(50, (-1, 2), "float32")
    join = {"axis": 0, "use_stack": True}
    ops.append(Op("pd_op.array_to_tensor", {"x": array}, {"out": joined}, join, str(len(ops))))
    program = Program(
        Block((), tuple(ops), (popped[0][1], joined)), (x, y), (popped[0][1], joined), {}
    )
    first, rest = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    taken, remaining = build(mapped(program))(first, rest)
    assert torch.equal(taken, first)
    assert torch.equal(remaining, rest[None])
