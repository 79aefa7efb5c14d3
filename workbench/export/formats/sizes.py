"""Inputs that show what a deploy format does at other sizes than those of its example."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.checks.values.inputs import sample_inputs
from workbench.core.errors import WorkbenchError
from workbench.core.values import Value
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

Inputs = tuple[Tensor, ...]
#: A dynamic dimension: number of the input and axis.
Dim = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What an exporter is given, and on what its file is then compared.

    No dynamic dimension of the `example` is 1, which exporters keep fixed, if the model takes
    another. The `trials` vary each dynamic dimension by itself and all together; dimensions that
    the model takes only when they are equal, as a batch over several inputs, go together.
    """

    names: tuple[str, ...]
    example: Inputs
    dynamic: tuple[dict[int, Any] | None, ...]
    trials: tuple[Inputs, ...]

    @property
    def varied(self) -> bool:
        """True when there are trials of more than one size."""
        return len({str(shapes(inputs)) for inputs in self.trials}) > 1


def sizes_of(migration: Evidence) -> Sizes:
    """Example and trials for a converted model.

    Raises `WorkbenchError` when the model runs on none of the inputs at hand.
    """
    module, values = migration.convert(), migration.program.inputs
    given = list(_running(module, _given(migration)))
    if not given:
        raise WorkbenchError(
            "The model runs on none of the sample inputs.",
            "Give inputs of your own: m.verify(inputs=...), or --inputs.",
        )
    dims = [(number, axis) for number, value in enumerate(values)
            for axis, dim in enumerate(value.shape) if dim < 0]  # fmt: skip
    example = next((inputs for inputs in given if all(_size(inputs, d) > 1 for d in dims)), None)
    trials = [*given, *_varied(module, example, dims)] if example else given
    auto = torch.export.Dim.AUTO  # type: ignore[attr-defined]
    return Sizes(
        tuple(value.name for value in values),
        example or given[0],
        tuple({axis: auto for axis, dim in enumerate(value.shape) if dim < 0} or None
              for value in values),
        tuple(_distinct(trials)),
    )  # fmt: skip


def shapes(inputs: Iterable[Tensor]) -> list[list[int]]:
    """The shapes of inputs, to be read."""
    return [list(tensor.shape) for tensor in inputs]


def copies(inputs: Iterable[Tensor]) -> list[Tensor]:
    """Inputs that a model may change."""
    return [tensor.clone() for tensor in inputs]


# --- the inputs at hand -------------------------------------------------------------------------


def _given(migration: Evidence) -> Iterator[Inputs]:
    """Inputs of the verification; if of one size, samples too; without sizes of 1 as well."""
    values = migration.program.inputs
    arrays = [list(reference.inputs) for reference in migration.references]
    if len({str([one.shape for one in inputs]) for inputs in arrays}) < 2:
        arrays += [sample_inputs(migration.program, run, seed=run) for run in (0, 1)]
    for one in arrays:
        inputs = tuple(as_tensor(a, v.dtype) for a, v in zip(one, values, strict=True))
        yield inputs
        single = [d for d in _dynamic(values) if _size(inputs, d) == 1]
        if single:
            yield _resized(inputs, dict.fromkeys(single, 2))


def _dynamic(values: Sequence[Value]) -> list[Dim]:
    return [(number, axis) for number, value in enumerate(values)
            for axis, dim in enumerate(value.shape) if dim < 0]  # fmt: skip


def _running(module: nn.Module, inputs: Iterable[Inputs]) -> Iterator[Inputs]:
    return (one for one in inputs if _runs(module, one))


def _runs(module: nn.Module, inputs: Inputs) -> bool:
    """True when the model takes the inputs; a size may not suit it."""
    try:
        with torch.no_grad(), redirect_stderr(io.StringIO()):  # where torch.fx tells failures
            module(*copies(inputs))
    except Exception:  # noqa: BLE001 - a model may fail in any way
        return False
    return True


# --- other sizes --------------------------------------------------------------------------------


def _varied(module: nn.Module, example: Inputs, dims: list[Dim]) -> Iterator[Inputs]:
    """The example with each group of dimensions changed, and with all of them changed."""
    found = list(_groups(module, example, dims))
    for group, chosen in found:
        for size in chosen:
            yield _resized(example, dict.fromkeys(group, size))
    for place in (0, -1):
        every = {dim: chosen[place] for group, chosen in found for dim in group}
        yield from _running(module, [_resized(example, every)] if len(found) > 1 else [])


def _groups(
    module: nn.Module, example: Inputs, dims: list[Dim]
) -> Iterator[tuple[list[Dim], list[int]]]:
    """Dimensions that can only change together, with the sizes that the model takes."""
    tied: dict[object, list[Dim]] = {}
    for dim in dims:
        chosen = _taken(module, example, [dim])
        if chosen:
            yield [dim], chosen
        else:
            tied.setdefault(dim[1] == 0 or _size(example, dim), []).append(dim)
    for group in tied.values():
        chosen = _taken(module, example, group) if len(group) > 1 else []
        if chosen:
            yield group, chosen


def _taken(module: nn.Module, example: Inputs, group: list[Dim]) -> list[int]:
    """One or two sizes of a group that the model takes, odd ones first; and 1 for a batch."""
    base = _size(example, group[0])
    batch = group[0][1] == 0
    found: list[int] = []
    for tried in ((3, 5), (1,)) if batch else _tried(base):
        sizes = (n for n in tried if n != base)
        found += [n for n in sizes if _runs(module, _resized(example, dict.fromkeys(group, n)))][:1]
        if batch and not found:
            break  # a lone batch of 1 would only be broadcast
    return found


def _tried(base: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Smaller and larger sizes: a prime, else what a network that halves its images takes."""
    smaller = (_prime(max(base * 2 // 3, 3)), base // 64 * 32, base // 2, base - 1)
    larger = (_prime(base * 5 // 4 + 1), (base // 32 + 1) * 32, base * 2, base + 1)
    return tuple(n for n in smaller if 1 < n < base), tuple(n for n in larger if n > base)


def _prime(start: int) -> int:
    """The next prime."""
    while any(start % divisor == 0 for divisor in range(2, int(start**0.5) + 1)):
        start += 1
    return start


def _resized(inputs: Inputs, sizes: dict[Dim, int]) -> Inputs:
    """The inputs with other sizes: their first elements, or more of them, a little larger."""
    found = list(inputs)
    for (number, axis), size in sizes.items():
        tensor, place = found[number], torch.arange(size)
        length = tensor.shape[axis]
        found[number] = tensor.index_select(axis, place % length)
        if tensor.is_floating_point() and len(torch.unique(tensor)) > 3:  # no mask
            larger = 1 + 0.01 * (place // length)  # equal numbers would be open to any order
            shape = [-1] + [1] * (tensor.dim() - 1 - axis % tensor.dim())
            found[number] = (found[number] * larger.reshape(shape)).to(tensor.dtype)
    return tuple(found)


def _size(inputs: Inputs, dim: Dim) -> int:
    number, axis = dim
    return inputs[number].shape[axis]


def _distinct(trials: Iterable[Inputs]) -> Iterator[Inputs]:
    """The trials without those that repeat an earlier one."""
    seen: list[Inputs] = []
    for inputs in trials:
        if not any(all(map(torch.equal, inputs, other)) for other in seen
                   if shapes(other) == shapes(inputs)):  # fmt: skip
            seen.append(inputs)
            yield inputs
