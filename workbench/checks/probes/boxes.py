"""Boxes at which the thresholds of a non-maximum suppression show: pairs that overlap by nearly the
threshold, scores around the least one, more boxes than are kept, and no two scores equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from workbench.core.program import Op
from workbench.core.traits import Role, Trait
from workbench.core.values import Value
from workbench.sources.interface import Slice

#: Sets of boxes, and how far the overlap of pairs is from the threshold at most.
SETS, SPREAD = 3, 0.06
#: So many scores of a picture are above the least one in the third set.
FEW = 16
#: Width and height of a box, and how far apart pairs stand, in pixels or shares of the picture.
_SIDE, _APART = (12.0, 90.0), 200.0


def box_sets(
    part: Slice, base: Mapping[Value, torch.Tensor]
) -> Iterator[tuple[str, dict[Value, torch.Tensor]]]:
    """Sets of numbers for a slice that is such an operator; none for any other."""
    for op in part.ops:
        if Trait.SCORED_BY_CLASS not in op.traits:
            continue
        boxes, scores = op.operand(Role.BOXES), op.operand(Role.SCORES)
        if boxes is None or scores is None:
            return
        if not {boxes, scores} <= base.keys() or base[boxes].ndim != 3 or not base[boxes].numel():
            return
        for number in range(SETS):
            random = torch.Generator().manual_seed(number)
            made = dict(base)
            made[boxes] = _pairs(base[boxes], op, random)
            made[scores] = _scores(base[scores], op, random, number)
            yield "boxes around the thresholds", made
        return


def _pairs(like: torch.Tensor, op: Op, random: torch.Generator) -> torch.Tensor:
    """Boxes in pairs, the second moved so far that both overlap by nearly the threshold."""
    batch, count, _ = like.shape
    threshold = op.setting(Role.OVERLAP, 0.5)
    plain = float(like.abs().max()) > 2.0
    unit = 1.0 if plain else 1.0 / (_APART * count)
    pairs = (count + 1) // 2
    low, high = _SIDE
    sides = low + (high - low) * torch.rand(batch, pairs, 2, generator=random)
    spread = (torch.rand(batch, pairs, generator=random) * 2 - 1) * SPREAD
    overlap = (threshold + spread).clamp(0.02, 0.98)
    moved = sides[..., 0] * (1 - overlap) / (1 + overlap)
    left = torch.arange(pairs) * 2 * _APART + torch.rand(batch, pairs, generator=random)
    top = torch.rand(batch, pairs, generator=random) * _APART
    first = torch.stack([left, top, left + sides[..., 0], top + sides[..., 1]], -1)
    second = first + torch.stack([moved, torch.zeros_like(moved)] * 2, -1)
    boxes = torch.stack([first, second], 2).flatten(1, 2)[:, :count] * unit
    return boxes.to(like.dtype)


def _scores(like: torch.Tensor, op: Op, random: torch.Generator, number: int) -> torch.Tensor:
    """Scores that all differ.

    In the first set they are spread over all classes; in the second one class after another has the
    highest, so that its own bound on boxes shows; in the third few are above the least score, and
    these just above, so that no bound on all boxes hides them.
    """
    least = op.setting(Role.LEAST_SCORE, 0.0)
    least = least if 0.0 < least < 0.9 else 0.05
    order = torch.randperm(like.numel(), generator=random).reshape(like.shape).double()
    places = (order + torch.rand(like.shape, generator=random)) / like.numel()
    if number == 1 and like.ndim == 3:
        classes = like.shape[1]
        turn = torch.arange(classes, dtype=torch.float64).roll(1).reshape(1, -1, 1)
        places = (places + turn) / classes
    if number < 2:
        return (least * 0.5 + (0.99 - least * 0.5) * places).to(like.dtype)
    few = min(FEW / like[0].numel(), 0.5)
    above = least * (1 + 0.3 * (places - (1 - few)) / few)
    return torch.where(places < 1 - few, least * 0.9 * places, above).to(like.dtype)
