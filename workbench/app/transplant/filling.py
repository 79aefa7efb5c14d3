"""Fill a module by running it: layers take their weights when they meet their input.

The source ran before, and what each of its layers read is known. When a layer of the target is to
run, the source's layers that read the same numbers are those that it can be. It takes the
weights of one, so that what follows runs on right numbers too. Where several read the same (query,
key and value), one is tried, and another when a later layer meets numbers that nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from workbench.app.transplant.fits import Fit, attention_fits, family, fits
from workbench.app.transplant.likeness import SAME, alike, distance, in_view_of, words
from workbench.app.transplant.units import WHOLE, Unit, flat
from workbench.checks.rounding.judging import first_line

Call = Callable[[nn.Module], Any]
#: Runs that are tried to settle which of several layers is which, before one is taken by name.
MOST_RUNS = 24


@dataclass(slots=True)
class Decision:
    """One layer of the target with those that it could be; `chosen` is the number of one."""

    path: str
    options: int
    chosen: int


@dataclass(slots=True)
class Filling:
    """What one run settled: fits by path, how each was found, where it got stuck."""

    fits: dict[str, Fit] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    stuck: str = ""
    failure: str = ""
    off: dict[str, float] = field(default_factory=dict)


class _StuckError(Exception):
    """A layer met numbers that no layer of the source read."""


class Filler:
    """Fills a float64 copy of the target from units that ran."""

    def __init__(
        self, module: nn.Module, targets: dict[str, Unit], sources: Sequence[Unit]
    ) -> None:
        self.module, self.targets = module, targets
        self.sources = [unit for unit in sources if unit.inputs]
        self.loose = list(sources)
        self.order = {unit.path: number for number, unit in enumerate(sources)}
        self.parts = dict(module.named_modules())
        self.forced: dict[str, Fit | None] = {}

    def fill(self, call: Call) -> Filling:
        """Run until every layer has its weights, or nothing more can be told."""
        while True:
            best = self._search(call)
            if not best.stuck:
                return best
            unit = self.targets[best.stuck]
            self.forced[best.stuck] = self._nearest(unit, best)

    def fill_by_name(self) -> Filling:
        """Pair by names, shapes and order alone, where nothing can run."""
        filling = Filling()
        used: set[str] = set()
        for unit in self.targets.values():
            options = [
                fit
                for fit in fits(unit, self.loose)
                if _is_named(fit) and not used.intersection(_names(fit))
            ]
            options.sort(key=lambda fit: -self._likely(unit, fit))
            if not options:
                continue
            filling.decisions.append(Decision(unit.path, len(options), 0))
            why = "the likeliest name of its shape; nothing ran"
            self._take(unit, options[0], filling, used, why)
        return filling

    def _search(self, call: Call) -> Filling:
        """The first run that is never stuck, else the one that came furthest."""
        choices: list[int] = []
        best: Filling | None = None
        runs = 0
        while True:
            found = self._attempt(call, choices)
            if not found.stuck:
                return found
            if best is None or len(found.fits) > len(best.fits):
                best = found
            runs += 1
            open_ = [n for n, one in enumerate(found.decisions) if one.chosen + 1 < one.options]
            if not open_ or runs >= MOST_RUNS:
                return best
            last = open_[-1]
            choices = [one.chosen for one in found.decisions[:last]]
            choices.append(found.decisions[last].chosen + 1)

    def _attempt(self, call: Call, choices: Sequence[int]) -> Filling:
        filling = Filling()
        used: set[str] = set()
        self._fill_loose(filling, used)
        hooks = []
        for path, unit in self.targets.items():
            part = self.parts[path]
            if path in filling.fits or (list(part.children()) and not isinstance(part, WHOLE)):
                continue
            hook = self._hook(unit, filling, used, choices)
            hooks.append(part.register_forward_pre_hook(hook, with_kwargs=True))
        try:
            with torch.no_grad():
                call(self.module)
        except _StuckError as error:
            filling.stuck = str(error)
        except Exception as error:  # noqa: BLE001 - the target's own code: whatever it raises is told
            filling.failure = first_line(error)
        finally:
            for one in hooks:
                one.remove()
        return filling

    def _hook(
        self, unit: Unit, filling: Filling, used: set[str], choices: Sequence[int]
    ) -> Callable[..., Any]:
        def take(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if unit.path in filling.fits or unit.path in filling.off:
                return None
            given = [*flat(args), *flat(list(kwargs.values()))]
            if not given:
                return None
            if unit.path in self.forced:
                return self._force(unit, args, kwargs, filling, used)
            options = self._options(unit, given, used)
            if not options:
                raise _StuckError(unit.path)
            place = len(filling.decisions)
            chosen = choices[place] if place < len(choices) else 0
            filling.decisions.append(Decision(unit.path, len(options), chosen))
            why = "it reads the same numbers"
            if len(options) > 1:
                why += f", as {len(options) - 1} others do; what follows agrees"
            self._take(unit, options[chosen], filling, used, why)
            return None

        return take

    def _options(self, unit: Unit, given: list[torch.Tensor], used: set[str]) -> list[Fit]:
        if unit.kind == "MultiheadAttention":
            readers = [self._readers(tensor) for tensor in given[:3]]
            every = list(attention_fits(unit, readers, self.sources))
        else:
            every = list(fits(unit, self._readers(given[0])))
        free = [fit for fit in every if not used.intersection(_names(fit))]
        free = free or every  # tied on one side
        return sorted(free, key=lambda fit: -self._likely(unit, fit))

    def _readers(self, given: torch.Tensor) -> list[Unit]:
        """The units of the source that read these numbers."""
        return [one for one in self.sources if distance(given, one.inputs[0]) < SAME]

    def _likely(self, unit: Unit, fit: Fit) -> float:
        names = [f"{one.path} {' '.join(one.origin.values())}" for one in fit.sources]
        whole = [alike(unit.path, name) for name in names]
        if len(names) > 1:  # query, key, value in the order in which they are joined
            order = [self.order[one.path] for one in fit.sources]
            places = [_place(name) for name in names]
            whole.append(1.0 if order == sorted(order) else 0.0)
            whole.append(2.0 if places == sorted(places) and -1 not in places else 0.0)
        part = fit.pieces[0].part if fit.pieces else None
        if part is not None:  # the first part is the query's
            whole.append(1.0 if _place(unit.path) == part[0] else 0.0)
        return sum(whole)

    def _take(self, unit: Unit, fit: Fit, filling: Filling, used: set[str], why: str) -> None:
        part = self.parts[unit.path]
        with torch.no_grad():
            own = part.state_dict(keep_vars=True)
            for piece in fit.pieces:
                own[piece.key].copy_(piece.tensor)
        filling.fits[unit.path] = fit
        filling.evidence[unit.path] = why
        used.update(_names(fit))

    # --- where the numbers do not tell ----------------------------------------------------------

    def _fill_loose(self, filling: Filling, used: set[str]) -> None:
        """Tensors of modules that hold others: no call shows what they read, so shape and name."""
        for unit in self.targets.values():
            part = self.parts[unit.path]
            if not list(part.children()) or isinstance(part, WHOLE):
                continue
            pieces, taken = [], []
            for key, tensor in unit.tensors.items():
                one = self._loose_piece(unit, key, tensor, used)
                if one is not None:
                    pieces.append(one[1])
                    taken.append(one[0])
                    used.update(_names(Fit(unit, (one[0],), (one[1],))))
            if pieces:
                fit = Fit(unit, tuple(taken), tuple(pieces))
                self._take(
                    unit, fit, filling, used, "the only stored tensor of that shape and name"
                )

    def _loose_piece(self, unit: Unit, key: str, tensor: torch.Tensor, used: set[str]) -> Any:
        alone = Unit(unit.path, "", {key: tensor})
        options = []
        for source in self.loose:
            for other, given in source.tensors.items():
                if family(source.kind):
                    continue
                single = Unit(
                    source.path, source.kind, {key: given}, {}, {key: source.origin.get(other, "")}
                )
                for fit in fits(alone, [single]):
                    piece = fit.pieces[0]
                    name = source.origin.get(other, source.path)
                    if name not in used:
                        options.append((alike(f"{unit.path}.{key}", name), source, other, piece))
        if not options:
            return None
        _, source, other, piece = max(options, key=lambda one: one[0])
        return source, replace(piece, sources=((source.path, other),))

    def _nearest(self, unit: Unit, found: Filling) -> Fit | None:
        """The most likely source of a layer whose input nobody read: near numbers, then names."""
        used = {name for fit in found.fits.values() for name in _names(fit)}
        free = [fit for fit in fits(unit, self.sources) if not used.intersection(_names(fit))]
        last = max(
            (self.order[one.path] for fit in found.fits.values() for one in fit.sources), default=-1
        )

        def likely(fit: Fit) -> tuple[int, float]:
            step = min(self.order[one.path] for one in fit.sources) - last
            return (-abs(step - 1) if len(fit.sources) == 1 else -99, self._likely(unit, fit))

        return max(free, key=likely, default=None)

    def _force(self, unit: Unit, args: Any, kwargs: Any, filling: Filling, used: set[str]) -> Any:
        """Give a layer the input that its source read, so that what follows can be told again."""
        fit = self.forced[unit.path]
        given = [*flat(args), *flat(list(kwargs.values()))]
        if fit is None:
            filling.off[unit.path] = float("inf")
            return None
        read = fit.sources[0].inputs[0]
        filling.off[unit.path] = distance(given[0], read)
        self._take(unit, fit, filling, used, "the next layer of its kind; its input differs")
        right = in_view_of(read, given[0])
        if right is None or not args or args[0] is not given[0]:
            return None
        return (right.contiguous(), *args[1:]), kwargs


def _names(fit: Fit) -> set[str]:
    """What a fit uses up: the stored tensors, or slices of them."""
    found = set()
    for piece in fit.pieces:
        for path, key in piece.sources:
            unit = next(one for one in fit.sources if one.path == path)
            name = unit.origin.get(key, f"{path}.{key}")
            found.add(f"{name} {piece.part}" if piece.part else name)
    return found


def _is_named(fit: Fit) -> bool:
    """True where names can pair it: layers one to one, or a query, key and value in one."""
    if any(piece.part for piece in fit.pieces):
        return False
    return len(fit.sources) == 1 or [_place(one.path) for one in fit.sources] == [0, 1, 2]


def _place(name: str) -> int:
    """0, 1, 2 for a name that means query, key or value; -1 else."""
    for word in reversed(words(name)):
        if word in ("q", "k", "v"):
            return "qkv".index(word)
    return -1
