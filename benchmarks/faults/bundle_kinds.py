"""Faults in what is written: a source or weights that are not what was verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

import workbench as wb
from benchmarks.faults.planting import Fault
from workbench.export import bundle, weights_files

#: Kind, pattern in the source, what takes its place, and words for the cause.
_SOURCE = (
    ("other epsilon", r"eps=([0-9.e-]+)", lambda m: f"eps={float(m[1]) * 1.1!r}"),
    ("other number", r"(?<=[*+-] )(\d+\.\d+)", lambda m: repr(float(m[1]) * 1.01)),
    ("keepdim turned round", r"keepdim=True", lambda m: "keepdim=False"),
    ("other axis", r"dim=-1", lambda m: "dim=0"),
    ("other activation", r"F\.relu\(", lambda m: "F.relu6("),
    ("operands exchanged", r"matmul\((\w+), (\w+)\)", lambda m: f"matmul({m[2]}, {m[1]})"),
    ("does not import", r"\nimport torch\n", lambda m: "\nimport torhc as torch\n"),
    ("unknown name", r"return ", lambda m: "return not_there + "),
    ("padding left out", r", padding=\d+", lambda m: ""),
    ("other stride", r"stride=2", lambda m: "stride=1"),
)  # fmt: skip


def bundle_faults(migration: wb.Migration) -> Iterator[Fault]:
    """Faults in the source and the weights of a bundle, and a module changed after its verdict."""
    text = bundle.generate(migration.mapping, "")
    for kind, pattern, change in _SOURCE:
        if re.search(pattern, text):
            plant = lambda _, p=pattern, c=change: _source(p, c)  # noqa: E731
            yield Fault("bundle", f"source: {kind}", "model.py", ("model.py",), plant)
    state = migration.convert().state_dict()
    if any(tensor.is_floating_point() for tensor in state.values()):
        yield Fault(
            "bundle",
            "weights halved",
            "model.safetensors",
            ("differs",),
            lambda _: _weights(_halve),
        )
        yield Fault(
            "bundle",
            "one weight missing",
            "model.safetensors",
            ("Missing",),
            lambda _: _weights(_drop),
        )
        yield Fault(
            "bundle", "module changed after its verdict", "module", ("not verified",), _module
        )


@contextmanager
def _source(pattern: str, change: Callable[[Any], str]) -> Iterator[None]:
    kept = bundle.generate
    bundle.generate = lambda *given: re.sub(pattern, change, kept(*given), count=1)
    try:
        yield
    finally:
        bundle.generate = kept


@contextmanager
def _weights(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> Iterator[None]:
    kept = weights_files.save_file
    weights_files.save_file = lambda tensors, *given, **named: kept(
        change(tensors), *given, **named
    )
    try:
        yield
    finally:
        weights_files.save_file = kept


def _halve(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name = next(name for name, one in tensors.items() if one.is_floating_point())
    return {**tensors, name: tensors[name] / 2}


def _drop(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensors[name] for name in list(tensors)[1:]}


@contextmanager
def _module(migration: wb.Migration) -> Iterator[None]:
    state = migration.convert().state_dict()
    tensor = next(one for one in state.values() if one.is_floating_point())
    with torch.no_grad():
        tensor.mul_(1.5)
    yield
