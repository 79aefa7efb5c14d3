"""Hand edits of one call: another target, other arguments, other weight steps."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from workbench.core.arguments import calls_in, map_argument, values_of
from workbench.core.calls import Call, Layer, Permuted, Weight
from workbench.core.errors import MappingError
from workbench.core.integers import Symbol
from workbench.core.program import Op, Parameter
from workbench.core.values import Value
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.modules import make_module
from workbench.targets.pytorch.resolve import is_layer
from workbench.targets.pytorch.signatures import Signature, signature_of, signature_or_open

_KEYS_BY_INPUT = {
    "filter": "weight", "w": "weight", "weight": "weight", "scale": "weight", "y": "weight",
    "b": "bias", "bias": "bias", "mean": "running_mean", "variance": "running_var",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument of a call: its name for people and its place, a keyword or a position."""

    name: str
    place: str | int
    value: Any

    @property
    def is_data(self) -> bool:
        """True for tensors, which come from other rows rather than being settings."""
        return _is_data(self.value)


def main_call(call: Call | Layer | None) -> Call | Layer | None:
    """The part of a call that a row is about: its layer, else the call itself."""
    layers = (part for part in calls_in(call) if isinstance(part, Layer))
    return next(layers, None) or call


def slots(call: Call | Layer | None) -> list[Slot]:
    """The arguments of a call by name; positions without a name are called by their number."""
    if call is None:
        return []
    if isinstance(call, Layer):
        return [Slot(name, name, value) for name, value in call.arguments.items()]
    names = positional_names(call)
    found = [Slot(names[place], place, value) for place, value in enumerate(call.args)]
    return found + [Slot(name, name, value) for name, value in call.kwargs.items()]


def positional_names(call: Call) -> list[str]:
    """A name for each positional argument: the signature's, else its number."""
    told = signature_or_open(call.target)
    names = ("self", *told.positional) if call.target.startswith(".") else told.positional
    if len(call.args) > len(names):  # x.permute(0, 2, 1): one argument, given in pieces
        names = names[:1]
    padded = (*names, *[""] * (len(call.args) - len(names)))
    return [name or str(place) for place, name in enumerate(padded[: len(call.args)])]


