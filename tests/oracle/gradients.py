"""Gradients of a fixed projection of the outputs against Paddle's."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from tests.oracle.case import Case
from tests.oracle.compare import compare


def reference_gradients(feed: list[torch.Tensor], expected: Any) -> dict[int, np.ndarray]:
    """Paddle's gradients by position of the input; it has none for some, as for a clip's bounds."""
    floats = [i for i, x in enumerate(feed) if x.dtype in (torch.float32, torch.float64)]
    names = ((position, f"grad_{number}") for number, position in enumerate(floats))
    return {position: expected[name] for position, name in names if name in expected}


def compare_gradients(
    case: Case,
    module: torch.nn.Module,
    feed: list[torch.Tensor],
    results: list[torch.Tensor],
    references: dict[int, np.ndarray],
) -> None:
    """Raise AssertionError where ours differ, unless finite differences say that ours are right.

    The outputs agree, so a derivative that finite differences confirm cannot be wrong; some of
    Paddle's are.
    """
    wanted = [feed[position] for position in references]
    loss = _projection(results)
    grads: Any = [None] * len(wanted)
    if loss is not None and loss.requires_grad:
        grads = torch.autograd.grad(loss, wanted, allow_unused=True)
    found = [
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(wanted, grads, strict=True)
    ]
    try:
        for one, (position, reference) in zip(found, references.items(), strict=True):
            where = f"gradient of input {position}"
            compare(one.detach(), reference, max(case.rtol, 1e-4), max(case.atol, 1e-4), where)
    except AssertionError:
        if not _confirmed(module, feed, list(references), found):
            raise


def _projection(results: list[torch.Tensor]) -> torch.Tensor | None:
    terms = [
        (result * torch.cos(torch.arange(result.numel(), dtype=result.dtype)).view_as(result)).sum()
        for result in (result.contiguous() for result in results)
        if result.is_floating_point()
    ]
    return sum(terms) if terms else None  # type: ignore[return-value]


def _confirmed(
    module: torch.nn.Module, feed: list[torch.Tensor], wanted: list[int], grads: list[torch.Tensor]
) -> bool:
    """True when central differences along two directions agree with the gradients."""
    exact = copy.deepcopy(module).double()
    random = torch.Generator().manual_seed(3)
    values = [x.detach().double() if x.is_floating_point() else x for x in feed]

    def at(position: int, direction: torch.Tensor, step: float) -> float:
        moved = list(values)
        moved[position] = values[position] + step * direction
        results = exact(*moved)
        loss = _projection(list(results) if isinstance(results, (tuple, list)) else [results])
        return float(loss) if loss is not None else 0.0

    for position, grad in zip(wanted, grads, strict=True):
        for _ in range(2):
            direction = torch.randn(grad.shape, generator=random, dtype=torch.float64)
            slope = (at(position, direction, 1e-5) - at(position, direction, -1e-5)) / 2e-5
            ours = float((grad.double() * direction).sum())
            if not abs(slope - ours) <= 1e-3 * max(1.0, abs(slope), float(grad.abs().max())):
                return False
    return True
