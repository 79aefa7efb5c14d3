"""What the inputs of a verification left untouched, and so prove nothing about.

Looked at are Paddle's recorded values over all runs: channels that never change, outputs that sit
at their bounds, weights that only ever met zeros, table rows that no id looked up, branches that
were not taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn

from workbench.checks.values.source_values import reference_tensor
from workbench.core.dtypes import is_float
from workbench.core.mapping import Mapping, Row
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.reference import Reference

#: Kinds of gaps.
KINDS = ("branch", "zero_inputs", "unseen_rows", "dead_channels", "saturated")
#: An output is saturated when this share of it sits at its smallest or largest value.
SATURATED = 0.99
#: A gap is worth telling when it concerns at least this share of the channels.
SHARE = 0.02
_CHANNELS_FIRST = ("nn.Conv", "nn.BatchNorm", "nn.InstanceNorm", "nn.GroupNorm", "nn.PReLU")


@dataclass(frozen=True, slots=True)
class Gap:
    """What was not tested of one layer: `count` of `total` channels, rows or elements.

    `detail` names the branch.
    """

    path: str
    kind: str
    count: int
    total: int
    detail: str = ""


def find_gaps(
    mapping: Mapping, module: fx.GraphModule, references: Sequence[Reference]
) -> tuple[Gap, ...]:
    """Every gap of a verification with these reference values, in program order."""
    if not references:
        return ()
    untaken = _untaken(mapping, module, references)
    found: list[Gap] = []
    for row in mapping.walk():
        found += [Gap(row.path, "branch", 1, 1, name) for name in untaken.get(row.path, ())]
        found += _weights(row, references)
        found += _outputs(row, references)
    return tuple(found)


# --- outputs --------------------------------------------------------------------------------------


def _outputs(row: Row, references: Sequence[Reference]) -> Iterator[Gap]:
    value = row.values[0] if row.values else None
    if value is None or row.is_parameter or not is_float(value.dtype):
        return
    tensors = _tensors(value, references)
    if not tensors or not any(tensor.numel() > 1 for tensor in tensors):
        return
    axis = _axis(row, value)
    low, high = _bounds(tensors, axis)
    constant = int((low == high).sum())
    if 0 < constant < low.numel() and constant >= SHARE * low.numel() and low.numel() > 1:
        yield Gap(row.path, "dead_channels", constant, low.numel())
    total = sum(tensor.numel() for tensor in tensors)
    bottom, top = low.min(), high.max()
    at_bounds = sum(int(((t == bottom) | (t == top)).sum()) for t in tensors)
    bounded = row.op is not None and Trait.BOUNDED in row.op.traits
    if bounded and bottom < top and at_bounds >= SATURATED * total:
        yield Gap(row.path, "saturated", at_bounds, total)


def _axis(row: Row, value: Value) -> int:
    """Where the channels of a row's output stand."""
    op = row.op
    last = op is not None and str(op.attributes.get("data_format", "")).endswith("C")
    first = len(value.shape) >= 4 or row.target.startswith(_CHANNELS_FIRST)
    return 1 if first and not last and len(value.shape) > 1 else -1


def _bounds(tensors: Sequence[torch.Tensor], axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest and largest value of each channel over all runs; of all where sizes differ.

    One of the tensors must hold something.
    """
    lows, highs = [], []
    for tensor in tensors:
        if not tensor.numel():
            continue
        low, high = torch.aminmax(_by_channel(tensor, axis).float(), dim=1)
        lows.append(low)
        highs.append(high)
    if len({len(low) for low in lows}) > 1:
        lows = [low.min().reshape(1) for low in lows]
        highs = [high.max().reshape(1) for high in highs]
    return torch.stack(lows).amin(0), torch.stack(highs).amax(0)


def _by_channel(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    """The tensor as (channels, all else); the elements of a vector are channels, a number is one.

    A program may declare another rank than a value has when it runs.
    """
    if not tensor.ndim:
        return tensor.reshape(1, 1)
    moved = tensor.movedim(axis if axis < tensor.ndim else -1, 0)
    return moved.reshape(len(moved), -1)


def _tensors(value: Value, references: Sequence[Reference]) -> list[torch.Tensor]:
    found = [reference_tensor(reference, value) for reference in references]
    return [tensor for tensor in found if tensor is not None]


# --- weights --------------------------------------------------------------------------------------


def _weights(row: Row, references: Sequence[Reference]) -> Iterator[Gap]:
    layer = row.layer
    source = layer.args[0] if layer is not None and layer.args else None
    if layer is None or not isinstance(source, Value):
        return
    tensors = _tensors(source, references)
    if not any(tensor.numel() for tensor in tensors):
        return
    if layer.target == "nn.Embedding":
        rows = layer.weights["weight"].final_shape[0]
        seen = np.unique(np.concatenate([tensor.numpy().ravel() for tensor in tensors]))
        if len(seen) < rows:
            yield Gap(row.path, "unseen_rows", rows - len(seen), rows)
    elif layer.target == "nn.Linear" or layer.target.startswith("nn.Conv"):
        low, high = _bounds(tensors, 1 if layer.target.startswith("nn.Conv") else -1)
        zeros = int(((low == 0) & (high == 0)).sum())
        if zeros and zeros >= SHARE * low.numel():
            yield Gap(row.path, "zero_inputs", zeros, low.numel())


# --- branches -------------------------------------------------------------------------------------


def _untaken(
    mapping: Mapping, module: fx.GraphModule, references: Sequence[Reference]
) -> dict[str, list[str]]:
    """Names of the blocks that did not run, by the path of their row."""
    rows = [row for row in mapping.walk() if row.blocks]
    if not rows:
        return {}
    ran: set[str] = set()
    modules = dict(module.named_modules())
    hooks = []
    for row in rows:
        for block in row.blocks:
            path = f"{row.path}.{block.name}"
            if path in modules:
                hooks.append(_watched(modules[path], path, ran))
    try:
        for reference in references:
            tensors = [reference_tensor(reference, value) for value in mapping.program.inputs]
            with torch.no_grad():
                module(*tensors)
    except Exception:  # noqa: BLE001 - a faulty model may not run through; the verdict says so
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return {
        row.path: names
        for row in rows
        if (names := [b.name for b in row.blocks if f"{row.path}.{b.name}" not in ran and b.rows])
    }


def _watched(module: nn.Module, path: str, ran: set[str]) -> torch.utils.hooks.RemovableHandle:
    return module.register_forward_pre_hook(lambda _, __: ran.add(path))
