"""Every gradient of ours against Paddle's, with the tolerance that rounding explains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from workbench.checks.gradients.passes import Passes, Pick, sum_noise
from workbench.checks.gradients.pieces import Piece, total
from workbench.checks.gradients.slopes import NOT_A_DERIVATIVE, ours_is_the_derivative
from workbench.checks.results.checks import Check
from workbench.checks.results.gradients import GradientCheck
from workbench.checks.results.statistics import largest_difference
from workbench.checks.rounding.judging import compare, health_of
from workbench.checks.values.source_values import reference_tensor
from workbench.core.dtypes import is_float
from workbench.core.mapping import Mapping
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.reference import value_stem


@dataclass(frozen=True, slots=True)
class _Item:
    """What a gradient is of, and how it is found in a pass. `read` are values made of it."""

    name: str
    kind: str
    paths: tuple[str, ...]
    stem: str
    pick: Pick
    value: Value | None
    read: tuple[Value, ...]


class Comparison:
    """The checks of all gradients. `excuse` is what is Paddle's own, for differences behind it.

    `notes` tell where Paddle's gradient is wrong.
    """

    def __init__(self, mapping: Mapping, passes: Passes, pieces: Sequence[Piece]) -> None:
        self.mapping = mapping
        self.passes = passes
        self.readers = _readers(mapping)
        self.excuse = ""
        self.notes: tuple[str, ...] = ()
        self.items = [*self._values(), *self._parameters(pieces)]

    def checks(self) -> tuple[GradientCheck, ...]:
        """Inputs and values in program order, then parameters."""
        found = {item.stem: self._check(item) for item in reversed(self.items)}
        noise = {
            item.value: _size(found[item.stem].alone)
            for item in self.items
            if item.value is not None
        }
        checks = [self._chained(item, found[item.stem], noise) for item in self.items]
        return tuple(self._excused(check) for check in checks)

    def _values(self) -> list[_Item]:
        program, found = self.mapping.program, []
        for value in float_values(self.mapping):
            paths, stem = self.readers.get(value, ()), value_stem(value)
            reached = value in self.passes.alone[0].reached
            if paths and reached and stem in self.passes.theirs.asked:
                kind = "input" if value in program.inputs else "value"
                pick = _picked_value(value)
                made = self._made(paths)
                found.append(_Item(value.label, kind, paths, stem, pick, value, made))
        return found

    def _parameters(self, pieces: Sequence[Piece]) -> list[_Item]:
        groups: dict[str, list[Piece]] = {}
        for piece in pieces:
            groups.setdefault(piece.weight.parameter, []).append(piece)
        found = []
        for number, (name, group) in enumerate(groups.items()):
            paths = tuple(dict.fromkeys(piece.row for piece in group))
            pick = _picked_parameter(group)
            made = self._made(paths)
            found.append(_Item(name, "parameter", paths, f"p{number}", pick, None, made))
        return found

    def _made(self, paths: Sequence[str]) -> tuple[Value, ...]:
        """The values that rows make; of a bare parameter what its readers make."""
        found: dict[Value, None] = {}
        for path in paths:
            row = self.mapping[path]
            if row.is_parameter:
                readers = [other for value in row.values for other in self.readers.get(value, ())]
                found |= dict.fromkeys(self._made(readers))
            else:
                found |= dict.fromkeys(row.values)
        return tuple(found)

    def _check(self, item: _Item) -> GradientCheck:
        theirs = self.passes.gradient(item.stem)
        alone, chain = self._judged(item, self.passes.alone), self._judged(item, self.passes.chain)
        if alone.failed and alone.error is not None:
            alone = self._judged(item, self.passes.alone, self._sum_noise(item))
        if theirs is not None and not torch.isfinite(theirs).all() and alone.failed:
            alone = Check("unchecked", alone.error, problem="Paddle's gradient is not finite")
            self.excuse = f"Paddle's gradient of {item.name} is not finite"
        known = theirs if theirs is not None else item.pick(self.passes.alone[0])
        shape = tuple(known.shape) if known is not None else ()
        health = _health(theirs, alone) if theirs is not None else ()
        check = GradientCheck(item.name, item.kind, item.paths, shape, alone, chain, health)
        return self._on_kink(check, item)

    def _judged(self, item: _Item, pair: tuple[object, object], least: float = 0.0) -> Check:
        ours, wide = (item.pick(one) for one in pair)  # type: ignore[arg-type]
        theirs = self.passes.gradient(item.stem)
        if theirs is None and (ours is None or not ours.any()):
            return Check("unchecked")  # neither framework passes a gradient here
        if theirs is None:
            return Check("wrong", problem="PyTorch has a gradient here, Paddle has none")
        if ours is None:
            if not theirs.any():
                return Check("unchecked")
            return Check("wrong", problem="Paddle has a gradient here, PyTorch has none")
        return compare(ours, theirs, wide, least)

    def _sum_noise(self, item: _Item) -> float:
        ours = item.pick(self.passes.alone[0])
        sizes = [reference_tensor(self.passes.reference, value) for value in item.read]
        largest = max((one.numel() for one in sizes if one is not None), default=0)
        if ours is None or not ours.numel() or largest < 2 * ours.numel():
            return 0.0
        signed = [found for one in self.passes.signed if (found := item.pick(one)) is not None]
        return sum_noise(ours, signed, largest / ours.numel())

    def _on_kink(self, check: GradientCheck, item: _Item) -> GradientCheck:
        """The check, unless the value lies where a function has several gradients.

        At such a place (a bound of a clip, equal maxima) frameworks choose as they like: Paddle's
        choice must lie among the gradients that ours takes when the value moves a little.
        """
        theirs, ours = self.passes.gradient(item.stem), item.pick(self.passes.alone[0])
        if item.value is None or not check.failed:
            return check
        if theirs is None or ours is None or ours.shape != theirs.shape:
            return check
        moved = [found for one in self.passes.moved if (found := item.pick(one)) is not None]
        around = torch.stack([ours, *moved])
        low, high = around.amin(0), around.amax(0)
        slack = check.alone.tolerance
        if bool(((theirs >= low - slack) & (theirs <= high + slack)).all()):
            told = "at a kink, where either gradient is right"
            self.excuse = self.excuse or f"the gradient of {check.name} was taken at a kink"
            return replace(check, alone=replace(check.alone, verdict="unchecked", problem=told))
        return self._on_paddle(check, item, ours, theirs)

    def _on_paddle(
        self, check: GradientCheck, item: _Item, ours: torch.Tensor, theirs: torch.Tensor
    ) -> GradientCheck:
        """The check, unless Paddle's gradient is no derivative of what it computes.

        Where an operator hides its gradient on purpose, ours must do the same.
        """
        assert item.value is not None
        if any(self.mapping[path].has(Trait.NOT_A_DERIVATIVE) for path in item.paths):
            return check
        if not ours_is_the_derivative(self.passes, item.value, item.paths, ours, theirs):
            return check
        self.excuse = self.excuse or f"{NOT_A_DERIVATIVE} ({check.name})"
        self.notes += (
            f"{NOT_A_DERIVATIVE}: of {check.name}, through {', '.join(item.paths)}. Finite "
            "differences tell; training in Paddle went another way there.",
        )
        alone = replace(check.alone, verdict="unchecked", problem=NOT_A_DERIVATIVE)
        return replace(check, alone=alone)

    def _chained(
        self, item: _Item, check: GradientCheck, noise: dict[Value, float]
    ) -> GradientCheck:
        """In the chain, allowed what errors as large as those found alone may grow to."""
        ours = item.pick(self.passes.chain[0])
        if not check.chain.failed or check.failed or check.chain.error is None or ours is None:
            return check
        least = check.alone.noise
        for one in self.passes.shaken(noise):
            moved = item.pick(one)
            if moved is not None and moved.shape == ours.shape:
                least = max(least, largest_difference(ours, moved))
        return replace(check, chain=self._judged(item, self.passes.chain, least))

    def _excused(self, check: GradientCheck) -> GradientCheck:
        """In the chain nothing is blamed for what came from Paddle's side or from a kink."""
        if not self.excuse or not check.chain.failed or check.failed:
            return check
        told = Check("unchecked", check.chain.error, problem=self.excuse)
        return replace(check, chain=told)


