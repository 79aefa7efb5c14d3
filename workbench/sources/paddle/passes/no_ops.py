"""Remove ops that change nothing here: a transpose that keeps the order, an expand to x's shape.

Paddle saves them because they were called, or because its broadcasting adds them to be sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from workbench.conversion.rewrite import producers, substitute, substitute_op
from workbench.core.arguments import with_values
from workbench.core.integers import Dim, Known
from workbench.core.program import Block, Op, Operand, Program
from workbench.core.values import LIST, Value

Test = Callable[["_Remover", Op, Value, Value], bool]
_TESTS: dict[str, Test] = {}


def no_ops(program: Program) -> Program:
    """Run the pass on every block."""
    remover = _Remover(program)
    changed = program.with_block(remover.block(program.block, {}))
    known = {
        key: Known(with_values(found.array, remover.removed), found.dtype)
        for key, found in program.known.items()
    }
    return replace(changed, known=known)


class _Remover:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.makers = producers(program)
        self.removed: dict[Value, Value] = {}

    def block(self, block: Block, outer: dict[Value, Value]) -> Block:
        table = dict(outer)
        ops: list[Op] = []
        for op in block.ops:
            inner = tuple(self.block(one, table) for one in op.blocks)
            op = replace(substitute_op(replace(op, blocks=()), table), blocks=inner)
            source = self._source(op)
            if source is None:
                ops.append(op)
            else:
                result = next(iter(op.outputs.values()))
                table[result] = self.removed[result] = source
        results = tuple(substitute(value, table) for value in block.results)
        return Block(block.arguments, tuple(ops), results)

    def _source(self, op: Op) -> Value | None:
        test = _TESTS.get(op.name)
        if test is None:
            return None
        name = "values" if op.name.startswith("pd_op.set_value") else next(iter(op.inputs))
        source = op.inputs[name]
        if isinstance(source, tuple) and len(source) == 1:
            source = source[0]
        result = next(iter(op.outputs.values()))
        if not isinstance(source, Value) or LIST in (source.dtype, result.dtype):
            return None
        same = source.dtype == result.dtype and len(source.shape) == len(result.shape)
        return source if same and test(self, op, source, result) else None

    def items(self, operand: Operand) -> list[Any] | None:
        """Elements of a small operand, where they are known."""
        known = self.program.known.get(operand.id) if isinstance(operand, Value) else None
        return None if known is None else known.items


def _tests(*names: str) -> Callable[[Test], Test]:
    def register(function: Test) -> Test:
        for name in names:
            _TESTS[f"pd_op.{name}"] = _TESTS[f"pd_op.{name}_"] = function
        return function

    return register


def _fixed(source: Value, result: Value) -> bool:
    return source.shape == result.shape and -1 not in source.shape


def _keeps(source: Value, axis: int, size: Any) -> bool:
    """True when `size` is what the axis has anyway."""
    own = source.shape[axis]
    return bool(size == own) if own >= 0 else size == Dim(source, axis)


@_tests("transpose")
def _transpose(_: _Remover, op: Op, source: Value, __: Value) -> bool:
    rank = len(source.shape)
    return [axis % rank for axis in op.attributes["perm"]] == list(range(rank))


@_tests("expand")
def _expand(self: _Remover, op: Op, source: Value, result: Value) -> bool:
    sizes = self.items(op.inputs["shape"])
    if sizes is None:
        return _fixed(source, result)
    return all(size == -1 or _keeps(source, axis, size) for axis, size in enumerate(sizes))


@_tests("expand_as")
def _expand_as(_: _Remover, op: Op, source: Value, result: Value) -> bool:
    return _fixed(source, result)


@_tests("tile")
def _tile(self: _Remover, op: Op, _: Value, __: Value) -> bool:
    times = self.items(op.inputs["repeat_times"])
    return times is not None and all(count == 1 for count in times)


@_tests("reshape", "legacy_reshape")
def _reshape(self: _Remover, op: Op, source: Value, result: Value) -> bool:
    sizes = self.items(op.inputs["shape"])
    if sizes is None or 0 in source.shape:
        return _fixed(source, result)
    kept = [size in (0, -1) or _keeps(source, axis, size) for axis, size in enumerate(sizes)]
    return all(kept) and sum(1 for size in sizes if size == -1) <= 1


@_tests("flatten")
def _flatten(_: _Remover, op: Op, source: Value, __: Value) -> bool:
    rank = len(source.shape)
    start, stop = op.attributes["start_axis"], op.attributes["stop_axis"]
    return rank > 0 and start % rank == stop % rank


@_tests("squeeze")
def _squeeze(_: _Remover, op: Op, source: Value, __: Value) -> bool:
    return 1 not in source.shape and -1 not in source.shape


@_tests("concat", "add_n")
def _single(_: _Remover, op: Op, __: Value, ___: Value) -> bool:
    return isinstance(next(iter(op.inputs.values())), tuple)


@_tests("slice")
def _slice(self: _Remover, op: Op, source: Value, __: Value) -> bool:
    starts, ends = self.items(op.inputs["starts"]), self.items(op.inputs["ends"])
    if starts is None or ends is None or op.attributes.get("decrease_axis"):
        return False
    bounds = zip(op.attributes["axes"], starts, ends, strict=True)
    return all(start == 0 and _reaches(source, axis, end) for axis, start, end in bounds)


def _reaches(source: Value, axis: int, end: Any) -> bool:
    size = source.shape[axis]
    if isinstance(end, int) and (end >= 2**31 - 1 or 0 <= size <= end):
        return True
    return bool(end == Dim(source, axis % len(source.shape)))


@_tests("set_value_with_tensor")
def _set_value(self: _Remover, op: Op, source: Value, result: Value) -> bool:
    if op.attributes["axes"] or op.attributes.get("none_axes"):
        return False
    if _fixed(source, result):
        return True
    placed = self.makers.get(source)  # `x[i] = v` is saved as x[:] = index_put(x, i, v)
    return (
        placed is not None
        and placed.name.rstrip("_") == "pd_op.index_put"
        and placed.inputs["x"] == op.inputs["x"]
    )
