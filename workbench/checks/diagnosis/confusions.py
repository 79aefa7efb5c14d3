"""The usual confusions between the frameworks: for a row, the rows that were perhaps meant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from workbench.checks.diagnosis.weights import Candidate, swapped, weight_confusions
from workbench.core.arguments import calls_in
from workbench.core.calls import Call, Dtype, Layer
from workbench.core.mapping import Mapping, Row
from workbench.core.numbers import shortest
from workbench.core.program import Op
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.editing.calls import main_call, slots
from workbench.targets.pytorch.signatures import signature_or_open

#: Targets that are taken for one another.
_GROUPS = (
    ("F.relu", "F.relu6", "F.leaky_relu", "F.gelu", "F.silu", "F.hardswish", "F.hardsigmoid",
     "F.elu", "F.selu", "F.celu", "F.mish", "F.softplus", "F.softsign", "F.logsigmoid",
     "torch.sigmoid", "torch.tanh", "F.hardtanh"),
    ("nn.ReLU", "nn.ReLU6", "nn.LeakyReLU", "nn.GELU", "nn.SiLU", "nn.Hardswish", "nn.Hardsigmoid",
     "nn.ELU", "nn.SELU", "nn.CELU", "nn.Mish", "nn.Softplus", "nn.Softsign", "nn.LogSigmoid",
     "nn.Sigmoid", "nn.Tanh", "nn.Hardtanh"),
    ("operator.add", "operator.sub", "operator.mul", "operator.truediv", "operator.floordiv",
     "operator.mod", "operator.pow"),
    ("torch.maximum", "torch.minimum"),
    ("operator.lt", "operator.le", "operator.gt", "operator.ge", "operator.eq", "operator.ne"),
    ("torch.floor", "torch.ceil", "torch.round", "torch.trunc"),
    ("torch.sin", "torch.cos", "torch.tan"),
    ("torch.exp", "torch.expm1", "torch.log", "torch.log2", "torch.log10", "torch.log1p",
     "torch.sqrt", "torch.rsqrt", "torch.square", "torch.abs", "torch.neg", "torch.reciprocal"),
    ("torch.mean", "torch.sum", "torch.amax", "torch.amin", "torch.prod"),
    (".mean", ".sum", ".amax", ".amin", ".prod"),
    ("torch.argmax", "torch.argmin"), (".argmax", ".argmin"),
    (".index_copy", ".index_add"), (".scatter", ".scatter_add"),
    ("torch.softmax", "torch.log_softmax"), ("F.softmax", "F.log_softmax"),
    ("F.max_pool2d", "F.avg_pool2d"), ("nn.MaxPool2d", "nn.AvgPool2d"),
    ("F.adaptive_avg_pool2d", "F.adaptive_max_pool2d"),
    ("nn.AdaptiveAvgPool2d", "nn.AdaptiveMaxPool2d"),
)  # fmt: skip
_NUMBERS: dict[str, tuple[float, ...]] = {
    "eps": (1e-5, 1e-6, 1e-3, 1e-12, 1e-8, 1e-4, 1e-7, 1e-10),
    "negative_slope": (0.01, 0.1, 0.2, 0.25, 0.3, 0.02), "alpha": (1.0, 0.01, 0.2),
    "beta": (1.0,), "threshold": (20.0,), "min_val": (-1.0, 0.0), "max_val": (1.0, 6.0),
}  # fmt: skip
_MODES = ("constant", "reflect", "replicate", "circular", "zeros", "border", "reflection")
_CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("nearest", "nearest-exact", "bilinear", "bicubic", "linear", "trilinear", "area",
             *_MODES),
    "padding_mode": _MODES, "approximate": ("none", "tanh"), "nonlinearity": ("tanh", "relu"),
}  # fmt: skip
#: Targets whose native code does not look whether its operands fit: what is tried there may end
#: the process.
_UNGUARDED = {"ops.deform_conv2d"}
_AXES = ("dim", "axis", "dims", "axes", "start_dim", "end_dim")
_WORDS = {
    "eps": "epsilon", "count_include_pad": "padding counted in the average (Paddle's `exclusive`)",
    "ceil_mode": "output size rounded up or down (`ceil_mode`)", "keepdim": "reduced axes kept",
    "align_corners": "`align_corners`", "approximate": "exact or tanh GELU",
    "dim": "axis", "negative_slope": "negative slope", "batch_first": "batch or time first",
    "padding": "padding", "bidirectional": "bidirectional",
}  # fmt: skip


def confusions(mapping: Mapping, row: Row) -> Iterator[Candidate]:
    """Rows that differ from this one in one of the usual ways, the most likely first."""
    if row.call is None or row.is_parameter or row.blocks:
        return
    main = main_call(row.call)
    parts = list(calls_in(row.call))
    if any(part.target in _UNGUARDED for part in parts):
        return
    yield from _unread(row, main)
    yield from _filled(mapping, row, parts)
    if main is not None:  # settings first: a recurrent layer has hundreds of ways to mix weights
        yield from _arguments(row, main, True)
    if isinstance(main, Layer):
        yield from weight_confusions(mapping, row, main)
    for part in sorted(parts, key=lambda part: part is not main):
        if part is not main:
            yield from _arguments(row, part, False)
        yield from _operands(row, part, part is main)
    for part in parts:
        yield from _targets(row, part, part is main)


# --- arguments --------------------------------------------------------------------------------


def _arguments(row: Row, part: Call | Layer, main: bool) -> Iterator[Candidate]:
    told = signature_or_open(part.target)
    given = {slot.name: (slot.place, slot.value) for slot in slots(part)}
    names = [*given, *(a.name for a in told.arguments if a.name not in given and not a.required)]
    for name in names:
        if name in ("inplace", "bias", "affine", "elementwise_affine", "device", "dtype_out"):
            continue
        argument = told[name]
        place, value = given.get(name, (name, argument.default if argument else None))
        choices = argument.choices if argument else ()
        for other in _others(name, value, choices, row, name in given):
            changed = _with_argument(part, place, other)
            word = _WORDS.get(name, f"`{name}`")
            cause = f"{word}: {_told(value)} here, Paddle acts as with {_told(other)}"
            edit = {"arguments": {name: other}} if main else None
            yield Candidate(cause, swapped(row, part, changed), edit)


def _filled(mapping: Mapping, row: Row, parts: list[Call | Layer]) -> Iterator[Candidate]:
    """Numbers that the operator reads from constants, such as the bounds of a clip."""
    wanted = set(row.op.operands) if row.op else set()
    numbers = [
        shortest(op.attributes["value"])
        for op in mapping.program.walk()
        if Trait.CONSTANT in op.traits
        and wanted.intersection(op.outputs.values())
        and isinstance(op.attributes.get("value"), float)
    ]
    for part in parts:
        for slot in slots(part):
            if isinstance(slot.value, bool) or not isinstance(slot.value, (int, float)):
                continue
            for other in numbers:
                told = (
                    f"`{slot.name}`: {_told(slot.value)} here, Paddle acts as with {_told(other)}"
                )
                changed = _with_argument(part, slot.place, other)
                edit = {"arguments": {slot.name: other}} if part is main_call(row.call) else None
                if other != slot.value:
                    yield Candidate(told, swapped(row, part, changed), edit)


def _others(
    name: str, value: Any, choices: tuple[Any, ...], row: Row, given: bool
) -> Iterator[Any]:
    """Other values of a setting, the most likely first."""
    seen = [value]
    for other in _guesses(name, value, choices, row, given):
        if not any(type(other) is type(one) and other == one for one in seen):
            seen.append(other)
            yield other


def _guesses(
    name: str, value: Any, choices: tuple[Any, ...], row: Row, given: bool
) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif name in _AXES and isinstance(value, int):
        rank = max((len(v.shape) for v in row.reads), default=0)
        yield from range(-rank, rank)
    else:
        yield from choices or _CHOICES.get(name, ())
        if given:
            yield from _own_numbers(value, row)
        if isinstance(value, float):
            yield from _NUMBERS.get("eps" if name == "epsilon" else name, ())
        if given:
            yield from _near(value)


def _own_numbers(value: Any, row: Row) -> Iterator[Any]:
    """The operator's own numbers, where a number stands."""
    if isinstance(value, (int, float)):
        kind = type(value)
        yield from (n for n in _attributes(row.op) if type(n) is kind or kind is float)