def float_values(mapping: Mapping) -> list[Value]:
    """Float inputs, and float values that rows make, in program order."""
    made = [value for row in mapping.rows if not row.is_parameter for value in row.values]
    found = dict.fromkeys([*mapping.program.inputs, *made])
    return [value for value in found if is_float(value.dtype)]


def _picked_value(value: Value) -> Pick:
    return lambda one: one.values.get(value)


def _picked_parameter(pieces: list[Piece]) -> Pick:
    return lambda one: total(pieces, one.parameters)


def _size(check: Check) -> float:
    """How large an error rounding made alone."""
    if check.failed:
        return 0.0
    error = check.error.max_abs if check.error else 0.0
    size = max(check.noise, min(error, check.tolerance))
    return size if math.isfinite(size) else 0.0


def _health(theirs: torch.Tensor, check: Check) -> tuple[str, ...]:
    """Why a gradient proves little; one that is zero but for rounding among it."""
    if check.error is not None and 0 < check.error.scale <= check.tolerance:
        return ("rounding only",)
    return health_of(theirs)


def _readers(mapping: Mapping) -> dict[Value, tuple[str, ...]]:
    found: dict[Value, list[str]] = {}
    for row in mapping.rows:
        for value in row.reads:
            found.setdefault(value, []).append(row.path)
    return {value: tuple(dict.fromkeys(paths)) for value, paths in found.items()}