def _is_data(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return bool(value) and all(_is_data(item) for item in value)
    return isinstance(value, (Value, Call, Layer)) and not isinstance(value, Symbol)


# --- target -----------------------------------------------------------------------------------


def retarget(
    call: Call | Layer | None, target: str, op: Op | None, parameters: Mapping[str, Parameter]
) -> tuple[Call | Layer, list[str]]:
    """The call with another target, and notes on what had to be left out.

    A layer inside other calls keeps those around it. A call composed of several is replaced as a
    whole. Without a call, the arguments are the operator's inputs in their order.
    """
    main = main_call(call)
    if main is None or (isinstance(main, Call) and _composed(main)):
        given = _inputs(op, parameters if is_layer(target) else {})
        return _make(target, given[: _tensor_places(target)], {}, {}), []
    named = {slot.name: slot.value for slot in slots(main) if not slot.is_data}
    told = signature_of(target)
    kept = {name: value for name, value in named.items() if told[name] is not None}
    lost = [name for name in named if name not in kept]
    data = tuple(main.args) if isinstance(main, Layer) else _data(main, parameters, target)
    weights = dict(main.weights) if isinstance(main, Layer) else {}
    made = _make(target, data, kept, weights)
    notes = [f"{main.target} → {target} by hand, without {', '.join(lost)}"] if lost else []
    return swap(call, main, made), notes


def _composed(call: Call) -> bool:
    return any(part is not call for part in calls_in(call))


def _inputs(op: Op | None, parameters: Mapping[str, Parameter]) -> tuple[Any, ...]:
    found = op.inputs.values() if op else ()
    return tuple(
        operand
        for operand in found
        if operand is not None
        and not (isinstance(operand, Value) and operand.parameter in parameters)
    )


def _tensor_places(target: str) -> int | None:
    """How many leading arguments of a function may be tensors; None when it is not known."""
    if is_layer(target):
        return None
    told = signature_of(target)
    own = int(target.startswith("."))
    for place, name in enumerate(told.positional):
        argument = told[name]
        if argument is not None and argument.kinds and "tensor" not in argument.kinds:
            return place + own
    return len(told.positional) + own if told.positional else None


def _data(call: Call, parameters: Mapping[str, Parameter], target: str) -> tuple[Any, ...]:
    found = tuple(slot.value for slot in slots(call) if slot.is_data)
    if not is_layer(target):
        return found[: _tensor_places(target)]
    return tuple(v for v in found if not (isinstance(v, Value) and v.parameter in parameters))


def _make(
    target: str, data: tuple[Any, ...], named: Mapping[str, Any], weights: Mapping[str, Weight]
) -> Call | Layer:
    if is_layer(target):
        return Layer(target, data, dict(named), dict(weights))
    positional = signature_of(target).positional
    names = ("self", *positional) if target.startswith(".") else positional
    taken = set(names[: len(data)])
    return Call(target, data, {name: value for name, value in named.items() if name not in taken})


def swap(call: Any, old: Call | Layer, new: Call | Layer) -> Any:
    """The call with one part of it replaced."""
    return new if call is None else _swapped(call, old, new)


def _swapped(argument: Any, old: Call | Layer, new: Call | Layer) -> Any:
    if argument is old:
        return new
    return map_argument(argument, lambda part: _swapped(part, old, new))


# --- arguments --------------------------------------------------------------------------------


def with_arguments(call: Call | Layer | None, changes: Mapping[str, Any]) -> Call | Layer:
    """The call with arguments changed; raises `MappingError` for those its target does not take."""
    main = main_call(call)
    if main is None:
        raise MappingError("the row has no target yet", "Give it one: edit(path, target='nn.…').")
    told = signature_or_open(main.target)
    problems = []
    for name, value in changes.items():
        problem = "" if name.isdigit() else told.problem(name, value)
        if problem:
            problems.append(problem)
    if problems:
        raise MappingError("; ".join(problems))
    made: Call | Layer = main
    for name, value in changes.items():
        made = _with_argument(made, name, value, told)
    return swap(call, main, made)  # type: ignore[no-any-return]


def _with_argument(call: Call | Layer, name: str, value: Any, told: Signature) -> Call | Layer:
    if isinstance(call, Layer):
        if name.isdigit():
            raise MappingError(f"{call.target} has no argument '{name}'")
        return replace(call, arguments={**call.arguments, name: value})
    names = positional_names(call)
    if name in names:
        place = names.index(name)
        args = (*call.args[:place], value, *call.args[place + 1 :])
        return replace(call, args=args)
    if name.isdigit() or (call.target.startswith("operator.") and name in told.positional):
        place = int(name) if name.isdigit() else told.positional.index(name)
        if place != len(call.args):
            raise MappingError(f"{call.target} has {len(call.args)} arguments, not {place + 1}")
        return replace(call, args=(*call.args, value))
    return replace(call, kwargs={**call.kwargs, name: value})


# --- weights ----------------------------------------------------------------------------------


def fitted(
    layer: Layer, op: Op | None, parameters: Mapping[str, Parameter]
) -> tuple[Layer, list[str]]:
    """The layer with exactly the weights that its module has, and notes on those left out.

    Raises `MappingError` when an argument is missing, the module cannot be made, a weight is
    missing and cannot be told from the operator's inputs, or the steps give another shape.
    """
    shapes = _shapes(layer)
    weights = {key: weight for key, weight in layer.weights.items() if key in shapes}
    notes = [
        f"{key} left out: {layer.target} has none" for key in layer.weights if key not in shapes
    ]
    for key, shape in shapes.items():
        if key not in weights:
            weights[key] = _guessed(key, shape, layer, op, parameters, weights)
        _check_shape(layer.target, key, weights[key], shape)
    return replace(layer, weights=weights), notes


def missing_weights(
    layer: Layer, op: Op | None, parameters: Mapping[str, Parameter]
) -> dict[str, tuple[int, ...]]:
    """Weights of the module, with shapes, that neither the layer nor the operator gives.

    Raises `MappingError` when the module cannot be made.
    """
    shapes, weights = _shapes(layer), dict(layer.weights)
    missing = {}
    for key, shape in shapes.items():
        try:
            if key not in weights:
                weights[key] = _guessed(key, shape, layer, op, parameters, weights)
        except MappingError:
            missing[key] = shape
    return missing


def _shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that must be given, by state_dict key."""
    module = make_module(layer)
    if not custom.is_custom(layer.target):
        return {key: tuple(t.shape) for key, t in (*module.named_parameters(), *_buffers(module))}
    shapes, free = custom.stored_keys(module)
    state = module.state_dict()
    return shapes | {key: tuple(state[key].shape) for key in free if key in layer.weights}


def _buffers(module: nn.Module) -> list[tuple[str, Any]]:
    kept = set(module.state_dict())
    return [
        (key, tensor)
        for key, tensor in module.named_buffers()
        if key in kept and not key.endswith("num_batches_tracked")
    ]


def _check_shape(target: str, key: str, weight: Weight, wanted: tuple[int, ...]) -> None:
    try:
        found = weight.final_shape
    except ValueError as error:
        raise MappingError(f"{key} of {target}: {error}") from error
    if found == wanted:
        return
    hint = ""
    for axes in itertools.permutations(range(len(found))) if len(found) < 6 else ():
        if tuple(found[axis] for axis in axes) == wanted:
            hint = f"'{Permuted(axes)}' as the last step would give {wanted}."
            break
    else:
        if np.prod(found, dtype=int) == np.prod(wanted, dtype=int):
            hint = f"'reshaped to {wanted}' as the last step would give that shape."
    raise MappingError(
        f"{key} of {target} is {wanted}, but the weight steps give {found} ({weight})", hint
    )


def _guessed(
    key: str, shape: tuple[int, ...], layer: Layer, op: Op | None,
    parameters: Mapping[str, Parameter], taken: Mapping[str, Weight],
) -> Weight:  # fmt: skip
    """The operator's parameter input that a state_dict key stands for, transposed if it must be."""
    used = {weight.parameter for weight in taken.values()}
    for name, operand in (op.inputs if op else {}).items():
        found = parameters.get(operand.parameter) if isinstance(operand, Value) else None
        if found is None or found.name in used or _KEYS_BY_INPUT.get(name, name) != key:
            continue
        weight = Weight(found.name, found.shape, found.dtype, (), found.trainable)
        if found.shape == shape:
            return weight
        if found.shape == shape[::-1] and len(shape) == 2:
            return weight.transposed()
        return weight
    known = ", ".join(
        f"{name} ({operand.parameter})"
        for name, operand in (op.inputs if op else {}).items()
        if isinstance(operand, Value) and operand.parameter
    )
    raise MappingError(
        f"{layer.target} needs a weight for '{key}' {shape}",
        f"The operator's parameters are {known}; name one: "
        f"weights={{'{key}': {{'parameter': '…', 'steps': []}}}}."
        if known
        else "The operator has no stored parameters; choose a target without weights.",
    )


def reads_of(call: Call | Layer | None) -> set[Value]:
    """The values that a call reads."""
    return set(values_of(call)) if call is not None else set()