def _near(value: Any) -> Iterator[Any]:
    """Values that a slip would make of this one, by its type."""
    for kind, others in _NEAR:
        if isinstance(value, kind):
            yield from others(value)
            return


def _floats(value: float) -> Iterator[float]:
    yield from (-value, 1 - value, value * 2, value / 2)
    if value > 0:
        yield from (1 / value, math.sqrt(value), value * value, 1 / math.sqrt(value))


def _integers(value: int) -> Iterator[int]:
    yield from (value + 1, value - 1, -value)


def _dtypes(value: Dtype) -> Iterator[Dtype]:
    yield from map(Dtype, ("float32", "float64", "int64", "int32", "bool", "float16"))


def _sequences(value: Any) -> Iterator[Any]:
    """Lists of numbers; an index of several axes, one of them moved."""
    if all(type(item) is int for item in value):
        yield from _lists(value)
        return
    for place, item in enumerate(value):
        if isinstance(item, slice) or type(item) is int:
            yield from (type(value)((*value[:place], o, *value[place + 1 :])) for o in _near(item))


def _lists(value: Any) -> Iterator[Any]:
    kind = type(value)
    yield kind(value[::-1])
    yield kind(-item for item in value)
    for step in (1, -1):
        yield kind(item + step for item in value)
        for place in range(len(value)):
            yield kind((*value[:place], value[place] + step, *value[place + 1 :]))
    if len(value) <= 5 and len(set(value)) > 1:
        yield from map(kind, itertools.permutations(value))


