"""How far rounding of what a row reads moves what it makes: the rounding of an element's terms.

Where terms cancel, a sum is rounded far more than its own size tells. A row that is run again on
inputs that differ by a rounding error each shows it element by element. Its own deviation from
Paddle does not enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from workbench.checks.values.row_runner import Lookup, RowRunner
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Row
from workbench.core.values import Value

#: Further runs, and how many times the largest difference that they show is allowed.
DRAWS, TIMES = 3, 32.0


def moved_by_rounding(
    runner: RowRunner,
    row: Row,
    paddles: PaddleValues,
    made: Mapping[Value, Any],
) -> dict[Value, torch.Tensor]:
    """By value of the row, how far each element may be off for the rounding of its terms.

    `made` is what the row made of Paddle's values; every float that it reads is changed by up to
    one rounding of its dtype.
    """
    found: dict[Value, torch.Tensor] = {}
    for draw in range(DRAWS):
        try:
            moved = runner.alone(row.path, _shifted(paddles.get, draw))
        except Exception:  # noqa: BLE001 - a decision flipped into what cannot run
            return {}
        for value in row.values:
            apart = _apart(made.get(value), moved.get(value))
            if apart is not None:
                found[value] = torch.maximum(found[value], apart) if value in found else apart
    return {value: TIMES * apart for value, apart in found.items()}


def _shifted(get: Lookup, draw: int) -> Lookup:
    def shifted(value: Value) -> torch.Tensor | None:
        found = get(value)
        if not isinstance(found, torch.Tensor) or not found.is_floating_point():
            return found
        generator = torch.Generator().manual_seed(1_000 * value.id + draw)
        shift = torch.rand(found.shape, generator=generator, dtype=torch.float64) * 2 - 1
        moved = found.double() * (1 + torch.finfo(found.dtype).eps * shift)
        return torch.where(torch.isfinite(found), moved.to(found.dtype), found)

    return shifted


def _apart(made: Any, moved: Any) -> torch.Tensor | None:
    """The differences; 0 where one is not finite. None where they cannot be had."""
    both = isinstance(made, torch.Tensor) and isinstance(moved, torch.Tensor)
    if not both or made.shape != moved.shape or not made.is_floating_point():
        return None
    return torch.nan_to_num((made.double() - moved.double()).abs(), nan=0.0, posinf=0.0)
