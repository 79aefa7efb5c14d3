"""Numbers that reveal: both signs, ties, tiny and large ones, and those at an operator's bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import torch

from workbench.checks.probes.boxes import box_sets
from workbench.core.program import Op
from workbench.core.traits import Role, Trait
from workbench.core.values import Value
from workbench.sources.interface import Slice

#: Where all tensors have fewer elements than this, sets are drawn several times.
FEW, REPEATS = 16, 3
#: All sets of a row have at most so many bytes, unless these are fewer than so many sets.
SET_BYTES, LEAST = 64 * 2**20, 2
#: At most so many sets of numbers come from an operator's own settings.
SCALES = 3
#: Settings within these magnitudes are reached by the other sets.
_REACHED = (0.02, 60.0)
#: Settings beyond these are marks for "nothing" or "no bound", or overflow when squared.
_SENSIBLE = (1e-13, 1e10)
_HALVES = (torch.float16, torch.bfloat16)
Draw = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Probe:
    """Numbers for one copy of a slice: what they are, and whether the run itself had them."""

    told: str
    tensors: Mapping[Value, torch.Tensor]
    recorded: bool = False


def probing_inputs(part: Slice, base: Mapping[Value, torch.Tensor], recorded: bool) -> list[Probe]:
    """Sets of numbers for a slice; with `recorded`, those of the run (`base`) come first.

    Of large operands there are fewer sets.
    """
    size = sum(t.numel() * t.element_size() for v, t in base.items() if not v.parameter)
    most = max(LEAST, SET_BYTES // max(size, 1))
    return list(islice(_inputs(part, base, recorded), most))


def _inputs(part: Slice, base: Mapping[Value, torch.Tensor], recorded: bool) -> Iterator[Probe]:
    if recorded:
        yield Probe("recorded values", base, recorded=True)
    for told, boxes in box_sets(part, base):
        yield Probe(told, boxes)
    if any(Trait.CONSTRAINED in op.traits for op in part.ops):
        return
    ids = _table_ids(part, base)
    settings = {
        value
        for op in part.ops
        if Trait.SETTINGS_AS_OPERANDS in op.traits
        for value in list(op.operands)[1:]
    }
    free = {v for v in part.free if _may_change(base[v]) and v not in settings}
    counting = all(Trait.ANY_INTEGERS in op.traits for op in part.ops)
    integers = _free_integers(part, base) if counting else set()
    if ids:
        yield Probe("all table rows", _changed(base, (), _plain, 0, ids))
    if integers:
        draw = _integers(part.ops)
        for number in range(REPEATS):
            yield Probe("other integers", _changed(base, {*free, *integers}, draw, number, {}))
    if not free:
        return
    narrow = any(base[value].dtype in _HALVES for value in free)
    few = max(base[value].numel() for value in free) < FEW
    draws = list(_draws(part.ops, narrow)) * (REPEATS if few else 1)
    for number, (told, draw) in enumerate(draws):
        yield Probe(told, _changed(base, free, draw, number, ids))


def _draws(ops: tuple[Op, ...], narrow: bool) -> Iterator[tuple[str, Draw]]:
    """The sets, those first that are most unlike what a model computes by itself."""
    choosing = any(Trait.BREAKS_TIES in op.traits for op in ops)
    narrowing = any(Trait.NARROWING in op.traits for op in ops)
    yield "negative values", lambda x, g: -_plain(x, g).abs() - 0.01
    yield "large values", _scaled(8.0 if narrow else 30.0)
    if not narrow and not narrowing:
        for scale in _scales(ops):
            yield f"values around {scale:.0e}", _scaled(scale)
    numbers = _own_numbers(ops)
    if numbers and not choosing:
        yield "values at its own numbers", _at(numbers)
    if not narrow:
        yield "small values", _scaled(1e-3)
    yield "both signs", _plain
    yield "values from 0 to 1", _between if choosing else _unit
    if not choosing:
        yield "equal values", lambda x, g: (_plain(x, g) * 2).round() / 2


def _free_integers(part: Slice, base: Mapping[Value, torch.Tensor]) -> set[Value]:
    """Integers that may be others: the row reads them itself, and knows nothing more of them."""
    found = {v for v, t in base.items() if not (t.is_floating_point() or t.is_complex())}
    found = {v for v in found if base[v].dtype != torch.bool}
    return found if found <= set(part.free) else set()


def _integers(ops: tuple[Op, ...]) -> Draw:
    """From -3 to 3, and the numbers among the settings with their neighbours."""
    values = (op.attributes.get("value") for op in ops)
    own = [int(v) for v in values if isinstance(v, (int, float)) and abs(v) < 2**20]
    numbers = torch.tensor(sorted({*range(-3, 4), *(n + d for n in own for d in (-1, 0, 1))}))

    def draw(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return numbers[torch.randint(0, len(numbers), like.shape, generator=generator)]

    return draw


def _own_numbers(ops: tuple[Op, ...]) -> list[float]:
    """The numbers among the settings that are bounds, if any are."""
    found = {number for op in ops for number in _numbers(op)}
    return sorted(number for number in found if abs(number) <= _REACHED[1])


def _at(numbers: list[float]) -> Draw:
    """Each element at one of the numbers, or a thousandth beside it."""

    def draw(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        chosen = torch.tensor(numbers)[
            torch.randint(0, len(numbers), like.shape, generator=generator)
        ]
        side = torch.randint(-1, 2, like.shape, generator=generator)
        return chosen + side * 1e-3 * chosen.abs().clamp(min=0.1)

    return draw


def _plain(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Normal numbers of standard deviation 2."""
    return torch.randn(like.shape, generator=generator).mul_(2)