def _slices(value: slice) -> Iterator[slice]:
    for step in (1, -1):
        if isinstance(value.start, int):
            yield slice(value.start + step, value.stop, value.step)
        if isinstance(value.stop, int):
            yield slice(value.start, value.stop + step, value.step)
        if isinstance(value.start, int) and isinstance(value.stop, int):
            yield slice(value.start + step, value.stop + step, value.step)


#: What a slip makes of a value, by its type; the first type that fits counts.
_NEAR: tuple[tuple[Any, Callable[[Any], Iterator[Any]]], ...] = (
    (float, _floats), (int, _integers), ((tuple, list), _sequences), (slice, _slices),
    (Dtype, _dtypes),
)  # fmt: skip


def _attributes(op: Op | None) -> Iterator[Any]:
    """Numbers among the operator's own attributes."""
    for one in (*(op.merged if op else ()), *((op,) if op else ())):
        for value in one.attributes.values():
            if isinstance(value, float):
                yield shortest(value)
            elif isinstance(value, int) and not isinstance(value, bool):
                yield value


def _with_argument(part: Call | Layer, place: str | int, value: Any) -> Call | Layer:
    if isinstance(part, Layer):
        return replace(part, arguments={**part.arguments, str(place): value})
    if isinstance(place, int):
        return replace(part, args=(*part.args[:place], value, *part.args[place + 1 :]))
    return replace(part, kwargs={**part.kwargs, place: value})


