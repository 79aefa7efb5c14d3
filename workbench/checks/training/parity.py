"""Training parity: a few optimiser steps in both frameworks, losses side by side.

Both start from the same weights and fit the outputs to the same random targets (mean squared
distance), the network as it was exported: batch norm with its stored statistics unless asked
otherwise, no dropout. The tolerance of a loss comes from the same steps in float64 and from float32
steps that start one rounding away.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from workbench.checks.gradients.batch_norm import (
    BatchSizes,
    Norm,
    check_batch_norm,
    compare_statistics,
    in_training,
    statistics_of,
)
from workbench.checks.gradients.passes import wide_module
from workbench.checks.gradients.pieces import Piece, parameter_pieces
from workbench.checks.gradients.roots import find_roots, rooted
from workbench.checks.results.training import Course, TrainingParity
from workbench.checks.rounding.judging import NOISE_FACTOR
from workbench.checks.training.notes import training_notes
from workbench.checks.values.row_runner import widen
from workbench.checks.values.source_values import reference_tensor
from workbench.core.dtypes import is_float
from workbench.core.errors import InputError
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.interface import Course as Steps
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference

#: Optimisers by their common name, with options in Paddle's words and in torch's. The learning rate
#: of those without one follows from the first gradient, so that the steps converge.
OPTIMISERS: dict[str, tuple[dict[str, float], type[torch.optim.Optimizer], dict[str, float]]] = {
    "SGD": ({}, torch.optim.SGD, {}),
    "Momentum": (
        {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9},
    ),
    "AdamW": (
        {"learning_rate": 0.001, "weight_decay": 0.01}, torch.optim.AdamW,
        {"lr": 0.001, "weight_decay": 0.01},
    ),
}  # fmt: skip
#: Learning rate in units of loss over squared gradient norm, the step that would reach zero if the
#: loss were a straight line.
SHARE = 0.02
#: Rounding that a loss is allowed, in units of epsilon.
EPSILONS = 64.0
#: Courses that start one rounding away. More than the fewest are run where these do not explain a
#: difference: in AdamW a gradient that is all rounding moves its weight by a full step either way.
FEWEST_RUNS, MOST_RUNS = 2, 12


def training_parity(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    runtime: Runtime,
    source: Program,
    optimisers: Iterable[str] = tuple(OPTIMISERS),
    steps: int = 5,
    seed: int = 0,
    batch_norm: str = "stored",
) -> TrainingParity:
    """Train both models for a few steps with each optimiser; the module itself is not changed.

    `source` is the program before passes. `batch_norm` is "stored" (statistics as exported) or
    "train" (those of the batch; the running ones are compared too). Raises `InputError` for an
    unknown optimiser or a model with nothing to train, `RuntimeFailedError` when Paddle cannot
    differentiate it.
    """
    start = time.perf_counter()
    names = list(optimisers)
    check_batch_norm(batch_norm)
    for name in names:
        if name not in OPTIMISERS:
            raise InputError(f"There is no optimiser {name!r} here.", f"Use {list(OPTIMISERS)}.")
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        norms: list[Norm] = []
        if batch_norm == "train":
            mapping, module, norms = in_training(mapping, module, Path(folder))
        setting = _setting(mapping, module, inputs, runtime, seed, norms)
        courses = tuple(_course(name, setting, runtime, steps) for name in names)
    described = tuple(
        f"{value.label} {list(array.shape)}"
        for value, array in zip(mapping.program.inputs, inputs, strict=True)
    )
    notes = (*setting.notes, *training_notes(mapping, source, setting.pieces))
    return TrainingParity(described, courses, notes, time.perf_counter() - start, batch_norm)


@dataclass(frozen=True, slots=True)
class _Setting:
    program: Program
    module: fx.GraphModule
    reference: Reference
    targets: dict[Value, torch.Tensor]
    pieces: list[Piece]
    norms: list[Norm]
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(piece.weight.parameter for piece in self.pieces))


def _setting(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    runtime: Runtime,
    seed: int,
    norms: list[Norm],
) -> _Setting:
    program = mapping.program
    pieces = parameter_pieces(mapping, module)
    if not pieces:
        raise InputError("There is nothing to train: the model has no trainable parameter.")
    drawn = drawn_values(mapping)
    roots = find_roots(runtime, program, [value for row in mapping.rows for value in row.values])
    reference = runtime.values(program, inputs, [*roots.values, *drawn])
    random = np.random.default_rng(seed)
    targets = {}
    for value in roots.values:
        output = reference_tensor(reference, value)
        assert output is not None  # it was recorded just now
        output = output.float()
        spread = float(output.std()) if output.numel() > 1 else 1.0
        noise = torch.from_numpy(random.normal(size=tuple(output.shape))).to(output.dtype)
        targets[value] = output + noise * (spread or 1.0)
    module = with_drawn_values(rooted(module, roots), drawn, reference)
    return _Setting(program, module, reference, targets, pieces, norms, roots.notes)


def _course(name: str, setting: _Setting, runtime: Runtime, steps: int) -> Course:
    options, kind, ours = OPTIMISERS[name]
    module, norms = setting.module, setting.norms
    if "lr" not in ours:
        rate = _rate(copy.deepcopy(module), setting)
        options, ours = {"learning_rate": rate, **options}, {"lr": rate, **ours}
    plain = copy.deepcopy(module)
    sizes = BatchSizes(plain, norms)
    losses = _torchs(plain, kind, ours, setting, steps)
    sizes.close()
    theirs, trained = _paddles(name, options, setting, runtime, steps)
    other = wide_module(module)
    noises, others = np.zeros(steps + 1), []
    for seed in range(MOST_RUNS + 1):
        if seed:
            other = _shaken(module, seed)
        found = _torchs(other, kind, ours, setting, steps)
        noises = np.maximum(noises, np.abs(np.subtract(losses, found)))
        others.append(statistics_of(other, norms))
        tolerance = _tolerance(noises, losses)
        agree = (np.abs(np.subtract(losses, theirs)) <= tolerance).all()
        if seed >= FEWEST_RUNS and agree:
            break
    statistics = compare_statistics(
        norms, statistics_of(module, norms), statistics_of(plain, norms), others, trained,
        sizes.found,
    )  # fmt: skip
    return Course(
        name, tuple(options.items()), tuple(theirs), tuple(losses),
        tuple(float(bound) for bound in tolerance), _apart(module, plain, trained, setting.pieces),
        statistics,
    )  # fmt: skip


def _tolerance(noises: np.ndarray, losses: Sequence[float]) -> np.ndarray:
    """What rounding may do to each loss: it never shrinks from step to step."""
    epsilon = float(torch.finfo(torch.float32).eps)
    grown = np.maximum.accumulate(noises)
    return np.asarray(NOISE_FACTOR * grown + EPSILONS * epsilon * np.abs(losses))


def _paddles(
    name: str, options: dict[str, float], setting: _Setting, runtime: Runtime, steps: int
) -> tuple[list[float], dict[str, np.ndarray]]:
    kept = dict.fromkeys(w.parameter for norm in setting.norms for w in norm.weights.values())
    targets = {value: tensor.numpy() for value, tensor in setting.targets.items()}
    given = Steps(
        setting.reference.inputs, targets, setting.names, tuple(kept), name, options, steps
    )
    return runtime.train(setting.program, given)


def _torchs(
    module: fx.GraphModule,
    kind: type[torch.optim.Optimizer],
    options: dict[str, float],
    setting: _Setting,
    steps: int,
) -> list[float]:
    """Losses of our own steps; the module given is trained."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    make: Any = kind
    optimiser = make(parameters, **options)
    double = parameters[0].dtype == torch.float64
    inputs = _inputs(setting, double)
    run = _Widening(module).run if double else module
    losses = []
    for step in range(steps + 1):
        optimiser.zero_grad()
        loss = _loss(run(*inputs), setting)
        losses.append(float(loss.detach()))
        if step < steps:
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return losses


