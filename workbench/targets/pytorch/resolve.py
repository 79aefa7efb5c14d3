"""Resolve target names (`nn.Linear`, `F.relu`, `.reshape`) to torch objects."""

from __future__ import annotations

import inspect
import operator
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's own name

from workbench.core.errors import MappingError
from workbench.targets.pytorch import custom, functions

_DTYPES = {
    name: getattr(torch, name)
    for name in (
        "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
        "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2",
    )
}  # fmt: skip


def torch_dtype(name: str) -> torch.dtype:
    """Torch dtype by Paddle's name."""
    return _DTYPES[name]  # type: ignore[no-any-return]


def resolve(target: str) -> Any:
    """The torch object that a target names; for a method its name.

    Raises `MappingError` when there is no such object.
    """
    return custom.find(target).call if custom.is_custom(target) else _resolved(target)


@cache
def _resolved(target: str) -> Any:
    if target.startswith("."):
        if not hasattr(torch.Tensor, target[1:]):
            raise MappingError(f"torch.Tensor has no method '{target[1:]}'")
        return target[1:]
    head, _, rest = target.partition(".")
    base = _bases().get(head)
    if base is None or not rest:
        raise MappingError(
            f"'{target}' is not a target",
            "Write it as nn.Linear, F.relu, torch.add, .reshape or operator.add.",
        )
    try:
        return operator.attrgetter(rest)(base())
    except AttributeError:
        raise MappingError(f"'{target}' does not exist in torch {torch.__version__}") from None


def _bases() -> dict[str, Any]:
    return {
        "nn": lambda: nn,
        "F": lambda: F,
        "torch": lambda: torch,
        "operator": lambda: operator,
        "fn": lambda: functions,
        "ops": _torchvision_ops,
    }


def _torchvision_ops() -> Any:
    import torchvision.ops

    return torchvision.ops


def is_layer(target: str) -> bool:
    """True when the target is a module class."""
    found = None if target.startswith(".") else resolve(target)
    return inspect.isclass(found) and issubclass(found, nn.Module)
