"""Cut one row's operators out of a saved program, and write such cuts as programs of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from workbench.conversion.rewrite import producers
from workbench.core.dtypes import is_float
from workbench.core.errors import PaddleProcessError
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.core.program import Op, Program
from workbench.core.values import ARRAY, LIST, Value
from workbench.sources.interface import Fed, Slice
from workbench.sources.paddle.document import (
    attribute,
    indexed,
    read_document,
    results,
    stopped,
    takers,
)
from workbench.sources.paddle.files.pir_json import read_program, type_code
from workbench.sources.paddle.passes.inplace import inplace
from workbench.sources.paddle.passes.lists import lists
from workbench.sources.paddle.passes.loop_sizes import loop_sizes
from workbench.sources.paddle.passes.traits import traits
from workbench.sources.paddle.passes.transposed_sizes import transposed_sizes

#: A row that needs more operators than this is not cut out.
LONGEST = 40
_UNREAL = (LIST, ARRAY, "none")
_RANDOM = {
    "pd_op.gaussian", "pd_op.uniform", "pd_op.randint", "pd_op.randperm", "pd_op.bernoulli",
    "pd_op.poisson", "pd_op.multinomial", "pd_op.truncated_gaussian_random",
    "pd_op.binomial", "pd_op.standard_gamma", "pd_op.dirichlet", "pd_op.exponential_",
    "pd_op.gaussian_inplace_", "pd_op.uniform_inplace_", "pd_op.uniform_random_batch_size_like",
    "pd_op.empty", "pd_op.empty_like",
}  # fmt: skip


class PaddleSlicer:
    """Cuts rows out of the file of a mapping's program."""

    def __init__(self, mapping: RowMapping) -> None:
        source = mapping.program.source
        if source is None:
            raise PaddleProcessError("The program has no file, so Paddle cannot run its operators.")
        self.document = read_document(source)
        self.records = dict(indexed(self.document["program"]["regions"][0]["blocks"][0]["ops"]))
        self.takers = takers(self.records.values())
        self.program = _as_saved(read_program(source))
        self.makers = producers(self.program)
        self.made = {value for row in mapping.walk() for value in row.values}
        self._constant: dict[Value, bool] = {}

    def cut(self, row: Row, has: Callable[[Value], bool]) -> Slice | None:
        """The row's operators; None when they cannot be run apart from the rest.

        `has` tells of which values from outside we know what they were. Where what the row reads
        does not lead to what it makes, the slice begins at the values of other rows, and none of
        its numbers may be chosen.
        """
        wanted = tuple(v for v in row.values if v in self.makers and v.dtype not in _UNREAL)
        if not wanted:
            return None
        own = set(row.values)
        reads = {v for v in row.reads if v not in own and not self._is_constant(v)}

        def known(value: Value) -> bool:  # integers of other rows stay as they are
            return self._is_others(value, own) and not is_float(value.dtype) and has(value)

        found = self._cut(wanted, lambda v: v in reads or known(v), has)
        if found is not None:
            return replace(
                found, free=tuple(v for v in found.feeds if v in reads and not v.parameter)
            )
        return self._cut(wanted, lambda v: self._is_others(v, own) and has(v), has)

    def _cut(
        self, wanted: tuple[Value, ...], ends: Callable[[Value], bool], has: Callable[[Value], bool]
    ) -> Slice | None:
        """The operators that make what is wanted from values at which the search ends."""
        feeds: dict[Value, None] = {}
        ops: dict[tuple[int, ...], Op] = {}
        left = list(wanted)
        while left:
            value = left.pop()
            maker = self.makers.get(value)
            if maker is None or ends(value):
                if not has(value):
                    return None
                feeds[value] = None
                continue
            key = _place(maker)
            if key in ops:
                continue
            ops[key] = maker
            if len(ops) > LONGEST or not _can_run(maker):
                return None
            left += maker.operands
        if not ops:
            return None
        return Slice(tuple(ops[key] for key in sorted(ops)), tuple(feeds), (), wanted)

    def _is_others(self, value: Value, own: set[Value]) -> bool:
        return value in self.made and value not in own and not self._is_constant(value)

    def _is_constant(self, value: Value) -> bool:
        """True when nothing that the value is made of depends on inputs or parameters."""
        if value not in self._constant:
            self._constant[value] = False  # what a loop carries comes back to itself
            maker = self.makers.get(value)
            self._constant[value] = (
                maker is not None
                and not maker.blocks
                and maker.name not in _RANDOM
                and all(self._is_constant(operand) for operand in maker.operands)
            )
        return self._constant[value]


