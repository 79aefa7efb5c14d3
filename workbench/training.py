"""Training parity: a few optimiser steps in both frameworks, losses side by side.

Both start from the same weights and fit the outputs to the same random targets (mean squared
distance), the network as it was exported: batch norm with its stored statistics, no dropout. The
tolerance of a loss comes from the same steps in float64 and from float32 steps that start one
rounding away.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx

from workbench.errors import InputError
from workbench.gradients import Piece, parameter_pieces, wide_module
from workbench.judging import NOISE_FACTOR
from workbench.mapping import Mapping
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import Reference, record
from workbench.program import Program, Value
from workbench.verify import reference_tensor

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True, slots=True)
class Course:
    """One optimiser's steps: losses before each step and after the last, and what they may differ.

    `updates` is how far the two frameworks' changes of all weights are apart, over their size.
    """

    optimiser: str
    options: tuple[tuple[str, float], ...]
    paddle: tuple[float, ...]
    torch: tuple[float, ...]
    tolerance: tuple[float, ...]
    updates: float

    @property
    def passed(self) -> bool:
        """True when every loss agrees within its tolerance and all are numbers."""
        return self.ratio <= 1

    @property
    def ratio(self) -> float:
        """The largest difference of a loss over its tolerance."""
        lines = zip(self.paddle, self.torch, self.tolerance, strict=True)
        found = [abs(a - b) / t if t else math.inf if a != b else 0.0 for a, b, t in lines]
        return max((math.inf if math.isnan(one) else one for one in found), default=0.0)


@dataclass(frozen=True, slots=True)
class TrainingParity:
    """The result of `m.training()`: a course for each optimiser, and what differs on purpose."""

    inputs: tuple[str, ...]
    courses: tuple[Course, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """True when the losses of every optimiser agree."""
        return bool(self.courses) and all(course.passed for course in self.courses)

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        told = ", ".join(
            f"{course.optimiser} {'agrees' if course.passed else 'differs'} ({course.ratio:.2g}× "
            "its tolerance)"
            for course in self.courses
        )
        steps = len(self.courses[0].torch) - 1 if self.courses else 0
        return f"{'passed' if self.passed else 'failed'}: losses over {steps} steps: {told}"

    def frame(self) -> pd.DataFrame:
        """One line a step and optimiser."""
        import pandas as pd

        lines = [
            {"optimiser": course.optimiser, "step": step, "paddle": a, "torch": b, "tolerance": t}
            for course in self.courses
            for step, (a, b, t) in enumerate(
                zip(course.paddle, course.torch, course.tolerance, strict=True)
            )
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        return f"TrainingParity({self.summary})"

    def _repr_html_(self) -> str:
        from workbench.report.parity_fragments import training_html

        return training_html(self)


def training_parity(
    mapping: Mapping,
    module: fx.GraphModule,
    source: Program,
    inputs: Sequence[np.ndarray],
    process: PaddleProcess,
    optimisers: Iterable[str] = tuple(OPTIMISERS),
    steps: int = 5,
    seed: int = 0,
) -> TrainingParity:
    """Train both models for a few steps with each optimiser; the module itself is not changed.

    `source` is the program before passes. Raises `InputError` for an unknown optimiser or a model
    with nothing to train, `PaddleProcessError` when Paddle cannot differentiate it.
    """
    start = time.perf_counter()
    setting = _setting(mapping, module, inputs, process, seed)
    courses = []
    for name in optimisers:
        if name not in OPTIMISERS:
            raise InputError(f"There is no optimiser {name!r} here.", f"Use {list(OPTIMISERS)}.")
        courses.append(_course(name, setting, module, process, steps))
    described = tuple(
        f"{value.label} {list(array.shape)}"
        for value, array in zip(mapping.program.inputs, inputs, strict=True)
    )
    warnings = tuple(_warnings(mapping, source, setting.pieces))
    return TrainingParity(described, tuple(courses), warnings, time.perf_counter() - start)


@dataclass(frozen=True, slots=True)
class _Setting:
    program: Program
    reference: Reference
    targets: dict[Value, torch.Tensor]
    pieces: list[Piece]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(piece.weight.parameter for piece in self.pieces))


def _setting(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    process: PaddleProcess,
    seed: int,
) -> _Setting:
    program = mapping.program
    outputs = [value for value in dict.fromkeys(program.outputs) if value.dtype == "float32"]
    pieces = parameter_pieces(mapping, module)
    if not outputs or not pieces:
        raise InputError("There is nothing to train: no float32 output or no trainable parameter.")
    reference = record(process, program, inputs, program.outputs)
    random = np.random.default_rng(seed)
    targets = {}
    for value in outputs:
        output = reference_tensor(reference, value)
        assert output is not None  # outputs are always recorded
        spread = float(output.std()) if output.numel() > 1 else 1.0
        noise = torch.from_numpy(random.normal(size=tuple(output.shape))).to(output.dtype)
        targets[value] = output + noise * (spread or 1.0)
    return _Setting(program, reference, targets, pieces)


def _course(
    name: str, setting: _Setting, module: fx.GraphModule, process: PaddleProcess, steps: int
) -> Course:
    options, kind, ours = OPTIMISERS[name]
    if "lr" not in ours:
        rate = _rate(copy.deepcopy(module), setting)
        options, ours = {"learning_rate": rate, **options}, {"lr": rate, **ours}
    theirs, trained = _paddles(name, options, setting, process, steps)
    plain = copy.deepcopy(module)
    losses = _torchs(plain, kind, ours, setting, steps)
    wide = _torchs(wide_module(module), kind, ours, setting, steps)
    noises = np.abs(np.subtract(losses, wide))
    for seed in range(1, MOST_RUNS + 1):
        shaken = _torchs(_shaken(module, seed), kind, ours, setting, steps)
        noises = np.maximum(noises, np.abs(np.subtract(losses, shaken)))
        tolerance = _tolerance(noises, losses)
        if seed >= FEWEST_RUNS and (np.abs(np.subtract(losses, theirs)) <= tolerance).all():
            break
    return Course(
        name, tuple(options.items()), tuple(theirs), tuple(losses),
        tuple(float(bound) for bound in tolerance), _apart(module, plain, trained, setting.pieces),
    )  # fmt: skip


def _tolerance(noises: np.ndarray, losses: Sequence[float]) -> np.ndarray:
    """What rounding may do to each loss: it never shrinks from step to step."""
    epsilon = float(torch.finfo(torch.float32).eps)
    grown = np.maximum.accumulate(noises)
    return np.asarray(NOISE_FACTOR * grown + EPSILONS * epsilon * np.abs(losses))


def _paddles(
    name: str, options: dict[str, float], setting: _Setting, process: PaddleProcess, steps: int
) -> tuple[list[float], dict[str, np.ndarray]]:
    program = setting.program
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        files = [f"{folder}/input{number}.npy" for number in range(len(program.inputs))]
        for file, array in zip(files, setting.reference.inputs, strict=True):
            np.save(file, array)
        targets = []
        for number, (value, tensor) in enumerate(setting.targets.items()):
            file = f"{folder}/target{number}.npy"
            np.save(file, tensor.numpy())
            targets.append([*program.positions[value.id], file])
        losses = process.ask(
            "train", program=str(program.source),
            params=str(program.params_file) if program.params_file else None,
            inputs=files, targets=targets, parameters=setting.names, optimiser=name,
            options=options, steps=steps, folder=folder,
        )  # fmt: skip
        trained = {
            name: np.load(Path(folder) / f"p{number}.npy")
            for number, name in enumerate(setting.names)
        }
    return [float(loss) for loss in losses], trained


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
    inputs = _inputs(setting, parameters[0].dtype == torch.float64)
    losses = []
    for step in range(steps + 1):
        optimiser.zero_grad()
        loss = _loss(module(*inputs), setting)
        losses.append(float(loss.detach()))
        if step < steps:
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return losses


def _rate(module: fx.GraphModule, setting: _Setting) -> float:
    """A learning rate with which the loss falls."""
    loss = _loss(module(*_inputs(setting)), setting)
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


def _loss(result: Any, setting: _Setting) -> torch.Tensor:
    results = result if isinstance(result, tuple) else (result,)
    outputs = dict(zip(setting.program.outputs, results, strict=True))
    parts = [
        ((outputs[value] - target.to(outputs[value].dtype)) ** 2).mean()
        for value, target in setting.targets.items()
    ]
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


# --- what differs on purpose ----------------------------------------------------------------------


def _warnings(mapping: Mapping, source: Program, pieces: Sequence[Piece]) -> Iterator[str]:
    """What a person should know who trains the converted model further."""
    ops = list(source.walk())
    names = {op.short_name for op in ops}
    if names & {"batch_norm", "batch_norm_", "sync_batch_norm_"}:
        yield (
            "Batch norm was exported with its stored statistics. When it is trained, Paddle keeps "
            "the biased variance of a batch, PyTorch the unbiased one (n / (n - 1)); Paddle's "
            "momentum is the share of the old value, and has become 1 - momentum here."
        )
    modes = {op.attributes.get("mode") for op in ops if "dropout" in op.short_name}
    kept = any(row.target.startswith("nn.Dropout") for row in mapping.walk())
    if modes and kept:
        yield (
            "Dropout was exported switched off; it is nn.Dropout here, which model.train() turns "
            "on. PyTorch scales while training, as Paddle's mode upscale_in_train does."
        )
    elif modes:
        yield "Dropout was exported switched off and left no layer: add it to train the model."
    if "downscale_in_infer" in modes:
        yield (
            "Dropout in mode downscale_in_infer multiplies by 1 - p at inference, which is kept as "
            "it is: drop without scaling when you train the model."
        )
    if any(op.short_name == "rnn" and op.attributes.get("dropout_prob") for op in ops):
        yield "The recurrent layers had dropout between them; an exported program leaves it out."
    made = {value: op.short_name for op in ops for value in op.outputs.values()}
    if any(made.get(value) == "softmax" for value in source.outputs):
        yield (
            "The model ends in a softmax: train PyTorch's cross_entropy on the values before "
            "it. Both ignore label -100 by default; a Paddle model that was trained with another "
            "ignore_index, soft labels or class weights needs the same arguments in PyTorch."
        )
    shared: dict[str, int] = {}
    for piece in pieces:
        shared[piece.weight.parameter] = shared.get(piece.weight.parameter, 0) + 1
    sliced = {p.weight.parameter for p in pieces if p.weight.final_shape != p.weight.shape}
    tied = [name for name, count in shared.items() if count > 1 and name not in sliced]
    for name in tied:
        yield f"{name} is one parameter in Paddle and {shared[name]} in PyTorch: they drift apart."
    yield (
        "Weight decay: a number given to Paddle's SGD or Momentum is L2 decay, added to the "
        "gradient, as in PyTorch; AdamW's is apart from it in both. Learning rates and decay set "
        "per parameter (ParamAttr) and gradient clipping are not in the exported program."
    )
