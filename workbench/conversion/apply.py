"""Program + rule book → mapping. Only what the outputs need gets a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench.conversion.book import RuleBook
from workbench.conversion.context import BY_HAND, Context
from workbench.conversion.naming import named
from workbench.conversion.placement import place
from workbench.conversion.rewrite import producers
from workbench.core.arguments import calls_in
from workbench.core.calls import Call, Dtype, Layer, Result, Weight
from workbench.core.dtypes import is_float, is_integer
from workbench.core.errors import UnsupportedOp
from workbench.core.mapping import Mapping, Row, RowBlock
from workbench.core.program import Block, Op, Program
from workbench.core.traits import Trait
from workbench.core.values import Value


def make_mapping(program: Program, book: RuleBook) -> Mapping:
    """Apply the rules to every live op; ops that no rule serves become *unsupported* rows."""
    maker = _Maker(program, book)
    rows, _ = maker.block(program.block, set(program.block.results))
    rows = place((*maker.parameter_rows(), *rows), program.inputs)
    return named(Mapping(program, rows))


class _Maker:
    def __init__(self, program: Program, book: RuleBook) -> None:
        self.program = program
        self.book = book
        self.parameters: dict[str, Value] = {}
        self.makers = producers(program)

    def block(self, block: Block, live: set[Value]) -> tuple[tuple[Row, ...], set[Value]]:
        """Rows of the block, and all values they read. `live` are the values needed from it."""
        live = set(live)
        self._note_parameters(live)
        rows: list[Row] = []
        for op in reversed(block.ops):
            if _has_effect(op) or any(value in live for value in op.outputs.values()):
                row = self.row(op, live)
                rows.append(row)
                reads = self._needed(row)
                live.update(reads)
                self._note_parameters(reads)
        return tuple(reversed(rows)), live

    def _needed(self, row: Row) -> tuple[Value, ...]:
        """What must be computed for the row; for an unsupported one not its constants."""
        if row.call is not None:
            return row.reads
        return tuple(value for value in row.reads if value.id not in self.program.known)

    def _note_parameters(self, values: Any) -> None:
        for value in values:
            if value.parameter and value.parameter in self.program.parameters:
                self.parameters.setdefault(value.parameter, value)

    def parameter_rows(self) -> list[Row]:
        """Rows for parameters that are used as plain tensors, in the program's order."""
        rows = []
        for name, parameter in self.program.parameters.items():
            value = self.parameters.get(name)
            if value is not None:
                weight = Weight(name, parameter.shape, parameter.dtype, (), parameter.trainable)
                trainable = parameter.trainable and is_float(parameter.dtype)
                target = "nn.Parameter" if trainable else "buffer"
                layer = Layer(target, (), {}, {"": weight})
                rows.append(Row(name, None, layer, ((value, ()),)))
        return rows

    def row(self, op: Op, live: set[Value]) -> Row:
        if op.blocks:
            return self._control_flow(op)
        known = self._materialised(op, live)
        if known is not None:
            return known
        return self._ruled(op, live)

    def _ruled(self, op: Op, live: set[Value]) -> Row:
        own_nature = self.book.own_nature(op.name)
        if own_nature is not None:
            op = replace(op, traits=own_nature.traits, roles=own_nature.roles)
        context = Context(op, self.program, live, self.makers)
        rule = self.book.find(op.name)
        outputs: tuple[tuple[Value, tuple[int, ...]], ...]
        outputs = tuple((value, ()) for value in op.outputs.values() if value in live)
        if rule is None:
            return Row(
                "", op, None, outputs, "unsupported",
                reason=f"there is no rule for {op.name}",
                hint="Write one in a cell: @m.rule('" + op.name + "'); see notebook 5.",
            )  # fmt: skip
        try:
            returned = rule.apply(context)
            call, outputs = _placed(op, returned, live)
        except UnsupportedOp as refusal:
            return Row(
                "", op, None, outputs, "unsupported", tuple(context.notes), rule.place, rule.doc,
                refusal.reason, refusal.hint,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - the table is complete even if a rule breaks
            return Row(
                "", op, None, outputs, "unsupported", tuple(context.notes), rule.place, rule.doc,
                f"the rule for {op.name} failed: {type(error).__name__}: {error}",
                f"Look at {rule.place}; if the program is not damaged, please report this.",
            )  # fmt: skip
        own = self.book.is_own(op.name)
        steps = any(
            weight.steps
            for part in calls_in(call)
            if isinstance(part, Layer)
            for weight in part.weights.values()
        )
        status = "custom" if own else "adjusted" if steps or context.notes else "converted"
        return Row(
            "", op, call, outputs, status, tuple(context.notes), rule.place, rule.doc,
            traits=frozenset(context.traits) | (own_nature.traits if own_nature else set()),
        )  # fmt: skip

    def _materialised(self, op: Op, live: set[Value]) -> Row | None:
        """A row that makes a tensor from elements known to the shape-arithmetic pass."""
        used = [value for value in op.outputs.values() if value in live]
        known = [self.program.known.get(value.id) for value in used]
        if Trait.CONSTANT in op.traits or len(used) != 1 or known[0] is None or not known[0].pure:
            return None
        if not (is_integer(known[0].dtype) or known[0].dtype == "bool"):
            return None
        if not known[0].array.size and known[0].array.shape != (0,):
            return None  # a list of no elements tells nothing of the other sizes
        elements = known[0].array.tolist()
        call = _tensor_of(elements, known[0].dtype, known[0].constant)
        return Row("", op, call, ((used[0], ()),), "converted", ("shape arithmetic",))

    def _control_flow(self, op: Op) -> Row:
        names = ("then_branch", "else_branch") if Trait.BRANCH in op.traits else ("body",)
        blocks = []
        for name, block in zip(names, op.blocks, strict=False):
            results = block.results
            rows, _ = self.block(block, set(results))
            inside = set(block.arguments) | {value for row in rows for value in row.values}
            captures = _captures(rows, results, inside)
            blocks.append(RowBlock(name, block.arguments, rows, results, captures))
        outputs = tuple((value, (i,)) for i, value in enumerate(op.outputs.values()))
        return Row(
            "", op, self._entry(op), outputs, "converted",
            rule="workbench/conversion/apply.py", blocks=tuple(blocks),
        )  # fmt: skip

    def _entry(self, op: Op) -> Call:
        """What a branch or a loop starts from: its condition or range, and the loop values."""
        first, *values = op.inputs.values()
        if op.name == "workbench.for":
            bounds = (op.attributes[name] for name in ("start", "stop", "step"))
            return Call("control.for", (*bounds, *values))
        if Trait.LOOP in op.traits:
            return Call("control.while", (first, *values))
        known = self.program.known.get(first.id) if isinstance(first, Value) else None
        return Call("control.if", (known.items[0] if known and known.pure else first,))


def _has_effect(op: Op) -> bool:
    """True when the op, or one in its blocks, changes an array."""
    inside = (inner for block in op.blocks for inner in block.ops)
    return Trait.CHANGES_ARRAYS in op.traits or any(map(_has_effect, inside))


def _tensor_of(elements: Any, dtype: str, constant: bool) -> Call:
    if constant:
        return Call("torch.tensor", (elements,), {"dtype": Dtype(dtype)})
    return Call("fn.int_tensor", (elements,), {"dtype": Dtype(dtype)})


def _captures(
    rows: tuple[Row, ...], results: tuple[Value, ...], inside: set[Value]
) -> tuple[Value, ...]:
    found: dict[Value, None] = {}
    for row in rows:
        found.update(dict.fromkeys(value for value in row.reads if value not in inside))
    found.update(dict.fromkeys(value for value in results if value not in inside))
    return tuple(found)


def _placed(
    op: Op, returned: Call | Layer | Result, live: set[Value]
) -> tuple[Call | Layer, tuple[tuple[Value, tuple[int, ...]], ...]]:
    """The call, and where in its result each live output stands."""
    if isinstance(returned, Result):
        call, places = returned.call, dict(returned.outputs)
    elif len(op.outputs) == 1:
        call, places = returned, {next(iter(op.outputs)): ()}
    else:
        call, places = returned, {name: (i,) for i, name in enumerate(op.outputs)}
    missing = [name for name, value in op.outputs.items() if value in live and name not in places]
    if missing:
        raise UnsupportedOp(
            f"the program uses output {', '.join(map(repr, missing))} of {op.name}, which has no "
            "counterpart in torch",
            BY_HAND,
        )
    return call, tuple((value, places[name]) for name, value in op.outputs.items() if value in live)