def _as_saved(program: Program) -> Program:
    """The program with every operator of the file, each value written once."""
    return traits(inplace(loop_sizes(transposed_sizes(lists(program)))))


def _can_run(op: Op) -> bool:
    values = [*op.operands, *op.outputs.values()]
    if op.blocks or op.name in _RANDOM or any(v.dtype == ARRAY for v in values):
        return False
    return not any(value.dtype == LIST for value in op.operands)


def _place(op: Op) -> tuple[int, ...]:
    return tuple(int(part) for part in op.index.split("."))


# --- writing --------------------------------------------------------------------------------------


class ProgramWriter:
    """Collects copies of slices, which know nothing of each other, in one program."""

    def __init__(self, slicer: PaddleSlicer) -> None:
        self.slicer = slicer
        self.ops: list[dict[str, Any]] = []
        self._types: dict[int, Any] = {}
        self._last = 0

    def add(
        self, part: Slice, fed: Mapping[Value, Fed]
    ) -> tuple[dict[Value, str], list[tuple[Value, int, int]]]:
        """Add a copy; the names of its feeds, and (value, position, number) of its results."""
        table: dict[int, int] = {0: 0}
        names = {value: self._feed(value, fed[value], table) for value in part.feeds}
        places: dict[int, tuple[int, int]] = {}
        for op in part.ops:
            self._operator(op, table, places)
        return names, [(v, *places[v.id]) for v in part.wanted if v.id in places]

    def document(self) -> dict[str, Any]:
        """The whole program as the content of a file."""
        made: dict[str, Any] = {
            key: value for key, value in self.slicer.document.items() if key != "program"
        }
        region = self.slicer.document["program"]["regions"][0]
        block = {**region["blocks"][0], "args": [], "ops": self.ops}
        made["program"] = {"regions": [{**region, "blocks": [block]}]}
        return made

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _feed(self, value: Value, fed: Fed, table: dict[int, int]) -> str:
        table[value.id] = self._new()
        name = f"feed{table[value.id]}"
        attributes = [
            attribute("name", "0.a_str", name),
            attribute("shape", "1.a_intarray", list(fed.shape)),
            attribute("dtype", "1.a_dtype", fed.dtype),
            attribute("place", "1.a_place", [0, 0, ""]),
        ]
        element = {"#": type_code(fed.dtype)}
        kind = {"#": "0.t_dtensor", "D": [element, list(fed.shape), "NCHW", [], 0]}
        self._types[table[value.id]] = kind
        result = {"%": table[value.id], "TT": kind}
        self.ops.append({"#": "1.data", "A": attributes, "I": [], "O": [result], "OA": stopped(1)})
        return name

    def _operator(self, op: Op, table: dict[int, int], places: dict[int, tuple[int, int]]) -> None:
        record = self.slicer.records[op.index]
        operands = [self._operand(operand, table) for operand in op.inputs.values()]
        returned = self._append(record, operands, table, places)
        for result in returned:
            if result["TT"] and result["TT"]["#"].endswith("t_vec"):
                self._elements(result["%"], table, places)

    def _operand(self, operand: Any, table: dict[int, int]) -> int:
        """The number of an operand; of several a list is made."""
        if operand is None:
            return 0
        if isinstance(operand, Value):
            return table[operand.id]
        identities = [table[value.id] if value is not None else 0 for value in operand]
        kind = {"#": "0.t_vec", "D": [self._types[identity] for identity in identities]}
        made = self._new()
        result = {"%": made, "TT": kind}
        operands = [{"%": identity} for identity in identities]
        self.ops.append({"#": "0.combine", "A": [], "I": operands, "O": [result], "OA": stopped(1)})
        return made

    def _elements(
        self, identity: int, table: dict[int, int], places: dict[int, tuple[int, int]]
    ) -> None:
        """The elements of a list, taken as the file takes them."""
        for record in self.slicer.takers.get(identity, ()):
            self._append(record, [table[identity]], table, places)

    def _append(
        self,
        record: dict[str, Any],
        operands: list[int],
        table: dict[int, int],
        places: dict[int, tuple[int, int]],
    ) -> list[dict[str, Any]]:
        """A copy of an op of the file; returns the results as the file has them."""
        found = results(record)
        made = []
        for number, result in enumerate(found):
            places[result["%"]] = (len(self.ops), number)
            table[result["%"]] = self._new()
            made.append({**result, "%": table[result["%"]]})
            self._types[made[-1]["%"]] = result["TT"]
        read = [{"%": identity} for identity in operands]
        self.ops.append({**record, "I": read, "O": made})
        return found
