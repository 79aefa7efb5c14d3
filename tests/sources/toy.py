"""A source of models in three operators: what a second framework has to bring, and no more.

A model is a `.toy` file: JSON with inputs, weights and operators in order. Its runtime is numpy.
"""

# ruff: noqa: D102
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.conversion.book import RuleBook
from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Layer
from workbench.core.errors import ModelFileError, RuntimeFailedError
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.core.program import Block, Op, Parameter, Program
from workbench.core.values import Value
from workbench.sources.interface import BackwardStart, Course, Fed, Loaded, ModelFiles, Slice
from workbench.sources.reference import GradientReference, Reference

RULES = RuleBook()


@RULES.rule("toy.dense")
def dense(op: Context, x: Value, weight: Value, bias: Value) -> Layer:
    """`x @ weight + bias`; the weight is kept as (in, out)."""
    kernel, shift = op.weight(weight), op.weight(bias)
    assert kernel is not None
    assert shift is not None
    kernel = kernel.transposed()
    out, size = kernel.final_shape
    given = {"in_features": size, "out_features": out}
    return Layer("nn.Linear", (x,), given, {"weight": kernel, "bias": shift})


@RULES.rule("toy.leaky")
def leaky(op: Context, x: Value, slope: float) -> Call:
    """The input where it is positive, else slope times it."""
    return call("F.leaky_relu", x, negative_slope=slope)


@RULES.rule("toy.sum")
def total(op: Context, x: Value, axis: int) -> Call:
    """The sum over one axis."""
    return method(x, "sum", dim=axis)


_COMPUTE: dict[str, Callable[..., np.ndarray]] = {
    "toy.dense": lambda x, weight, bias: x @ weight + bias,
    "toy.leaky": lambda x, slope: np.where(x > 0, x, x * np.asarray(slope, x.dtype)),
    "toy.sum": lambda x, axis: x.sum(axis),
}


class ToyRuntime:
    """Computes a program in numpy."""

    def __init__(self) -> None:
        self.alive = True

    def version(self) -> str:
        return "1.0"

    def values(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        values: Iterable[Value],
        inside: Mapping[str, Iterable[Value]] | None = None,
        narrow: Iterable[str] = (),
    ) -> Reference:
        reference = Reference(inputs)
        known = _weights(program) | dict(zip(program.inputs, inputs, strict=True))
        _run(program.ops, known)
        for value in {*values, *program.inputs}:
            if value in known and not value.parameter:
                _keep(reference, value, known[value])
        for number, value in enumerate(program.outputs):
            np.save(reference.folder / f"fetched{number}.npy", known[value])
            reference.fetched[number] = str(known[value].dtype)
        return reference

    def outputs(
        self, program: Program, batches: Sequence[Sequence[np.ndarray]]
    ) -> Iterator[list[np.ndarray]]:
        for batch in batches:
            known = _weights(program) | dict(zip(program.inputs, batch, strict=True))
            _run(program.ops, known)
            yield [known[value] for value in program.outputs]

    def takes(self, program: Program, samples: Sequence[Sequence[np.ndarray]]) -> Sequence[bool]:
        return [True] * len(samples)

    def backward_start(self, program: Program, outputs: Sequence[Value]) -> BackwardStart:
        raise RuntimeFailedError("The toy has no gradients.")

    def gradients(
        self,
        program: Program,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[Value, np.ndarray],
        values: Iterable[Value],
        parameters: Sequence[str],
    ) -> GradientReference:
        raise RuntimeFailedError("The toy has no gradients.")

    def train(self, program: Program, course: Course) -> tuple[list[float], dict[str, np.ndarray]]:
        raise RuntimeFailedError("The toy has no gradients.")

    def run_slices(
        self,
        slicer: Any,
        part: Slice,
        copies: Sequence[tuple[Mapping[Value, Fed], Reference]],
    ) -> None:
        for fed, reference in copies:
            known = {value: reference.array(value) for value in fed}
            _run(part.ops, known)
            for value in part.wanted:
                _keep(reference, value, known[value])

    def time_forward(
        self, program: Program, inputs: Sequence[np.ndarray], repeat: int, threads: int
    ) -> dict[str, float]:
        return {}

    def close(self) -> None:
        self.alive = False