class _Widening(fx.Interpreter):
    """Runs a float64 module; tensors that it creates in its default dtype become float64 too."""

    def run_node(self, n: fx.Node) -> Any:
        return widen(super().run_node(n))


def _rate(module: fx.GraphModule, setting: _Setting) -> float:
    """A learning rate with which the loss falls."""
    loss = _loss(module(*_inputs(setting)), setting)
    if not loss.requires_grad:
        raise InputError(
            "There is nothing to train: no trainable parameter stands before the outputs.",
            " ".join(setting.notes),
        )
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    norm = sum(float((gradient.double() ** 2).sum()) for gradient in found if gradient is not None)
    return float(f"{SHARE * float(loss.detach()) / norm:.2g}") if norm else 0.01


def _inputs(setting: _Setting, double: bool = False) -> list[torch.Tensor]:
    inputs = []
    for value in setting.program.inputs:
        tensor = reference_tensor(setting.reference, value)
        assert tensor is not None  # inputs are always recorded
        inputs.append(tensor.double() if double and tensor.is_floating_point() else tensor)
    return inputs


def _loss(results: tuple[torch.Tensor, ...], setting: _Setting) -> torch.Tensor:
    """In float64, so that no error of a long sum hides what the model does."""
    pairs = zip(results, setting.targets.values(), strict=True)
    parts = [((result.double() - target.double()) ** 2).mean() for result, target in pairs]
    return torch.stack(parts).sum() / len(parts)


