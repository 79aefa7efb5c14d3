"""Tidy branches and loops.

- An `if` whose condition is decided before the model runs gives way to the branch that it takes.
- A `while` that counts becomes `workbench.for` over a range; its counter is then a Python integer.
- Values that a loop carries, and results of an `if`, go when nothing needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from workbench.conversion.rewrite import new_ids, producers, substitute, substitute_op
from workbench.core.arguments import values_of, with_values
from workbench.core.dtypes import is_integer
from workbench.core.integers import Dim, Int, Item, Symbol, int_op
from workbench.core.program import Block, Op, Program, captured
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import DEFAULT
from workbench.sources.paddle.passes.shape_arithmetic import shape_arithmetic

#: Comparisons, turned so that the counter stands left, and what to add to the bound for `range`.
_TESTS = {"less_than": 0, "less_equal": 1, "greater_than": 0, "greater_equal": -1}
_TURNED = {
    "less_than": "greater_than", "less_equal": "greater_equal",
    "greater_than": "less_than", "greater_equal": "less_equal",
}  # fmt: skip


def control(program: Program) -> Program:
    """Run the pass on every block; shape arithmetic is done again where something changed."""
    if not any(op.blocks for op in program.ops):
        return program
    tidier = _Tidier(program, new_ids(program))
    block = _live(tidier.block(program.block, {}), None)[0]
    return shape_arithmetic(program.with_block(block))


def has_effect(op: Op) -> bool:
    """True when the op, or one in its blocks, changes an array."""
    return Trait.CHANGES_ARRAYS in DEFAULT.traits_of(op.name) or any(
        has_effect(inner) for block in op.blocks for inner in block.ops
    )


@dataclass(frozen=True)
class _Range:
    """`for counter in range(start, stop, step)`; the counter is loop value number `position`."""

    start: Int
    stop: Int
    step: int
    position: int


class _Tidier:
    def __init__(self, program: Program, numbers: Iterator[int]) -> None:
        self.program = program
        self.makers = producers(program)
        self.numbers = numbers
        self.taken: dict[Value, Value] = {}
        self.reads = {value for op in program.walk() for value in op.operands}
        self.reads |= {value for op in program.walk() for b in op.blocks for value in b.results}
        self.reads |= set(program.outputs)

    def block(self, block: Block, outer: dict[Value, Value]) -> Block:
        table = dict(outer)
        ops = self._ops(block, table)
        return Block(block.arguments, ops, tuple(substitute(v, table) for v in block.results))

    def _ops(self, block: Block, table: dict[Value, Value]) -> tuple[Op, ...]:
        ops: list[Op] = []
        for original in block.ops:
            op = substitute_op(replace(original, blocks=()), table)
            decided = self._decided(original)
            if decided is not None:
                ops += self._ops(decided, table)
                results = (substitute(value, table) for value in decided.results)
                chosen = dict(zip(op.outputs.values(), results, strict=True))
                table.update(chosen)
                self.taken.update(chosen)
                continue
            blocks = tuple(self.block(inner, table) for inner in original.blocks)
            op = replace(op, blocks=blocks)
            found = self._range(original) if op.name == "pd_op.while" else None
            ops.append(self._for(op, original, found) if found else op)
        return tuple(ops)

    def _decided(self, op: Op) -> Block | None:
        """The branch that an `if` always takes."""
        known = self._known(op.inputs["cond"]) if op.name == "pd_op.if" else None
        if not known or isinstance(known[0], Symbol):
            return None
        return op.blocks[0 if known[0] else 1]

    def _known(self, operand: Any) -> list[Any] | None:
        known = self.program.known.get(operand.id) if isinstance(operand, Value) else None
        return known.items if known is not None else None

    # --- counting loops ---------------------------------------------------------------------------

    def _range(self, op: Op) -> _Range | None:
        (body,) = op.blocks
        first, again = self.makers.get(op.inputs["cond"]), self.makers.get(body.results[0])  # type: ignore[arg-type]
        starts = tuple(op.operands)[1:]
        if first is None or again is None:
            return None
        for position, (start, argument) in enumerate(zip(starts, body.arguments, strict=True)):
            before = self._test(first, start)
            after = self._test(again, body.results[position + 1])
            if before is None or before != after:
                continue
            step = self._step(body.results[position + 1], argument)
            result = list(op.outputs.values())[position]
            name, bound = before
            upwards = name.startswith("less")
            if step and (step > 0) == upwards and result not in self.reads:
                stop = int_op("+", bound, _TESTS[name])
                first_number = self._integer(start)
                return _Range(
                    with_values(first_number, self.taken), with_values(stop, self.taken), step,
                    position,
                )  # fmt: skip
        return None

    def _test(self, op: Op, counter: Value) -> tuple[str, Int] | None:
        """Name of the comparison and its bound, with the counter on the left."""
        name, operands = op.short_name, tuple(op.operands)
        if name not in _TESTS or not all(is_integer(value.dtype) for value in operands):
            return None
        if any(size != 1 for value in operands for size in value.shape) or counter not in operands:
            return None
        if operands[0] == counter:
            return name, self._integer(operands[1])
        return _TURNED[name], self._integer(operands[0])

    def _integer(self, value: Value) -> Int:
        known = self._known(value)
        return known[0] if known else Item(value)

    def _step(self, following: Value, argument: Value) -> int:
        """What one round adds to the counter; 0 when that is not a fixed number."""
        known = self._known(following)
        difference = int_op("-", known[0], Item(argument)) if known else None
        return difference if isinstance(difference, int) else 0

    def _for(self, op: Op, original: Op, found: _Range) -> Op:
        (body,) = op.blocks
        keep = [i for i in range(len(body.arguments)) if i != found.position]
        number = Value(next(self.numbers), (), "int64", "i")
        counter = body.arguments[found.position]
        known = {"natural": _natural(found)}
        start = Op("workbench.counter", {"x": number}, {"out": counter}, known, f"{op.index}.0.-1")
        arguments = (number, *(body.arguments[i] for i in keep))
        results = tuple(body.results[i + 1] for i in keep)
        operands, outputs = list(op.inputs.values())[1:], list(op.outputs.items())
        read = tuple(values_of((found.start, found.stop)))
        return Op(
            "workbench.for",
            {"read": read, **{f"input_{i}": operands[i] for i in keep}},
            dict(outputs[i] for i in keep),
            {"start": found.start, "stop": found.stop, "step": found.step},
            op.index,
            op.scope,
            (Block(arguments, (start, *body.ops), results),),
            merged=(replace(original, blocks=()),),
        )


def _natural(found: _Range) -> bool:
    """True when no number of the range is negative."""
    if found.step < 0:
        return isinstance(found.stop, int) and found.stop >= -1
    return isinstance(found.start, Dim) or (isinstance(found.start, int) and found.start >= 0)


# --- what is needed -------------------------------------------------------------------------------


def _live(block: Block, wanted: set[Value] | None) -> tuple[Block, set[Value]]:
    """The block without unneeded results of its loops and branches, and the values that it reads.

    `wanted` are the results that are needed; None means all.
    """
    live = set(block.results) if wanted is None else set(wanted)
    ops: list[Op] = []
    for op in reversed(block.ops):
        if op.blocks and not has_effect(op) and live.isdisjoint(op.outputs.values()):
            continue
        if op.blocks:
            op = _loop(op, live) if op.name != "pd_op.if" else _branch(op, live)
        if op.blocks or has_effect(op) or not live.isdisjoint(op.outputs.values()):
            live.update(op.operands)
            live.update(value for inner in op.blocks for value in captured(inner))
        ops.append(op)
    return replace(block, ops=tuple(reversed(ops))), live


def _branch(op: Op, live: set[Value]) -> Op:
    keep = [i for i, value in enumerate(op.outputs.values()) if value in live]
    blocks = []
    for block in op.blocks:
        results = tuple(block.results[i] for i in keep)
        blocks.append(_live(replace(block, results=results), None)[0])
    outputs = list(op.outputs.items())
    return replace(op, blocks=tuple(blocks), outputs=dict(outputs[i] for i in keep))


def _loop(op: Op, live: set[Value]) -> Op:
    """A loop that carries only what its results, its condition and itself need."""
    (body,) = op.blocks
    test = 1 if op.name == "pd_op.while" else 0  # the condition is the first result of a `while`
    extra = len(body.arguments) - len(op.outputs)  # the number of a `for`
    outputs, operands = list(op.outputs.items()), list(op.inputs.items())[1:]
    keep = {i for i, (_, value) in enumerate(outputs) if value in live}
    while True:
        wanted = {*body.results[:test], *(body.results[i + test] for i in keep)}
        made, read = _live(body, wanted)
        needed = {i for i in range(len(outputs)) if body.arguments[i + extra] in read}
        if needed <= keep:
            break
        keep |= needed
    order = sorted(keep)
    arguments = (*body.arguments[:extra], *(body.arguments[i + extra] for i in order))
    results = (*body.results[:test], *(body.results[i + test] for i in order))
    return replace(
        op,
        inputs=dict([next(iter(op.inputs.items())), *(operands[i] for i in order)]),
        outputs=dict(outputs[i] for i in order),
        blocks=(Block(arguments, made.ops, results),),
    )
