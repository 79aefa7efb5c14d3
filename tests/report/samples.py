"""Programs, mappings and verifications made by hand, of any size and with any names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from workbench.checks.results.checks import Check, LayerCheck, OutputCheck, Run
from workbench.checks.results.statistics import EDGES, ErrorStats
from workbench.checks.results.verification import Verification
from workbench.core.calls import Call, Layer, Weight
from workbench.core.mapping import Mapping, Row
from workbench.core.program import Block, Op, Parameter, Program
from workbench.core.values import Value
from workbench.editing.editable import EditableMapping, editable

#: Names that would do harm in a page that forgets to escape them.
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>' onmouseover='alert(1)",
    "{{ 7*7 }}{% for x in y %}",
    "a\u202egnp.exe\x00\ud800]]>--><!--",
    "</style></title></svg></textarea>&lt;b&amp;",
)


@dataclass
class Migrated:
    """What the report needs of a migration."""

    mapping: Mapping
    verification: Verification | None = None
    origin: str = "models/net/inference.json"
    gradient_parity: Any = None
    training_parity: Any = None
    task_parity: Any = None
    comparison: Any = None
    timings: tuple[str, ...] = ()
    references: tuple[Any, ...] = ()
    rewrites: tuple[str, ...] = ()
    code: str = ""
    runtime: Any = field(default_factory=lambda: SimpleNamespace(alive=False))

    @property
    def program(self) -> Program:
        """The program of the mapping."""
        return self.mapping.program


def error(relative: float, scale: float = 2.0, elements: int = 1000) -> ErrorStats:
    counts = [0] * (len(EDGES) - 1)
    zeros = elements
    if relative > 0:
        place = int(np.clip((np.log10(relative) - EDGES[0]) * 2, 2, len(counts) - 1))
        counts[place - 2 : place + 1] = [elements // 2, elements // 4, elements // 8]
        zeros = elements - sum(counts)
    return ErrorStats(
        max_abs=relative * scale,
        mean_abs=relative * scale / 10,
        scale=scale,
        l2=relative / 2,
        cosine=1.0 - relative**2,
        mismatches=elements - zeros,
        elements=elements,
        zeros=zeros,
        counts=tuple(counts),
        worst=(0, 3, 1),
    )


def check(relative: float, tolerance: float = 1e-6) -> Check:
    found = error(relative)
    ratio = relative / tolerance
    verdict = (
        "exact"
        if relative == 0
        else "rounding"
        if ratio <= 1
        else "suspicious"
        if ratio <= 10
        else "wrong"
    )
    return Check(verdict, found, tolerance * found.scale, tolerance * found.scale / 8)


def model(names: Sequence[str], unsupported: Sequence[int] = ()) -> EditableMapping:
    """A straight run of linear layers and ReLUs, one row for each name."""
    values = [Value(1, (-1, 8), "float32", names[0] if names else "x")]
    ops, rows, parameters = [], [], {}
    for number, name in enumerate(names):
        value = Value(number + 2, (-1, 8), "float32")
        op, call = _step(number, name, values[-1], value, parameters)
        ops.append(op)
        missing = number in unsupported
        rows.append(
            Row(
                name,
                op,
                None if missing else call,
                ((value, ()),),
                "unsupported" if missing else "adjusted" if number % 3 == 0 else "converted",
                (f"note of {name}",) if number % 5 == 0 else (),
                reason=f"no rule for {name}" if missing else "",
                hint="write one" if missing else "",
            )
        )
        values.append(value)
    block = Block((), tuple(ops), (values[-1],))
    program = Program(block, (values[0],), (values[-1],), parameters)
    return editable(Mapping(replace(program, framework="paddle"), tuple(rows)))


def _step(
    number: int, name: str, before: Value, after: Value, parameters: dict[str, Parameter]
) -> tuple[Op, Call | Layer]:
    if number % 3 == 1:
        op = Op("pd_op.relu", {"x": before}, {"out": after}, {}, str(number), f"/{name}/")
        return op, Layer("nn.ReLU", (before,))
    if number % 3 == 2:
        op = Op("pd_op.add", {"x": before, "y": before}, {"out": after}, {}, str(number))
        return op, Call("operator.add", (before, before))
    stored = f"{name}.w_{number}"
    data = np.random.default_rng(number).normal(size=(8, 8)).astype(np.float32)
    parameters[stored] = Parameter(stored, (8, 8), "float32", map=lambda: data)
    weight = Weight(stored, (8, 8), "float32").transposed()
    arguments = {"in_features": 8, "out_features": 8, "bias": False}
    op = Op("pd_op.matmul", {"x": before}, {"out": after}, {}, str(number), f"/{name}/")
    return op, Layer("nn.Linear", (before,), arguments, {"weight": weight})


def verified(
    mapping: Mapping, faults: dict[int, float] | None = None, runs: int = 2
) -> Verification:
    """A verification; `faults` gives how far rows are off, and later ones follow."""
    return Verification(tuple(_run(mapping, faults or {}, run) for run in range(runs)), 1.25)


def _run(mapping: Mapping, faults: dict[int, float], run: int) -> Run:
    layers = []
    travelling = 0.0
    noise: Iterator[float] = iter(np.random.default_rng(run).uniform(0.05, 0.9, 3 * len(mapping)))
    for number, row in enumerate(mapping.walk()):
        own = faults.get(number, 0.0 if number % 3 == 1 else 1e-6 * next(noise))
        travelling = max(travelling, faults.get(number, 0.0))
        chain = check(max(travelling * next(noise), own, 1e-6 * next(noise)), 4e-6)
        layers.append(
            LayerCheck(row.path, row.ops, row.target, (2 + run, 8), "float32", check(own), chain)
        )
    last = layers[-1].chain if layers else Check("unchecked")
    outputs = tuple(
        OutputCheck(value.label, (2 + run, 8), "float32", last) for value in mapping.program.outputs
    )
    return Run((f"x [{2 + run}, 8]",), tuple(layers), outputs)


def with_health(verification: Verification, number: int, *health: str) -> Verification:
    """The verification with a finding on the reference of one layer, in every run."""
    runs = []
    for run in verification.runs:
        layers = list(run.layers)
        layers[number] = replace(layers[number], health=health)
        runs.append(replace(run, layers=tuple(layers)))
    return replace(verification, runs=tuple(runs))


def on_disk(mapping: Mapping, folder: Path) -> EditableMapping:
    """The same mapping with model files beside it."""
    source, params = folder / "inference.json", folder / "inference.pdiparams"
    source.write_text("{}")
    params.write_bytes(b"\0" * 64)
    program = replace(mapping.program, source=source, params_file=params)
    return replace(mapping, program=program)
