"""Faults elsewhere: control flow, the order of outputs, rows of the mapping, the module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import workbench as wb
from benchmarks.faults.kinds_after import ModuleFault, RowFault, module_faults, row_faults
from benchmarks.faults.planting import Fault
from workbench.core.mapping import Mapping
from workbench.targets.pytorch import control_flow

# --- control flow -----------------------------------------------------------------------------


def _other_branch(self: Any, condition: Any, *values: Any) -> Any:
    if not bool(condition):
        return control_flow.as_tuple(self.then_branch(*values[: self.split]))
    return control_flow.as_tuple(self.else_branch(*values[self.split :]))


def _once_more(self: Any, condition: Any, *values: Any) -> Any:
    carried, outer = values[: self.loop_values], values[self.loop_values :]
    again = True
    while again:
        again = bool(condition)
        results = control_flow.as_tuple(self.body(*carried, *outer))
        condition, carried = results[0], results[1:]
    return carried


def _once_less(self: Any, condition: Any, *values: Any) -> Any:
    carried, outer = values[: self.loop_values], values[self.loop_values :]
    while bool(condition):
        results = control_flow.as_tuple(self.body(*carried, *outer))
        condition = results[0]
        if not bool(condition):
            break
        carried = results[1:]
    return carried


def _for_less(self: Any, start: int, stop: int, step: int, *values: Any) -> Any:
    return _FOR(self, start, stop - step, step, *values)


_FOR = control_flow.For.forward
_CONTROL = (
    ("the other branch", "pd_op.if", control_flow.If, _other_branch, ("branch", "condition")),
    (
        "loop runs once more",
        "pd_op.while",
        control_flow.While,
        _once_more,
        ("loop", "times", "more"),
    ),
    (
        "loop runs once less",
        "pd_op.while",
        control_flow.While,
        _once_less,
        ("loop", "times", "fewer"),
    ),
    (
        "loop runs once less",
        "workbench.for",
        control_flow.For,
        _for_less,
        ("loop", "times", "fewer"),
    ),
)


@contextmanager
def _forward(owner: Any, function: Any) -> Iterator[None]:
    kept = owner.forward
    owner.forward = function
    try:
        yield
    finally:
        owner.forward = kept


def control_faults(mapping: Mapping) -> Iterator[Fault]:
    """Loops and branches that run otherwise."""
    for kind, name, owner, function, words in _CONTROL:
        paths = tuple(row.path for row in mapping.walk() if row.op and row.op.name == name)
        if paths:
            plant = lambda _, owner=owner, function=function: _forward(owner, function)  # noqa: E731
            yield Fault("function", kind, name, words, plant, paths)


# --- outputs ----------------------------------------------------------------------------------


@contextmanager
def _results(migration: wb.Migration, results: Any) -> Iterator[None]:
    program = migration.program
    block = replace(program.block, results=results)
    migration.program = replace(program, block=block, outputs=results)
    yield


def output_faults(mapping: Mapping) -> Iterator[Fault]:
    """Outputs in another order, and a last softmax that is left out, as a reader might do."""
    results = mapping.program.block.results
    for i in range(len(results) - 1):
        one, two = results[i : i + 2]
        if one.dtype == two.dtype and len(one.shape) == len(two.shape):
            turned = (*results[:i], two, one, *results[i + 2 :])
            yield Fault(
                "reader", "outputs in another order", f"output {i}", ("output", "order"),
                lambda m, turned=turned: _results(m, turned), ("",),
            )  # fmt: skip
            break
    for row in mapping.rows:
        if row.op and row.op.short_name in ("softmax", "sigmoid", "log_softmax"):
            out, source = next(iter(row.op.outputs.values())), row.op.inputs["x"]
            if out in results:
                dropped = tuple(source if value == out else value for value in results)
                yield Fault(
                    "reader", "last softmax left out", row.path, ("output", "softmax"),
                    lambda m, dropped=dropped: _results(m, dropped), ("",),
                )  # fmt: skip


# --- after conversion ---------------------------------------------------------------------------


@contextmanager
def _row(migration: wb.Migration, fault: RowFault) -> Iterator[None]:
    migration.mapping = migration.mapping.with_row(fault.path, fault.row)
    yield


@contextmanager
def _changed(migration: wb.Migration, kind: str, path: str, number: int) -> Iterator[None]:
    faults = [
        one for one in module_faults(migration.convert()) if (one.kind, one.path) == (kind, path)
    ]
    faults[number].plant()
    try:
        yield
    finally:
        faults[number].mend()


def mapping_faults(mapping: Mapping) -> Iterator[Fault]:
    """Rows that a person edited wrongly."""
    seen: dict[str, int] = {}
    for one in row_faults(mapping.walk()):
        number = seen[f"{one.kind} {one.path}"] = seen.get(f"{one.kind} {one.path}", -1) + 1
        plant = lambda m, one=one: _row(m, one)  # noqa: E731
        yield Fault("mapping", one.kind, f"{one.path}#{number}", one.words, plant, (one.path,))


def changed_module_faults(migration: wb.Migration) -> Iterator[Fault]:
    """A module that was changed after conversion."""
    seen: dict[str, int] = {}
    faults: list[ModuleFault] = list(module_faults(migration.convert()))
    for one in faults:
        number = seen[f"{one.kind} {one.path}"] = seen.get(f"{one.kind} {one.path}", -1) + 1
        plant = lambda m, one=one, number=number: _changed(m, one.kind, one.path, number)  # noqa: E731
        paths = _sharing(migration.mapping, one.path)
        yield Fault("module", one.kind, f"{one.path}#{number}", one.words, plant, paths)


def _sharing(mapping: Mapping, path: str) -> tuple[str, ...]:
    """The row and all others that are filled from one of its parameters."""
    rows = {
        row.path: {weight.parameter for weight in row.weights.values()} for row in mapping.walk()
    }
    inside = [names for one, names in rows.items() if one == path or one.startswith(f"{path}.")]
    own: set[str] = set().union(*inside)
    return (path, *(one for one, names in rows.items() if one != path and names & own))