class ToySlicer:
    """A row is one operator, so there is little to cut."""

    def cut(self, row: Row, has: Callable[[Value], bool]) -> Slice | None:
        if row.op is None or not all(has(value) for value in row.op.operands):
            return None
        feeds = tuple(dict.fromkeys(row.op.operands))
        free = tuple(value for value in feeds if not value.parameter)
        return Slice((row.op,), feeds, free, row.values)


class ToySource:
    """See `workbench.sources.interface.Source`."""

    name = "toy"
    rules = RULES

    def recognises(self, model: Any) -> bool:
        return str(model).endswith(".toy")

    def load(
        self, model: Any, input_spec: Sequence[Any] | None = None, names: str | Path | None = None
    ) -> Loaded:
        path = Path(model)
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ModelFileError(f"{path} is no toy model: {error}.") from error
        return Loaded(_program(document, path, "float32"), str(path), ModelFiles(path, path))

    def weights(self, path: Path) -> Mapping[str, np.ndarray]:
        raise ModelFileError("The toy has no files of weights.")

    def prepare(self, program: Program) -> Program:
        return program

    def runtime(self) -> ToyRuntime:
        return ToyRuntime()

    def slicer(self, mapping: RowMapping) -> ToySlicer:
        return ToySlicer()

    def widened(self, program: Program, folder: Path) -> Program:
        assert program.source is not None
        return _program(json.loads(program.source.read_text()), program.source, "float64")

    def running(self, program: Program, folder: Path, narrow: Iterable[str]) -> Path:
        raise RuntimeFailedError("numpy computes every operator in float64.")

    def training(self, program: Program, batch_norms: Sequence[int], folder: Path) -> Program:
        raise RuntimeFailedError("The toy has no batch norm.")


def _program(document: dict[str, Any], path: Path, dtype: str) -> Program:
    """The program of a file, in float32 or widened."""
    values: dict[str, Value] = {}

    def value(label: str, shape: Sequence[int], **names: str) -> Value:
        return values.setdefault(label, Value(len(values) + 1, tuple(shape), dtype, **names))

    inputs = tuple(value(name, shape, name=name) for name, shape in document["inputs"].items())
    parameters = {}
    for name, rows in document["weights"].items():
        array = np.asarray(rows, "float32").astype(dtype)
        parameters[name] = Parameter(name, array.shape, dtype, True, lambda array=array: array)
        value(name, array.shape, parameter=name)
    ops = []
    for number, one in enumerate(document["ops"]):
        given = {key: values[name] for key, name in one["inputs"].items()}
        out = value(one["output"], one["shape"])
        ops.append(Op(one["op"], given, {"out": out}, one.get("attributes", {}), str(number)))
    outputs = tuple(values[name] for name in document["outputs"])
    return Program(
        Block((), tuple(ops), outputs), inputs, outputs, parameters, path,
        fetched=tuple(value.id for value in outputs), framework="toy",
    )  # fmt: skip


def _weights(program: Program) -> dict[Value, np.ndarray]:
    found = {value for op in program.ops for value in op.operands if value.parameter}
    return {value: program.parameters[value.parameter].data for value in found}


def _run(ops: Iterable[Op], known: dict[Value, np.ndarray]) -> None:
    for op in ops:
        given = {key: known[value] for key, value in op.inputs.items() if isinstance(value, Value)}
        known[op.outputs["out"]] = _COMPUTE[op.name](**given, **op.attributes)


def _keep(reference: Reference, value: Value, array: np.ndarray) -> None:
    np.save(reference.folder / f"v{value.id}.npy", array)
    reference.dtypes[value.id] = str(array.dtype)


def in_another_rule(name: str, change: Callable[[Any], Any]) -> RuleBook:
    """A rule book in which one rule's result is changed: a faulty converter."""
    book = RuleBook(RULES)
    right = RULES.find(name)
    assert right is not None
    book._rules[name] = replace(
        right, function=lambda op, **given: change(right.function(op, **given))
    )
    return book
