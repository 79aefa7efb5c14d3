"""Padding."""

from __future__ import annotations

from typing import Any

from workbench.conversion.channels import in_channels_first, is_channels_last
from workbench.conversion.context import Context, call
from workbench.core.calls import Call
from workbench.core.dtypes import is_float
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.elementwise import as_number
from workbench.sources.paddle.rules.manipulation import traced


@rule("pd_op.pad", traits=(Trait.LINEAR,))
def pad(op: Context, x: Value, pad_value: Operand, paddings: tuple[int, ...]) -> Call:
    """Constant padding. Paddle lists the pairs from the first axis, torch from the last."""
    sides = [side for axis in reversed(range(len(x.shape))) for side in paddings[2 * axis :][:2]]
    value = op.scalar(pad_value)
    if isinstance(value, Value):
        value = call(".item", value)
    elif not is_float(x.dtype):
        value = as_number(value, "int64")
    return _constant(x, sides, value)


def _constant(x: Value, sides: list[Any], value: Any) -> Call:
    while len(sides) > 2 and sides[-2:] == [0, 0]:
        sides = sides[:-2]
    return call("F.pad", x, tuple(sides), **({"value": value} if value != 0 else {}))


@rule("pd_op.pad3d", "workbench.pad", traits=(Trait.LINEAR,))
def pad3d(
    op: Context, x: Value, paddings: Any, mode: str = "constant", pad_value: float = 0.0,
    data_format: str = "NCDHW",
) -> Any:  # fmt: skip
    """Padding of the spatial axes: left, right, top, bottom, … as in torch; also channels-last."""
    given = paddings if op.name == "pad" else op.ints(paddings)
    sides = [traced(side) for side in given]
    last = is_channels_last(data_format)
    if mode == "constant":
        value = pad_value if is_float(x.dtype) else as_number(pad_value, "int64")
        return _constant(x, [0, 0, *sides] if last else sides, value)
    twice = mode == "circular" and _wraps_twice(x, sides, last)

    def padded(source: Any) -> Call:
        if twice:
            return call("fn.pad_circular", source, tuple(sides))
        return call("F.pad", source, tuple(sides), mode=mode)

    return in_channels_first(op, x, data_format, padded)


def _wraps_twice(x: Value, sides: list[Any], last: bool) -> bool:
    """True when a padding is larger than the axis, which torch refuses."""
    sizes = x.shape[1:-1] if last else x.shape[2:]
    pairs = zip(reversed(sizes), sides[::2], sides[1::2], strict=True)
    return any(isinstance(side, int) and 0 <= size < side for size, *pair in pairs for side in pair)
