"""Order of channels, sizes and paddings of images: what rules of any framework ask about them.

torch has channels first only. A rule for an operator that may have them last is written for
channels first, and `in_channels_first` permutes around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workbench.conversion.context import Context, method
from workbench.core.calls import Call
from workbench.core.integers import Dim, Int, Symbol, int_op
from workbench.core.values import Value


def channels_first(x: Any, rank: int) -> Call:
    """NHWC → NCHW."""
    return method(x, "permute", 0, rank - 1, *range(1, rank - 1))


def channels_last(x: Any, rank: int) -> Call:
    """NCHW → NHWC."""
    return method(x, "permute", 0, *range(2, rank), 1)


def is_channels_last(data_format: str) -> bool:
    """True for NHWC, NDHWC, NLC."""
    return data_format.endswith("C")


def compact(sizes: Any) -> Any:
    """`3` for (3, 3)."""
    return sizes[0] if all(size == sizes[0] for size in sizes) else tuple(sizes)


def in_channels_first(
    op: Context, x: Value, data_format: str, make: Callable[[Any], Any], around: str = ""
) -> Any:
    """What `make` makes of `x`, which it gets with the channels first; they end where they were.

    `around` is the thing in whose note the permutes are told, if they are worth one.
    """
    rank = len(x.shape)
    if rank <= 2 or not is_channels_last(data_format):
        return make(x)
    out = make(channels_first(x, rank))
    if around:
        op.note(f"NHWC: permuted around the {around}")
    return channels_last(out, rank)


def sizes_of(value: Value, first: int, last: int) -> list[Int]:
    """Sizes of some dimensions of a value; dynamic ones as `value.shape[axis]`."""
    return [
        size if size >= 0 else Dim(value, axis)
        for axis, size in enumerate(value.shape)
        if first <= axis < last
    ]


def spatial_sizes(x: Value, data_format: str) -> list[Int]:
    """Sizes of all dimensions but batch and channels."""
    rank = len(x.shape)
    return sizes_of(x, 1, rank - 1) if is_channels_last(data_format) else sizes_of(x, 2, rank)


def sizes_given(op: Context, sizes: Any) -> list[Int]:
    """Sizes that are an attribute (plain integers) or an operand (a tensor); [] for nothing."""
    if isinstance(sizes, tuple) and not any(isinstance(size, Value) for size in sizes):
        return list(sizes)
    return op.ints(sizes)


def paddings_of(
    algorithm: str,
    paddings: Sequence[Int],
    spatial: Sequence[Int],
    kernel_size: Sequence[Int],
    strides: Sequence[int],
) -> tuple[list[Int], list[Int]]:
    """Paddings at the begin and at the end of each axis.

    SAME depends on the input size (not for stride 1) and puts the extra element at the end.
    """
    if algorithm == "VALID":
        return [0] * len(spatial), [0] * len(spatial)
    if algorithm != "SAME":
        pairs = len(paddings) == 2 * len(spatial)
        begins, ends = (paddings[::2], paddings[1::2]) if pairs else (paddings, paddings)
        return list(begins), list(ends)
    begins, ends = [], []
    for size, kernel, stride in zip(spatial, kernel_size, strides, strict=True):
        total = kernel - 1
        if stride > 1:
            steps = (size + (stride - 1)) // stride
            total = int_op("max", (steps - 1) * stride + kernel - size, 0)
        begins.append(total // 2)
        ends.append(total - total // 2)
    return begins, ends


def is_fixed(sizes: Sequence[Int]) -> bool:
    """True when no size depends on the inputs."""
    return not any(isinstance(size, Symbol) for size in sizes)


def sides_of(begins: Sequence[Int], ends: Sequence[Int]) -> tuple[Int, ...]:
    """Paddings in the order of `F.pad`: last axis first."""
    pairs = zip(reversed(begins), reversed(ends), strict=True)
    return tuple(side for pair in pairs for side in pair)