def _between(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(like.shape, generator=generator)


def _unit(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Uniform from 0 to 1, with some of both ends."""
    return (torch.rand(like.shape, generator=generator) * 1.1 - 0.05).clamp_(0, 1)


def _scaled(scale: float) -> Draw:
    return lambda like, generator: _plain(like, generator) * scale


def _scales(ops: tuple[Op, ...]) -> list[float]:
    """Magnitudes at which the settings of the operators matter: bounds, and what avoids zero."""
    found: dict[int, float] = {}
    for number in sorted({abs(number) for op in ops for number in _numbers(op)}):
        if not _SENSIBLE[0] <= number <= _SENSIBLE[1] or _REACHED[0] <= number <= _REACHED[1]:
            continue
        for scale in [number] if number > 1 else [number, math.sqrt(number)]:
            near = round(math.log10(scale))
            if near != -3:  # the small values are there anyway
                found.setdefault(near, scale)
    chosen = sorted(found.values(), key=lambda scale: -abs(math.log10(scale)))
    return chosen[:SCALES]


def _numbers(op: Op) -> Iterator[float]:
    """The real numbers among an operator's settings."""
    if str(op.attributes.get("dtype")).startswith("int"):
        return
    for setting in op.attributes.values():
        for item in setting if isinstance(setting, tuple) else (setting,):
            if isinstance(item, float) and math.isfinite(item):
                yield item


def _may_change(tensor: torch.Tensor) -> bool:
    if tensor.dtype == torch.bool:
        return tensor.numel() > 1
    return tensor.numel() > 0 and (tensor.is_floating_point() or tensor.is_complex())


def _changed(
    base: Mapping[Value, torch.Tensor],
    free: Collection[Value],
    draw: Draw,
    number: int,
    ids: Mapping[Value, int],
) -> dict[Value, torch.Tensor]:
    """The values with other numbers; infinities stay, they are masks."""
    made = dict(base)
    for value, tensor in base.items():
        generator = torch.Generator().manual_seed(1_000 * value.id + number)
        if value in ids:
            made[value] = _every_row(tensor, ids[value])
        elif value not in free:
            continue
        elif tensor.dtype == torch.bool:
            made[value] = tensor ^ (torch.rand(tensor.shape, generator=generator) < 0.3)
        elif tensor.is_complex():
            parts = draw(torch.view_as_real(tensor), generator)
            made[value] = torch.view_as_complex(parts.contiguous()).to(tensor.dtype)
        else:
            drawn = draw(tensor, generator).to(tensor.dtype)
            made[value] = torch.where(torch.isinf(tensor), tensor, drawn)
    return made


def _every_row(ids: torch.Tensor, rows: int) -> torch.Tensor:
    """Ids that look up every row of a table; there are more of them along the first axis."""
    if not ids.ndim or not ids.numel():
        return ids
    rest = ids.shape[1:]
    count = max(ids.shape[0], -(-rows // rest.numel()))
    made = torch.arange(count * rest.numel()) % rows
    return made.reshape(count, *rest).to(ids.dtype)


def _table_ids(part: Slice, base: Mapping[Value, torch.Tensor]) -> dict[Value, int]:
    """Ids that are looked up in a table, and how many rows that has."""
    found: dict[Value, int] = {}
    for op in part.ops:
        if Trait.EMBEDDING not in op.traits:
            continue
        ids, table = op.operand(Role.IDS), op.operand(Role.TABLE)
        if ids is not None and table is not None and ids in base and ids in part.free:
            found[ids] = table.shape[0]
    return found if len(part.ops) == 1 else {}
