"""Branches of Paddle 2: two `if`s and a `select_input` become one `if`.

Paddle 2 knows no else. It runs one conditional block for the condition, another for its opposite,
and then picks results: `select_input(mask, of the second block, of the first block)`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from workbench.conversion.rewrite import count_uses, map_blocks
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value


def branches(program: Program) -> Program:
    """Run the pass on every block."""
    uses = count_uses(program)
    return map_blocks(program, lambda block: _Joiner(block, uses).joined())


@dataclass
class _Pair:
    """The two conditional blocks, and what is picked from them."""

    condition: Value
    yes: Op | None
    no: Op | None
    picks: list[Op] = field(default_factory=list)


class _Joiner:
    def __init__(self, block: Block, uses: Counter[Value]) -> None:
        self.block = block
        self.uses = uses
        self.makers = {value: op for op in block.ops for value in op.outputs.values()}

    def joined(self) -> Block:
        pairs: dict[tuple[str, str], _Pair] = {}
        for op in self.block.ops:
            if op.name == "pd_op.select_input":
                pair = self._pair(op)
                key = (pair.yes.index if pair.yes else "", pair.no.index if pair.no else "")
                if any(key):
                    pairs.setdefault(key, pair).picks.append(op)
        made: dict[str, Op] = {}
        gone: set[str] = set()
        for pair in pairs.values():
            if self._may_join(pair):
                made[pair.picks[0].index] = self._join(pair)
                gone |= {op.index for op in (pair.yes, pair.no, *pair.picks[1:]) if op}
        ops = [made.get(op.index, op) for op in self.block.ops if op.index not in gone]
        return replace(self.block, ops=tuple(ops))

    def _pair(self, pick: Op) -> _Pair:
        mask, no, yes = pick.operands
        cast = self.makers.get(mask)
        condition = next(cast.operands) if cast and cast.name == "pd_op.cast" else mask
        return _Pair(condition, self._branch(yes, condition), self._branch(no, condition, True))

    def _branch(self, value: Value, condition: Value, opposite: bool = False) -> Op | None:
        """The conditional block that makes the value, when it has this condition."""
        maker = self.makers.get(value)
        if maker is None or maker.name != "pd_op.if":
            return None
        given = maker.inputs["cond"]
        negation = self.makers.get(given) if isinstance(given, Value) else None
        if opposite:
            fits = negation is not None and negation.name == "pd_op.logical_not"
            return maker if fits and next(negation.operands) == condition else None  # type: ignore[union-attr]
        return maker if given == condition else None

    def _may_join(self, pair: _Pair) -> bool:
        """True when nothing else reads the blocks' results."""
        picked = Counter(value for pick in pair.picks for value in pick.operands)
        return all(
            self.uses[value] == picked[value]
            for op in (pair.yes, pair.no)
            if op is not None
            for value in op.outputs.values()
        )

    def _join(self, pair: _Pair) -> Op:
        last = pair.picks[0]
        operands = [tuple(pick.operands) for pick in pair.picks]
        blocks = (
            _block(pair.yes, [yes for _, _, yes in operands]),
            _block(pair.no, [no for _, no, _ in operands]),
        )
        outputs = {
            f"output_{number}": next(iter(pick.outputs.values()))
            for number, pick in enumerate(pair.picks)
        }
        merged = tuple(op for op in (pair.yes, pair.no, *pair.picks) if op is not None)
        return Op(
            "pd_op.if", {"cond": pair.condition}, outputs, {}, last.index,
            (pair.yes or pair.no or last).scope, blocks, merged,
        )  # fmt: skip


def _block(branch: Op | None, wanted: list[Value]) -> Block:
    """The branch's own block, handing out what is picked."""
    if branch is None:
        return Block((), (), tuple(wanted))
    body = branch.blocks[0]
    results = dict(zip(branch.outputs.values(), body.results, strict=True))
    return replace(body, results=tuple(results.get(value, value) for value in wanted))
