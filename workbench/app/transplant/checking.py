"""The proof of a transplant: both sides run in float64, point by point, then the outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from workbench.app.transplant.filling import Filling
from workbench.app.transplant.fits import Fit
from workbench.app.transplant.likeness import distance, in_view_of
from workbench.app.transplant.units import WHOLE, Unit, flat
from workbench.checks.results.checks import Check, Finding, LayerCheck, OutputCheck, Run
from workbench.checks.results.verification import Verification
from workbench.checks.rounding.judging import first_line
from workbench.checks.values.closeness import EXACT, judge

#: Settings that change what a layer computes, where both sides have them.
SETTINGS = (
    "stride", "padding", "dilation", "groups", "eps", "num_groups", "num_heads", "output_padding",
    "padding_mode", "num_layers", "bidirectional", "padding_idx",
)  # fmt: skip
#: Settings that show in training only.
TRAINING = ("momentum", "p")
#: What the run of the target may be off: a source keeps constants such as 1/√d in float32, the
#: target computes them, which is up to 6e-8 of a value.
CHAIN = 2.0**-20
_UNCHECKED = Check("unchecked")


def compared(
    module: nn.Module,
    call: Callable[[nn.Module], Any],
    targets: Mapping[str, Unit],
    filling: Filling,
    outputs: Sequence[torch.Tensor],
    described: tuple[str, ...],
) -> Verification:
    """Each layer on the source's own input and in the run of the target, and the outputs."""
    start = time.perf_counter()
    if not outputs:
        return _nothing(targets, filling, start)
    seen, made, failure = _recorded(module, call, targets)
    layers = [
        _layer(module, targets[path], filling.fits.get(path), seen.get(path))
        for path in sorted(targets, key=lambda path: _when(path, seen))
    ]
    ends = tuple(_output(n, theirs, made, failure) for n, theirs in enumerate(outputs, 1))
    run = Run(described, tuple(layers), ends)
    found = Verification((run,), time.perf_counter() - start)
    return replace(found, diagnosis=_causes(found, targets, filling, seen))


def _nothing(targets: Mapping[str, Unit], filling: Filling, start: float) -> Verification:
    """Where nothing can run: every layer is there, and none is proven."""
    layers = tuple(
        LayerCheck(
            path or "(root)", tuple(one.path for one in filling.fits[path].sources)
            if path in filling.fits else (), unit.kind, (), "float64", _UNCHECKED, _UNCHECKED,
            ran=False,
        )
        for path, unit in targets.items()
    )  # fmt: skip
    return Verification((Run((), layers, ()),), time.perf_counter() - start)


Seen = dict[str, tuple[torch.Tensor, torch.Tensor]]


