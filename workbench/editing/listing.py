"""The mapping as a table: the texts of one row, and a pandas DataFrame of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.core.calls import Call, Layer
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value
from workbench.editing.calls import Slot, main_call, slots
from workbench.editing.names import Labels, Names
from workbench.editing.notation import show
from workbench.targets.pytorch.signatures import Signature, signature_or_open

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the frame; a verification adds its own after these.
COLUMNS = (
    "path", "scope", "ops", "inputs", "outputs", "target", "arguments", "weights", "note", "status",
    "rule",
)  # fmt: skip
_LONGEST = 201


def mapping_frame(mapping: Mapping, checks: pd.DataFrame | None = None) -> pd.DataFrame:
    """One line a row, with the columns of `COLUMNS`; all of them are text.

    `checks` is the frame of a verification: its errors, tolerances and verdicts are added, matched
    by path.
    """
    import pandas as pd

    frame = pd.DataFrame(
        [table_line(mapping, row) for row in mapping.walk()], columns=list(COLUMNS)
    )
    if checks is None:
        return frame
    added = [name for name in checks.columns if name not in COLUMNS]
    return frame.merge(checks[["path", *added]], on="path", how="left")


def table_line(mapping: Mapping, row: Row) -> dict[str, str]:
    """The texts of one row, by column."""
    return {
        "path": row.path,
        "scope": row.scope,
        "ops": ", ".join(name.partition(".")[2] or name for name in row.ops),
        "inputs": shapes_text(data_inputs(row)),
        "outputs": shapes_text(row.values),
        "target": row.target,
        "arguments": arguments_text(mapping, row),
        "weights": weights_text(row),
        "note": "; ".join(row.notes),
        "status": row.status,
        "rule": row.rule,
    }


def data_inputs(row: Row) -> tuple[Value, ...]:
    """The values that flow into a row, without its stored parameters."""
    if row.call is None and row.op is not None:
        return tuple(value for value in dict.fromkeys(row.op.operands) if not value.parameter)
    return tuple(value for value in row.reads if not value.parameter)


def shapes_text(values: Sequence[Value]) -> str:
    """Shapes as people write them: `[?, 3, 224, 224]`, with the dtype where it is not float32.

    >>> shapes_text([Value(1, (-1, 3), "float32"), Value(2, (), "int64")])
    '[?, 3], int64 []'
    """
    return ", ".join(shape_text(value) for value in values)


def shape_text(value: Value) -> str:
    """Shape of one value."""
    dims = ", ".join("?" if dim < 0 else str(dim) for dim in value.shape)
    return f"[{dims}]" if value.dtype == "float32" else f"{value.dtype} [{dims}]"


def shown_slots(row: Row) -> list[Slot]:
    """The arguments of a row that say something: neither tensors nor torch's own defaults."""
    main = main_call(row.call)
    if main is None or row.blocks or row.is_parameter:
        return []
    told = signature_or_open(main.target)
    return [slot for slot in slots(main) if not slot.is_data and not _is_usual(told, slot)]


def _is_usual(told: Signature, slot: Slot) -> bool:
    argument = told[slot.name]
    return argument is not None and argument.is_default(slot.value)


def arguments_text(mapping: Mapping, row: Row) -> str:
    """The arguments of a row as in source code, without those that equal torch's default."""
    names = Names(mapping, row)
    texts = []
    for slot in shown_slots(row):
        text = shortened(show(slot.value, names), _LONGEST)
        texts.append(text if slot.name.isdigit() else f"{slot.name}={text}")
    return ", ".join(texts)


def shortened(text: str, length: int) -> str:
    """The text, or what fits of it and `…`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def weights_text(row: Row) -> str:
    """Where each parameter comes from: `weight ← fc.w_0 transposed (784, 256) → (256, 784)`."""
    parts = []
    for key, weight in row.weights.items():
        steps = f" {weight}" if weight.steps else ""
        arrow = f"{key} ← " if key else "← "
        parts.append(f"{arrow}{weight.parameter}{steps}")
    return "; ".join(parts)


def call_text(mapping: Mapping, row: Row) -> str:
    """The row as one line of source: what is called with what."""
    names = Names(mapping, row)
    if row.is_parameter:
        return f"self.{row.path} = {row.target}(…)"
    if isinstance(row.call, Layer):
        inputs = show(list(row.call.args), names)[1:-1]
        return f"{row.call.target}({arguments_text(mapping, row)})({inputs})"
    return show(row.call, names) if row.call is not None else ""


def brief_text(mapping: Mapping, row: Row) -> str:
    """What a row becomes, as short as it can be said: a layer without its inputs, no defaults."""
    if row.call is None or row.is_parameter or row.target.startswith("control."):
        return row.target
    names = Labels(mapping, row)
    if row.layer is not None:
        return f"{row.target}({_brief_arguments(row.layer, names)})"
    told = signature_or_open(row.target)
    kept = {
        slot.name: slot.value
        for slot in slots(row.call)
        if isinstance(slot.place, str) and not _is_usual(told, slot)
    }
    return show(Call(row.target, row.call.args, kept), names)


def _brief_arguments(layer: Layer, names: Names) -> str:
    """Leading required arguments by place, others by name, defaults left out."""
    told = signature_or_open(layer.target)
    named = {slot.name: slot for slot in slots(layer)}
    texts = []
    for argument in told.arguments:
        if not argument.required or argument.name not in named:
            break
        texts.append(show(named.pop(argument.name).value, names))
    texts += [f"{n}={show(s.value, names)}" for n, s in named.items() if not _is_usual(told, s)]
    return ", ".join(texts)
