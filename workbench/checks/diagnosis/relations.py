"""How our value relates to Paddle's and to what the row read: one sentence, measured, no edit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from workbench.checks.results.statistics import largest_difference
from workbench.checks.values.source_values import reference_tensor
from workbench.core.mapping import Row
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.reference import Reference

#: A relation explains a difference when what remains is this much smaller.
EXPLAINED = 1e-3


def relation(row: Row, reference: Reference, ours: torch.Tensor, theirs: torch.Tensor) -> str:
    """What was left out, added, or computed the other way; empty when nothing stands out.

    `ours` and `theirs` are of equal shape and floating.
    """
    mine, other = ours.double(), theirs.double()
    before = largest_difference(mine, other)
    if not before:
        return ""

    def explains(made: torch.Tensor, wanted: torch.Tensor) -> bool:
        return made.shape == wanted.shape and largest_difference(made, wanted) < EXPLAINED * before

    first = mine.flatten()[0]
    if bool((mine == first).all()) and bool((other != other.flatten()[0]).any()):
        return f"our result is {float(first):.6g} throughout: multiplied by 0, or cut off"
    reads = list(_reads(row, reference))
    for value, read in reads:
        if explains(read, mine):
            told = f"nothing is done here: the result is {value.label}, which the operator reads"
            return told + _undone(row, reads, value, mine, other, explains)
    for value, read in reads:
        told = _added(value, read, mine, other, explains)
        if told:
            return told
    return _normalised(row, reference, mine, explains) or _running(row, reads, other, explains)


def _undone(
    row: Row,
    reads: Sequence[tuple[Value, torch.Tensor]],
    kept: Value,
    mine: torch.Tensor,
    other: torch.Tensor,
    explains: Callable[[torch.Tensor, torch.Tensor], bool],
) -> str:
    """What Paddle does with the value that we return as it is; empty when that is not plain."""
    for value, read in reads:
        told = "" if value == kept else _added(value, read, mine, other, explains)
        if told:
            return f"; {told}"
    given = row.op.operands if row.op else ()
    dropped = next((one for one in given if one not in row.reads and one.shape), None)
    if row.op is not None and Trait.BINARY in row.op.traits and dropped is not None:
        return f"; operand {dropped.label} was dropped"
    low, high = mine.argmin(), mine.argmax()
    spread = mine.flatten()[high] - mine.flatten()[low]
    if not spread:
        return ""
    factor = float((other.flatten()[high] - other.flatten()[low]) / spread)
    shift = float(other.flatten()[low]) - factor * float(mine.flatten()[low])
    if not explains(factor * mine + shift, other):
        return ""
    if round(factor, 6) == -1:
        return f"; Paddle gives {shift:.6g} - x: the other polarity, as of a mask"
    return f"; Paddle gives {factor:.6g} * x + {shift:.6g}"


def _reads(row: Row, reference: Reference) -> Iterator[tuple[Value, torch.Tensor]]:
    """The float tensors that the row or its operator reads, parameters left out."""
    operands = (*row.reads, *(row.op.operands if row.op else ()))
    for value in dict.fromkeys(value for value in operands if not value.parameter):
        read = reference_tensor(reference, value)
        if read is not None and read.is_floating_point() and read.numel():
            yield value, read.double()


def _added(
    value: Value,
    read: torch.Tensor,
    mine: torch.Tensor,
    other: torch.Tensor,
    explains: Callable[[torch.Tensor, torch.Tensor], bool],
) -> str:
    for times, told in ((1.0, "was dropped"), (-1.0, "is added once too often")):
        try:
            if explains(mine + times * read, other):
                return f"operand {value.label} {told}, as in a residual"
        except RuntimeError:
            return ""
    try:
        wrong = bool(read.numel()) and explains(mine + 2 * read, other)
    except RuntimeError:
        return ""
    return f"operand {value.label} is subtracted, Paddle adds it" if wrong else ""


def _normalised(
    row: Row,
    reference: Reference,
    mine: torch.Tensor,
    explains: Callable[[torch.Tensor, torch.Tensor], bool],
) -> str:
    """A batch norm that takes the statistics of the batch in place of the stored ones."""
    if row.op is None or Trait.BATCH_NORM not in row.op.traits:
        return ""
    x = next((read for _, read in _reads(row, reference)), None)
    if x is None or x.ndim < 2 or x.shape != mine.shape:
        return ""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    centred = x - x.mean(axes, keepdim=True)
    spread = centred / (x.var(axes, keepdim=True, unbiased=False) + 1e-5).sqrt()
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    flat = mine.transpose(0, 1).flatten(1)
    shift, scale = flat.mean(1).reshape(shape), flat.std(1, unbiased=False).reshape(shape)
    by_batch = spread * scale + shift
    stored = bool((flat.mean(1).abs() > 0).any()) and explains(by_batch, mine)
    means = x.transpose(0, 1).flatten(1).mean(1)
    moved = bool(torch.corrcoef(torch.stack([means, flat.mean(1)]))[0, 1].abs() < 0.5)
    return "the statistics of the batch are used, Paddle takes the stored ones" * (stored and moved)


def _running(
    row: Row,
    reads: Sequence[tuple[Value, torch.Tensor]],
    other: torch.Tensor,
    explains: Callable[[torch.Tensor, torch.Tensor], bool],
) -> str:
    """A running sum or product from the other end, or without its own element."""
    traits = row.op.traits if row.op is not None else ()
    runs = {Trait.RUNNING_SUM: torch.cumsum, Trait.RUNNING_PRODUCT: torch.cumprod}
    run = next((run for trait, run in runs.items() if trait in traits), None)
    if run is None or not reads:
        return ""
    x = reads[0][1]
    for axis in range(x.ndim):
        if explains(run(x, axis), other):
            return f"Paddle's result runs along axis {axis} from the start, ours does not"
        if explains(run(x.flip(axis), axis).flip(axis), other):
            return f"Paddle's result runs along axis {axis} from the end, ours does not"
    return ""