def _shaken(module: fx.GraphModule, seed: int) -> fx.GraphModule:
    """A copy whose parameters are one rounding away."""
    made = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.is_floating_point():
                shift = torch.rand(parameter.shape, generator=generator) * 2 - 1
                parameter.mul_(1 + shift.to(parameter.dtype) * torch.finfo(parameter.dtype).eps)
    return made


def _apart(
    before: fx.GraphModule, after: fx.GraphModule, trained: dict[str, np.ndarray],
    pieces: Iterable[Piece],
) -> float:  # fmt: skip
    """Distance of the two frameworks' updates over the length of Paddle's."""
    start, end = dict(before.named_parameters()), dict(after.named_parameters())
    apart = length = 0.0
    for piece in pieces:
        theirs = torch.from_numpy(np.array(piece.weight.apply(trained[piece.weight.parameter])))
        change = (theirs - start[piece.key].detach()).double()
        ours = (end[piece.key] - start[piece.key]).detach().double()
        apart += float(((ours - change) ** 2).sum())
        length += float((change**2).sum())
    return math.sqrt(apart / length) if length else math.sqrt(apart)


# --- random operators -----------------------------------------------------------------------------


def drawn_values(mapping: Mapping) -> list[Value]:
    """What random operators draw.

    Raises `InputError` where a gradient passes through the draw, and where Paddle's own numbers are
    a mistake.
    """
    rows = [row for row in mapping.rows if row.is_random]
    wrong = next((row for row in mapping.rows if row.is_mistaken), None)
    if wrong is not None:
        raise InputError(
            f"Paddle computes {wrong.path} by mistake ({wrong.note}), so training cannot be "
            "compared.",
            "Compare the model as it was before it was quantised.",
        )
    for row in rows:
        if row.has(Trait.DROPOUT) or row.has(Trait.NOISE):
            raise InputError(
                f"{row.path} drops values at random, and the frameworks draw other numbers.",
                "Export the model in eval mode to compare its training.",
            )
    return [value for row in rows for value in row.values if is_float(value.dtype)]


def with_drawn_values(
    module: fx.GraphModule, drawn: Sequence[Value], reference: Reference
) -> fx.GraphModule:
    """A copy in which Paddle's random numbers, the same at every step, take the place of ours."""
    if not drawn:
        return module
    made = copy.deepcopy(module)
    for node in list(made.graph.nodes):
        value = node.meta.get("value")
        tensor = reference_tensor(reference, value) if value in drawn else None
        if tensor is None:
            continue
        name = f"drawn_{node.name}"
        made.register_buffer(name, tensor)
        with made.graph.inserting_after(node):
            node.replace_all_uses_with(made.graph.get_attr(name))
    made.recompile()
    return made