def _recorded(
    module: nn.Module, call: Callable[[nn.Module], Any], targets: Mapping[str, Unit]
) -> tuple[Seen, list[torch.Tensor], str]:
    """What each layer of the target reads and makes at its first call, the outputs, or why none."""
    seen: Seen = {}
    hooks = []
    parts = dict(module.named_modules())

    def keep(path: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            given, result = [*flat(args), *flat(list(kwargs.values()))], flat(out)
            if path not in seen and given and result:
                seen[path] = given[0].clone(), result[0].clone()  # others work in place

        return hook

    for path in targets:
        part = parts[path]
        if isinstance(part, WHOLE) or not list(part.children()):
            hooks.append(part.register_forward_hook(keep(path), with_kwargs=True))
    made: list[torch.Tensor] = []
    failure = ""
    try:
        with torch.no_grad():
            made = flat(call(module))
    except Exception as error:  # noqa: BLE001 - the target's own code: whatever it raises is told
        failure = f"the target stops: {first_line(error)}"
    finally:
        for one in hooks:
            one.remove()
    return seen, made, failure


def _when(path: str, seen: Seen) -> int:
    return list(seen).index(path) if path in seen else len(seen)


def _layer(
    module: nn.Module, unit: Unit, fit: Fit | None, seen: tuple[torch.Tensor, ...] | None
) -> LayerCheck:
    shape = tuple(seen[1].shape) if seen is not None else ()
    source = fit.sources[0].path if fit is not None and fit.sources else ""
    check = LayerCheck(
        unit.path or "(root)", (source,), unit.kind, shape, "float64", _UNCHECKED, _UNCHECKED
    )
    made = _made(unit, fit) if fit is not None else None
    if seen is None or fit is None or made is None:
        return replace(check, ran=seen is not None and fit is not None)
    read = fit.sources[0].inputs
    alone = _alone(module, unit, read[0], made, seen[0]) if read else _UNCHECKED
    return replace(check, alone=alone, chain=_judged(seen[1], made))


def _made(unit: Unit, fit: Fit) -> torch.Tensor | None:
    """What the source made where the layer of the target stands; None where it has no place."""
    if not all(one.outputs for one in fit.sources) or not fit.sources:
        return None
    if unit.kind == "MultiheadAttention":
        return fit.sources[-1].outputs[0]
    part = fit.pieces[0].part
    if part is not None:
        return fit.sources[0].outputs[0].chunk(part[1], -1)[part[0]]
    return torch.cat([one.outputs[0] for one in fit.sources], -1)


def _judged(ours: torch.Tensor, theirs: torch.Tensor, unit: float = CHAIN) -> Check:
    view = in_view_of(theirs, ours)
    if view is None:
        told = f"shape {list(ours.shape)}, the source has {list(theirs.shape)}"
        return Check("wrong", problem=told)
    return judge(ours, view.to(ours.dtype).contiguous(), unit)


def _alone(
    module: nn.Module, unit: Unit, read: torch.Tensor, theirs: torch.Tensor, given: torch.Tensor
) -> Check:
    """The layer on what its source read; unchecked where that has no place in its call."""
    part = module.get_submodule(unit.path)
    view = in_view_of(read, given)
    if view is None or isinstance(part, WHOLE):
        return _UNCHECKED
    try:
        with torch.no_grad():
            made = flat(part(view.contiguous()))
    except (TypeError, RuntimeError, ValueError):  # it wants more than one tensor
        return _UNCHECKED
    return _judged(made[0], theirs, EXACT) if made else _UNCHECKED


def _output(
    number: int, theirs: torch.Tensor, made: Sequence[torch.Tensor], failure: str
) -> OutputCheck:
    """The output of the target that is nearest to one of the source's."""
    fitting = [one for one in made if in_view_of(theirs, one) is not None]
    name, shape = f"output {number}", tuple(theirs.shape)
    if not fitting:
        told = failure or f"no output of the target has the shape {list(theirs.shape)}"
        return OutputCheck(name, shape, "float64", Check("wrong", problem=told))
    ours = min(fitting, key=lambda one: distance(one, theirs))
    return OutputCheck(name, shape, "float64", _judged(ours, theirs))


# --- causes -----------------------------------------------------------------------------------


def differing(target: Unit, source: Unit, names: Sequence[str] = SETTINGS) -> list[str]:
    """Settings that differ, with both values: "eps is 1e-05 here, 0.001 in the source"."""
    told = []
    for name in names:
        if name not in target.settings or name not in source.settings:
            continue
        here, there = (_plain(unit.settings[name]) for unit in (target, source))
        if here != there:
            told.append(f"{name} is {here} here, {there} in the source")
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return value[0] if value and all(one == value[0] for one in value) else tuple(value)
    return value


def _causes(
    found: Verification, targets: Mapping[str, Unit], filling: Filling, seen: Seen
) -> tuple[Finding, ...]:
    """Why the first layers differ: their settings, or what stands before them."""
    causes: list[Finding] = []
    for layer in found.layers:
        fit = filling.fits.get("" if layer.path == "(root)" else layer.path)
        if fit is None or not (layer.alone.failed or layer.chain.failed):
            continue
        told = [line for one in fit.sources for line in differing(targets[layer.path], one)]
        check = layer.alone if layer.alone.failed else layer.chain
        if told:
            cause = f"{'; '.join(told)} ({fit.sources[0].path})"
        elif layer.alone.failed:
            cause = f"it computes something else than {fit.sources[0].path} with the same weights"
        elif not causes:
            before = _before(layer.path, seen)
            cause = (
                f"its input differs from that of {fit.sources[0].path}, though the layer is right: "
                f"what stands between it and {before or 'the inputs'} differs"
            )
        else:
            continue
        error = check.error.max_abs if check.error else float("inf")
        causes.append(Finding(layer.path, cause, error, None, check.tolerance, how="pattern"))
        if len(causes) == 3:
            break
    return tuple(causes)


def _before(path: str, seen: Seen) -> str:
    order = list(seen)
    place = order.index(path) if path in order else 0
    return order[place - 1] if place else ""
