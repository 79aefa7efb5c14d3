"""Confusions of structure: casts in between, sizes of a sample, results, branches, loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

from workbench.checks.diagnosis.weights import Candidate, swapped
from workbench.core.arguments import calls_in
from workbench.core.calls import Call, Dtype, Layer
from workbench.core.integers import Dim, Symbol
from workbench.core.mapping import Row
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.editing.calls import swap

_HALVES = ("float16", "bfloat16")


def structural(row: Row, shape: Callable[[Value], tuple[int, ...]]) -> Iterator[Candidate]:
    """Rows that differ from this one in structure, the most likely first.

    `shape` gives the sizes that a value had in the sample, () where they are not known.
    """
    if row.blocks:
        yield from _control(row)
        return
    yield from _casts(row)
    yield from _results(row)
    yield from _sizes(row, shape)


def own_settings(row: Row) -> Iterator[Candidate]:
    """A convolution with all of the operator's own settings: two may be wrong together."""
    layer, merged = row.layer, (row.op, *row.op.merged) if row.op else ()
    op = next((op for op in merged if Trait.CONVOLUTION in op.traits), None)
    if layer is None or op is None or layer.target != "nn.Conv2d":
        return
    told = {"padding": "paddings", "dilation": "dilations", "stride": "strides"}
    own = {
        name: tuple(op.attributes[key])
        for name, key in told.items()
        if isinstance(op.attributes.get(key), tuple)
    }
    if any(len(value) != 2 for value in own.values()):  # paddings of four sides
        return
    defaults = {"padding": 0, "dilation": 1, "stride": 1}
    given = {name: layer.arguments.get(name, defaults[name]) for name in own}
    other = {k: v for k, v in own.items() if given[k] not in (v, *v[: len(set(v)) == 1])}
    if not other:
        return
    changed = replace(layer, arguments={**layer.arguments, **other})
    shown = ", ".join(f"{name}: {given[name]} here, Paddle's is {v}" for name, v in other.items())
    yield Candidate(shown, swapped(row, layer, changed), {"arguments": other})


def _control(row: Row) -> Iterator[Candidate]:
    """The branches the other way round; a loop that runs once more or less."""
    if len(row.blocks) == 2:
        first, second = row.blocks
        blocks = (replace(second, name=first.name), replace(first, name=second.name))
        yield Candidate("the branches are swapped", replace(row, blocks=blocks))
    call = row.call
    if not isinstance(call, Call) or call.target != "control.for":
        return
    for place, name in ((1, "end"), (0, "start")):
        for step in (1, -1):
            bound = call.args[place]
            if not isinstance(bound, (int, Symbol)):
                continue
            args = (*call.args[:place], bound + step, *call.args[place + 1 :])
            times = "less" if (step > 0) == (name == "end") else "more"
            told = f"the loop runs once {times} than Paddle's: its {name} is off by one"
            yield Candidate(told, replace(row, call=replace(call, args=args)))


def _casts(row: Row) -> Iterator[Candidate]:
    """Without a cast to half precision that none of the row's values has."""
    own = {value.dtype for value in (*row.values, *row.reads)}
    for part in calls_in(row.call):
        found = [item for item in (*part.args, *part.kwargs.values()) if isinstance(item, Dtype)]
        half = next((one.name for one in found if one.name in _HALVES and one.name not in own), "")
        if half and isinstance(part, Call) and part.args:
            told = f"computed in {half} in between, Paddle computes in {row.values[0].dtype}"
            yield Candidate(told, replace(row, call=swap(row.call, part, part.args[0])))


def _results(row: Row) -> Iterator[Candidate]:
    """The places of two results exchanged, such as the states of a recurrent layer."""
    places = [place for _, place in row.outputs]
    for other in permutations(places) if 2 <= len(places) <= 4 else ():
        if list(other) == places:
            continue
        outputs = tuple(
            (value, place) for (value, _), place in zip(row.outputs, other, strict=True)
        )
        yield Candidate("the results are taken in another order", replace(row, outputs=outputs))


def _sizes(row: Row, shape: Callable[[Value], tuple[int, ...]]) -> Iterator[Candidate]:
    """A number that is a size of the sample, read from the input instead."""
    sizes = [
        (Dim(value, axis), shape(value)[axis : axis + 1])
        for value in row.reads
        if not value.parameter
        for axis, size in enumerate(value.shape)
        if size < 0
    ]
    for part in calls_in(row.call):
        for place, item in _numbers(part):
            for size in (size for size, taken in sizes if taken == (item,)):
                told = (
                    f"the number {item} is fixed, Paddle takes the size of axis {size.axis} of "
                    f"{size.value.label}"
                )
                yield Candidate(told, swapped(row, part, _with(part, place, size)))


def _numbers(part: Call | Layer) -> Iterator[tuple[tuple[int, ...], int]]:
    """Whole numbers above one among the arguments of a call, one level of tuples deep."""
    for place, item in enumerate(part.args):
        if isinstance(item, (tuple, list)):
            for inner, one in enumerate(item):
                if type(one) is int and one > 0:
                    yield (place, inner), one
        elif type(item) is int and item > 0:
            yield (place,), item


def _with(part: Call | Layer, place: tuple[int, ...], new: Any) -> Call | Layer:
    args = list(part.args)
    if len(place) == 1:
        args[place[0]] = new
    else:
        inner = list(args[place[0]])
        inner[place[1]] = new
        args[place[0]] = type(args[place[0]])(inner)
    return replace(part, args=tuple(args))
