"""Which rows are one and the same, so that probing one of them is enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from workbench.core.arguments import parts
from workbench.core.mapping import Row
from workbench.core.values import Value
from workbench.sources.interface import Slice


def identity(row: Row, part: Slice, tensors: Mapping[Value, torch.Tensor], unseen: bool) -> str:
    """Equal for rows of equal operators, settings, calls, dtypes and ranks, without weights.

    A row that holds or reads stored tensors is like no other. With `unseen`, sizes count too.
    """
    numbers: dict[Value, int] = {}
    told: list[str] = []
    if row.weights or any(value.parameter for value in (*part.feeds, *row.reads)):
        told.append(row.path)
    for op in part.ops:
        settings = {key: item for key, item in op.attributes.items() if key != "struct_name"}
        told.append(f"{op.name} {sorted(settings.items(), key=lambda pair: pair[0])}")
        told += [*_told(tuple(op.inputs.values()), numbers), *_told(op.outputs, numbers)]
    told += _told(row.call, numbers)
    for value, tensor in tensors.items():
        sizes = [size if unseen else min(size, 2) for size in tensor.shape]
        told.append(f"{numbers.get(value, '?')} {tensor.dtype} {sizes} {value in part.free}")
    return "\n".join(told)


def _told(item: Any, numbers: dict[Value, int]) -> Iterator[str]:
    """A call in words, with values numbered as they are met."""
    if isinstance(item, Value):
        yield f"%{numbers.setdefault(item, len(numbers))}"
    elif isinstance(item, Mapping):
        for key, part in item.items():
            yield f"{key}:"
            yield from _told(part, numbers)
    elif isinstance(item, (tuple, list, slice)):
        yield f"{type(item).__name__} of {len(parts(item))}:"
        for part in parts(item):
            yield from _told(part, numbers)
    elif is_dataclass(item) and not isinstance(item, type):
        yield type(item).__name__
        for one in fields(item):
            yield from _told(getattr(item, one.name), numbers)
    else:
        yield repr(item)
