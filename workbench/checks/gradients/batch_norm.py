"""Batch norm as it trains: with the statistics of the batch, which the running ones follow.

A saved program normalises with stored statistics. Here its batch norms are switched back to
training, in a copy of the program for Paddle and in a copy of the module for PyTorch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from workbench.checks.results.checks import Check
from workbench.checks.results.training import StatisticsCheck
from workbench.checks.rounding.judging import compare
from workbench.core.calls import Weight
from workbench.core.errors import InputError
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.traits import Trait
from workbench.sources.registry import source_of

#: What a batch norm keeps, by state_dict key.
STATISTICS = ("running_mean", "running_var")
#: Statistics as they were exported, or those of the batch.
MODES = ("stored", "train")


@dataclass(frozen=True, slots=True)
class Norm:
    """One batch norm: its path, where Paddle's op stands in the file, and what it keeps.

    `momentum` is Paddle's, the share of the old value.
    """

    path: str
    position: int
    momentum: float
    weights: Mapping[str, Weight]


def check_batch_norm(mode: str) -> None:
    """Raises `InputError` for a mode that there is not."""
    if mode not in MODES:
        raise InputError(f"There is no batch_norm={mode!r}.", f"Use one of {list(MODES)}.")


def batch_norms(mapping: RowMapping) -> list[Norm]:
    """The batch norms with stored statistics; those inside `if` and `while` are left out."""
    found = []
    for row in mapping.rows:
        op = next((op for op in row.parts if Trait.BATCH_NORM in op.traits), None)
        if op is None or not row.target.startswith("nn.BatchNorm"):
            continue
        places = [mapping.program.positions.get(value.id) for value in op.outputs.values()]
        place = next((place for place in places if place is not None), None)
        if place is not None:
            momentum = float(op.attributes.get("momentum", 0.9))
            weights = {key: row.weights[key] for key in STATISTICS}
            found.append(Norm(row.path, place[0], momentum, weights))
    return found


def in_training(
    mapping: RowMapping, module: fx.GraphModule, folder: Path
) -> tuple[RowMapping, fx.GraphModule, list[Norm]]:
    """The mapping of a program whose batch norms train, a module likewise, and those batch norms.

    The program's file is written into `folder`. Raises `InputError` when there is no batch norm.
    """
    norms = batch_norms(mapping)
    if not norms or mapping.program.source is None:
        raise InputError(
            "The model has no batch norm that could train.",
            'Leave out batch_norm="train": the model trains as it was exported.',
        )
    positions = [norm.position for norm in norms]
    program = source_of(mapping.program).training(mapping.program, positions, folder)
    trained = copy.deepcopy(module)
    for norm in norms:
        layer = trained.get_submodule(norm.path).train()
        layer.register_forward_pre_hook(_refusing_single(norm.path))
    return replace(mapping, program=program), trained, norms


def _refusing_single(path: str) -> Any:
    def hook(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if _per_channel(args[0]) < 2:
            raise InputError(
                f"{path} gets one value a channel, which has no variance: PyTorch refuses that.",
                "Give inputs with a larger batch.",
            )

    return hook


def _per_channel(tensor: torch.Tensor) -> int:
    return tensor.numel() // max(tensor.shape[1], 1)


class BatchSizes:
    """How many values a channel had, at every call of a batch norm."""

    def __init__(self, module: nn.Module, norms: Iterable[Norm]) -> None:
        self.found: dict[str, list[int]] = {}
        self._module = module
        self._hooks = [
            module.get_submodule(norm.path).register_forward_pre_hook(self._noted(norm))
            for norm in norms
        ]

    def _noted(self, norm: Norm) -> Any:
        name = norm.weights["running_var"].parameter  # two layers may share it

        def hook(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            self.found.setdefault(name, []).append(_per_channel(args[0]))

        return hook

    def close(self) -> None:
        """Count no further."""
        for hook in self._hooks:
            hook.remove()


def statistics_of(module: nn.Module, norms: Iterable[Norm]) -> dict[tuple[str, str], torch.Tensor]:
    """Copies of what the batch norms of a module keep, by path and key."""
    return {
        (norm.path, key): module.get_submodule(norm.path).get_buffer(key).clone()
        for norm in norms
        for key in STATISTICS
    }


def compare_statistics(
    norms: Iterable[Norm],
    start: Mapping[tuple[str, str], torch.Tensor],
    ours: Mapping[tuple[str, str], torch.Tensor],
    others: Sequence[Mapping[tuple[str, str], torch.Tensor]],
    theirs: Mapping[str, np.ndarray],
    sizes: Mapping[str, list[int]],
) -> tuple[StatisticsCheck, ...]:
    """Running means and variances after training against Paddle's, which are `theirs` by name.

    `others` are those of runs that rounding sets apart from ours, float64 among them. Paddle adds
    the biased variance of a batch of n values, torch the unbiased one: of Paddle's value all but
    what is left of the start is multiplied by n / (n - 1) before it is compared.
    """
    found = []
    for norm in norms:
        counts = sizes.get(norm.weights["running_var"].parameter, [])
        for key in STATISTICS:
            weight, place = norm.weights[key], (norm.path, key)
            reference = torch.from_numpy(np.array(weight.apply(theirs[weight.parameter])))
            noises = [other[place] for other in others]
            plain = _compared(ours[place], reference, noises)
            check, factor = plain, 1.0
            if not counts:
                told = "no output that can be differentiated depends on it"
                check = Check("unchecked", plain.error, problem=told)
            elif key == "running_var" and len(set(counts)) == 1:
                factor = counts[0] / (counts[0] - 1)
                left = norm.momentum ** len(counts) * start[place].double()
                unbiased = (left + factor * (reference.double() - left)).to(reference.dtype)
                check = _compared(ours[place], unbiased, noises)
            elif key == "running_var" and plain.failed:
                told = "batches of several sizes, so the unbiased variance cannot be told"
                check = Check("unchecked", plain.error, problem=told)
            apart = plain.error.relative if plain.error else 0.0
            found.append(StatisticsCheck(norm.path, key, check, apart, factor))
    return tuple(found)


def _compared(ours: torch.Tensor, theirs: torch.Tensor, others: list[torch.Tensor]) -> Check:
    """The verdict of the run that rounding moves most."""
    checks = [compare(ours, theirs, other) for other in others]
    return max(checks, key=lambda check: check.tolerance)
