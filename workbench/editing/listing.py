"""The mapping as a table: the texts of one row, and a pandas DataFrame of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.core.calls import Layer
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value
from workbench.editing.calls import Slot, main_call, slots
from workbench.editing.names import Names
from workbench.editing.notation import show
from workbench.targets.pytorch.signatures import signature_of

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the frame; a verification adds its own after these.
COLUMNS = (
    "path", "scope", "ops", "inputs", "outputs", "target", "arguments", "weights", "note", "status",
    "rule",
)  # fmt: skip
_LONGEST = 200


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
    if main is None or row.blocks:
        return []
    try:
        told = signature_of(main.target) if not row.is_parameter else None
    except MappingError:
        told = None
    found = []
    for slot in slots(main):
        argument = told[slot.name] if told else None
        usual = (
            argument is not None and not argument.required and _same(argument.default, slot.value)
        )
        if not slot.is_data and not usual:
            found.append(slot)
    return found


def arguments_text(mapping: Mapping, row: Row) -> str:
    """The arguments of a row as in source code, without those that equal torch's default."""
    names = Names(mapping, row)
    parts = []
    for slot in shown_slots(row):
        text = show(slot.value, names)
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        parts.append(text if slot.name.isdigit() else f"{slot.name}={text}")
    return ", ".join(parts)


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
    if row.call is None:
        return ""
    if isinstance(row.call, Layer):
        inputs = ", ".join(show(value, names) for value in row.call.args)
        return f"{row.call.target}({arguments_text(mapping, row)})({inputs})"
    return show(row.call, names)


def _same(default: Any, given: Any) -> bool:
    """Equal for torch: `[1, 1]`, `(1, 1)` and `1` are one stride."""
    if type(default) is type(given) or (default is None) == (given is None):
        default, given = (_flat(value) for value in (default, given))
        return bool(type(default) is type(given) and default == given)
    return False


def _flat(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return value[0] if value and all(item == value[0] for item in value) else tuple(value)
    return value
