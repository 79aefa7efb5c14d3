"""One module of a layer: with its weights, or without memory for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from workbench.core.arguments import map_argument
from workbench.core.calls import Dtype, Layer
from workbench.core.errors import MappingError
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.resolve import resolve, torch_dtype
from workbench.targets.pytorch.signatures import signature_of
from workbench.targets.pytorch.weights import WeightStore


def build_layer(layer: Layer, weights: WeightStore, where: str = "") -> nn.Module:
    """One module with its weights; nothing is initialised first.

    Raises `MappingError` when arguments or weights do not fit the module.
    """
    arguments = {name: literal(value) for name, value in layer.arguments.items()}
    if custom.is_custom(layer.target):
        module = custom.make(layer.target, arguments)
        _check_all_given(module, layer, where)
        _load(module, layer, weights, where)
        return module
    constructor = resolve(layer.target)
    try:
        module = _uninitialised(constructor, arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise MappingError(f"{where}: {layer.target} cannot be made: {error}") from error
    _load(module, layer, weights, where)
    return module


def _uninitialised(
    constructor: Callable[..., nn.Module], arguments: Mapping[str, Any]
) -> nn.Module:
    if not _takes_device(constructor):
        return constructor(**arguments)
    module = _blank(constructor)(**arguments, device="meta")
    module.__class__ = constructor  # type: ignore[assignment]
    return module


@cache
def _takes_device(constructor: Callable[..., nn.Module]) -> bool:
    return "device" in inspect.signature(constructor).parameters


@cache
def _blank(constructor: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """A layer class that draws no first weights, which the model's own replace anyway."""
    if not isinstance(constructor, type) or not hasattr(constructor, "reset_parameters"):
        return constructor
    return type(constructor.__name__, (constructor,), {"reset_parameters": lambda self: None})


def _check_all_given(module: nn.Module, layer: Layer, where: str) -> None:
    """Own code makes its tensors itself: none of its random numbers may stay in the model."""
    missing = [key for key in custom.stored_keys(module)[0] if key not in layer.weights]
    if missing:
        raise MappingError(
            f"{where}: {layer.target} needs a weight for {', '.join(map(repr, missing))}",
            "Say which: weights={'key': {'parameter': 'name', 'steps': []}}.",
        )


def _load(module: nn.Module, layer: Layer, weights: WeightStore, where: str) -> None:
    parameters = dict(module.named_parameters())
    buffers = dict(module.named_buffers())
    for key, weight in layer.weights.items():
        expected = parameters.get(key, buffers.get(key))
        if expected is None:
            raise MappingError(f"{where}: {layer.target} has no parameter '{key}'")
        if tuple(expected.shape) != weight.final_shape:
            raise MappingError(
                f"{where}: {key} of {layer.target} is {tuple(expected.shape)}, but the weight "
                f"steps give {weight.final_shape} ({weight})"
            )
        owner, _, leaf = key.rpartition(".")
        holder = module.get_submodule(owner)
        if key in parameters:
            holder._parameters[leaf] = weights.get(weight, buffer=False)  # type: ignore[assignment]
        else:
            holder._buffers[leaf] = weights.get(weight, buffer=True)
    for key, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            if not key.endswith("num_batches_tracked"):
                raise MappingError(f"{where}: {layer.target} needs a weight for '{key}'")
            module._buffers[key] = torch.zeros((), dtype=torch.long)


def literal(argument: Any) -> Any:
    """An argument without values as a Python object."""
    if isinstance(argument, Dtype):
        return torch_dtype(argument.name)
    return map_argument(argument, literal)


def make_module(layer: Layer) -> nn.Module:
    """The module of a layer, without memory for its weights."""
    told = signature_of(layer.target)
    missing = [a.name for a in told.arguments if a.required and a.name not in layer.arguments]
    if missing:
        raise MappingError(
            f"{layer.target} needs {', '.join(missing)}", "Give them as arguments in the same edit."
        )
    arguments = {name: literal(value) for name, value in layer.arguments.items()}
    if custom.is_custom(layer.target):
        return custom.make(layer.target, arguments)
    constructor = resolve(layer.target)
    if "device" in inspect.signature(constructor).parameters:
        arguments["device"] = "meta"
    try:
        made: nn.Module = constructor(**arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MappingError(f"{layer.target} cannot be made: {reason}") from error
    return made