def constants(row: Row, factor: float | None, shift: float | None) -> Iterator[Candidate]:
    """Rows with another number in them, as the results say: all scaled, or all shifted."""
    for part in calls_in(row.call):
        if not isinstance(part, Call):
            continue
        for slot in slots(part):
            value = slot.value
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            guesses = [value * factor, value / factor] if factor else []
            guesses += [value + shift, value - shift] if shift else []
            for guess in guesses:
                other = shortest(float(f"{guess:.7g}"))
                told = f"the number {_told(value)} here, Paddle acts as with {_told(other)}"
                changed = _with_argument(part, slot.place, other)
                main = part is main_call(row.call)
                edit = {"arguments": {slot.name: other}} if main else None
                yield Candidate(told, swapped(row, part, changed), edit)


# --- operands and targets ---------------------------------------------------------------------


def _operands(row: Row, part: Call | Layer, main: bool) -> Iterator[Candidate]:
    """Two operands swapped, a list in another order, the axes of a permute."""
    args = part.args
    for left, right in itertools.combinations(range(len(args)), 2):
        if _is_tensor(args[left]) and _is_tensor(args[right]):
            order = list(args)
            order[left], order[right] = order[right], order[left]
            edit = None
            if main and isinstance(part, Call):
                names = {slot.place: slot.name for slot in slots(part)}
                edit = {"arguments": {names[left]: args[right], names[right]: args[left]}}
            yield Candidate(
                f"operands {left + 1} and {right + 1} are swapped",
                swapped(row, part, replace(part, args=tuple(order))), edit,
            )  # fmt: skip
    for place, value in enumerate(args):
        if (
            isinstance(value, (tuple, list))
            and 2 <= len(value) <= 4
            and all(map(_is_tensor, value))
        ):
            for other in itertools.permutations(value):
                changed = _with_argument(part, place, type(value)(other))
                yield Candidate("the tensors are in another order", swapped(row, part, changed))
    numbers = [place for place, value in enumerate(args) if type(value) is int]
    if part.target in (".permute", ".transpose", ".flatten", ".reshape") and len(numbers) < 6:
        for other in itertools.permutations(args[place] for place in numbers):
            order = list(args)
            for place, value in zip(numbers, other, strict=True):
                order[place] = value
            if tuple(order) != args:
                changed = replace(part, args=tuple(order))
                told = ", ".join(map(str, other))
                yield Candidate(f"the axes should be {told}", swapped(row, part, changed))


def _unread(row: Row, main: Call | Layer | None) -> Iterator[Candidate]:
    """An operand of Paddle's operator that the row does not read, put where a number stands."""
    if not isinstance(main, Call) or row.op is None:
        return
    reads = set(row.reads)
    for operand in row.op.operands:
        if operand in reads or operand.parameter:
            continue
        for slot in slots(main):
            if slot.is_data or isinstance(slot.value, (str, bool)):
                continue
            changed = _with_argument(main, slot.place, operand)
            cause = f"operand {operand.label} of the operator was dropped"
            yield Candidate(cause, swapped(row, main, changed), {"arguments": {slot.name: operand}})


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (Value, Call, Layer))


def _targets(row: Row, part: Call | Layer, main: bool) -> Iterator[Candidate]:
    for group in _GROUPS:
        for other in group if part.target in group else ():
            if other == part.target:
                continue
            told = signature_or_open(other)
            if isinstance(part, Layer):
                kept = {k: v for k, v in part.arguments.items() if told[k] is not None}
                changed: Call | Layer = replace(part, target=other, arguments=kept)
            else:
                kept = {k: v for k, v in part.kwargs.items() if told[k] is not None}
                changed = replace(part, target=other, kwargs=kept)
            cause = f"{part.target} in place of {other}"
            yield Candidate(cause, swapped(row, part, changed), {"target": other} if main else None)


# --- small things -----------------------------------------------------------------------------


def _told(value: Any) -> str:
    if isinstance(value, slice):
        return ":".join("" if end is None else str(end) for end in (value.start, value.stop))
    if isinstance(value, Dtype):
        return value.name
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_told, value))})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
