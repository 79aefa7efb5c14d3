"""Sizes of dynamic dimensions: which of them differ from each other, and by how much.

Dimensions that are equal in every run hide that one was taken for another, such as the length of a
decoder for that of its encoder. So each has a size of its own unless Paddle refuses that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.core.program import Program
from workbench.core.values import Value

#: Sizes of the first and the second run, and of a small third one with more elements in its batch:
#: batch, image side(s), length.
SIZES = ({"batch": 2, "height": 224, "width": 224, "length": 16},
         {"batch": 1, "height": 256, "width": 192, "length": 40},
         {"batch": 5, "height": 64, "width": 96, "length": 9})  # fmt: skip
#: Small sizes for trying what Paddle takes.
SMALL = {"batch": 2, "height": 64, "width": 96, "length": 8}
#: How far the sizes of two dimensions of a kind are apart.
STEPS = {"batch": 0, "height": 32, "width": 32, "length": 3}
#: So many groups of dimensions are tried at most.
TRIES = 16

#: A dynamic dimension: the number of the input, and the axis.
Place = tuple[int, int]
#: The number of its group for each dimension that may differ from the rest, which is group 0.
Groups = Mapping[Place, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes by kind of dimension, and the groups of dimensions with sizes of their own."""

    kinds: Mapping[str, int]
    groups: Groups = field(default_factory=dict)

    def of(self, place: Place, kind: str) -> int:
        """The size of a dynamic dimension."""
        return self.kinds[kind] + STEPS[kind] * self.groups.get(place, 0)


def kinds_of(value: Value) -> list[str]:
    """What each dimension of an input is: batch, height, width or length."""
    rank = len(value.shape)
    names = ["batch", *["length"] * (rank - 1)]
    if rank >= 4:
        last = value.shape[-1] in (1, 3, 4) and value.shape[1] not in (1, 3, 4)
        names = ["batch", *["length"] * (rank - 3), "height", "width"]
        if last:
            names = ["batch", *["length"] * (rank - 4), "height", "width", "length"]
    return names[:rank]


def shape_of(number: int, value: Value, sizes: Sizes) -> tuple[int, ...]:
    """The shape of an input in these sizes."""
    return tuple(
        sizes.of((number, axis), kind) if dim < 0 else dim
        for axis, (dim, kind) in enumerate(zip(value.shape, kinds_of(value), strict=True))
    )


def dynamic_places(program: Program) -> list[tuple[Place, str]]:
    """The dynamic dimensions beside the batch, with their kinds."""
    return [
        ((number, axis), kind)
        for number, value in enumerate(program.inputs)
        for axis, (dim, kind) in enumerate(zip(value.shape, kinds_of(value), strict=True))
        if dim < 0 and kind != "batch"
    ]


def all_apart(program: Program) -> dict[Place, int]:
    """Every dimension with a size of its own."""
    counts: dict[str, int] = {}
    found: dict[Place, int] = {}
    for place, kind in dynamic_places(program):
        found[place] = counts.get(kind, 0)
        counts[kind] = found[place] + 1
    return found


def apart(program: Program, takes: Callable[[Sequence[Groups]], Sequence[bool]]) -> Groups:
    """Which dimensions may differ, as `takes` tells of several ways to group them.

    At first all are tried apart, then each alone, those of inputs named alike, and each two.
    """
    wanted = all_apart(program)
    if not any(wanted.values()):
        return {}
    if takes([wanted])[0]:
        return wanted
    sets = list(dict.fromkeys(_sets(program, list(wanted))))[:TRIES]
    fit, *told = takes([{}, *(dict.fromkeys(one, 1) for one in sets)])
    if not fit:
        return {}
    made: dict[Place, int] = {}
    for one, taken in zip(sets, told, strict=True):
        if taken and not any(place in made for place in one):
            made |= dict.fromkeys(one, max(made.values(), default=0) + 1)
    return made if made and takes([made])[0] else {}


def _sets(program: Program, places: Sequence[Place]) -> Iterable[tuple[Place, ...]]:
    """Sets of dimensions that may belong together and differ from the rest."""
    yield from ((place,) for place in places)
    names: dict[str, list[Place]] = {}
    for place in places:
        names.setdefault(program.inputs[place[0]].name.split("_")[0], []).append(place)
    yield from (tuple(group) for group in names.values() if 1 < len(group) < len(places))
    if len(places) > 2:
        yield from itertools.combinations(places, 2)
