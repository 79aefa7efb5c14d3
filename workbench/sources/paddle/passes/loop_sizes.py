"""Sizes that Paddle saves wrongly inside loops: what grows from round to round has its first size.

A loop value that starts as (batch, 1) and grows is declared (?, ?), but the values computed from it
in the body keep the size 1 that the first round had. Those sizes become -1: unknown, as they are.
The first size is seen where the value comes from, or where an operator that keeps the shape claims
a size that its input does not have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from workbench.conversion.rewrite import map_blocks, substitute, substitute_op
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value


def loop_sizes(program: Program) -> Program:
    """Run the pass on every loop."""
    finder = _Finder()
    finder.block(program.block)
    if not finder.corrected:
        return program
    return map_blocks(program, lambda block: _correct(block, finder.corrected))


#: Operators whose output has the shape of their first input (`embedding`: and one axis more).
_KEEPING = {
    f"pd_op.{name}"
    for name in (
        "embedding",
        "cast",
        "scale",
        "full_like",
        "not_equal",
        "equal",
        "cumsum",
        "assign",
    )
}


class _Finder:
    """Follows the sizes that a loop value had in its first round through the body."""

    def __init__(self) -> None:
        self.stale: defaultdict[Value, set[int]] = defaultdict(set)
        self.corrected: dict[Value, Value] = {}
        self.loops = 0

    def block(self, block: Block) -> None:
        for op in block.ops:
            if self.loops:
                self._claims(op)
            for inner in op.blocks:
                if op.name == "pd_op.while":
                    self._loop_values(op, inner)
                self.loops += op.name == "pd_op.while"
                self.block(inner)
                self.loops -= op.name == "pd_op.while"
            for value in op.operands:
                self._mark(op.outputs.values(), self.stale[value])
            self._results(op)

    def _loop_values(self, op: Op, body: Block) -> None:
        for start, value in zip(list(op.operands)[1:], body.arguments, strict=False):
            sizes = zip(start.shape, value.shape, strict=False)
            grown = {first for first, now in sizes if now < 0 <= first}
            self.stale[value] |= grown
            self._mark([value], self.stale[start])

    def _claims(self, op: Op) -> None:
        """Sizes that an op which keeps the shape claims for dynamic dimensions of its input."""
        source = next(op.operands, None)
        if op.name not in _KEEPING or source is None:
            return
        known = self.corrected.get(source, source).shape
        for output in op.outputs.values():
            sizes = zip(known, output.shape, strict=False)
            self._mark([output], {claimed for size, claimed in sizes if size < 0 <= claimed})

    def _results(self, op: Op) -> None:
        for inner in op.blocks:
            results = inner.results[1:] if op.name == "pd_op.while" else inner.results
            for value, output in zip(results, op.outputs.values(), strict=False):
                self._mark([output], self.stale[value])

    def _mark(self, values: Iterable[Value], sizes: set[int]) -> None:
        for value in values if sizes else ():
            self.stale[value] |= sizes
            known = self.corrected.get(value, value).shape
            shape = tuple(-1 if size in sizes else size for size in known)
            if shape != value.shape:
                self.corrected[value] = replace(value, shape=shape)


def _correct(block: Block, corrected: dict[Value, Value]) -> Block:
    ops = []
    for op in block.ops:
        outputs = {name: substitute(value, corrected) for name, value in op.outputs.items()}
        ops.append(replace(substitute_op(op, corrected), outputs=outputs))
    arguments = tuple(substitute(value, corrected) for value in block.arguments)
    results = tuple(substitute(value, corrected) for value in block.results)
    return Block(arguments, tuple(ops), results)
