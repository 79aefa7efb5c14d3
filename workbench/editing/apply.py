"""A row as its rule made it, with changes applied."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import Any

from workbench.conversion.names import snake
from workbench.core.calls import Layer, Weight
from workbench.core.dtypes import is_float
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.editing.calls import fitted, main_call, reads_of, retarget, swap, with_arguments
from workbench.editing.merge import original_of
from workbench.editing.names import Names
from workbench.editing.notation import decode
from workbench.editing.weight_steps import with_steps
from workbench.targets.pytorch import custom


def applied(mapping: Mapping, original: Row, merged: Dict[str, Any]) -> Row:
    """The row as its rule made it, with all its changes."""
    parameters = mapping.program.parameters
    call, notes = original.call, list(original.notes)
    if original.is_parameter:
        call = _parameter_call(mapping, original, merged)
    else:
        if "target" in merged:
            call, told = retarget(call, merged["target"], original.op, parameters)
            notes += told
        if merged.get("arguments"):
            names = Names(mapping, original, original=True)
            values = {name: decode(value, names) for name, value in merged["arguments"].items()}
            call = with_arguments(call, values)
        layer = main_call(call)
        if isinstance(layer, Layer) and set(merged) & {"target", "arguments", "weights"}:
            changed = _with_weights(mapping, layer, merged.get("weights", {}))
            changed, told = fitted(changed, original.op, parameters)
            call, notes = swap(call, layer, changed), [*notes, *told]
        elif merged.get("weights"):
            raise MappingError(f"{original.target or 'the row'} has no weights of its own")
    if merged.get("note"):
        notes.append(merged["note"])
    status = original.status if call is None or not merged else "edited"
    rule, doc = original.rule, original.doc
    if "target" in merged and custom.is_custom(merged["target"]):
        code = custom.find(merged["target"])
        status, rule, doc = "custom", code.place, code.doc
    path = merged.get("rename", original.path)
    outputs = _places(original) if original.call is None and call is not None else original.outputs
    return replace(
        original,
        path=path,
        call=call,
        outputs=outputs,
        notes=tuple(notes),
        status=status,
        rule=rule,
        doc=doc,
    )


def _places(original: Row) -> tuple[tuple[Value, tuple[int, ...]], ...]:
    """Where a target chosen by hand gives each output: several come as a tuple in their order."""
    if original.op is None or len(original.op.outputs) < 2 or len(original.outputs) < 2:
        return original.outputs
    order = list(original.op.outputs.values())
    return tuple((value, (order.index(value),)) for value, _ in original.outputs)


def _parameter_call(mapping: Mapping, original: Row, merged: Dict[str, Any]) -> Layer:
    if merged.get("arguments"):
        raise MappingError("a stored tensor takes no arguments")
    assert isinstance(original.call, Layer)
    target = merged.get("target", original.call.target)
    layer = _with_weights(mapping, original.call, merged.get("weights", {}))
    if set(layer.weights) != {""}:
        raise MappingError("a stored tensor has one weight, called ''")
    weight, (value,) = layer.weights[""], original.values
    if weight.final_shape != value.shape:
        raise MappingError(
            f"the model reads a tensor {value.shape}, but the steps give {weight.final_shape}"
        )
    if target == "nn.Parameter" and not is_float(weight.final_dtype):
        raise MappingError(f"{weight.final_dtype} cannot be trained; keep it as a buffer")
    return replace(layer, target=target)


def _with_weights(mapping: Mapping, layer: Layer, told: Dict[str, Any]) -> Layer:
    weights = dict(layer.weights)
    for key, value in told.items():
        name = value["parameter"] if isinstance(value, Dict) else ""
        steps = value["steps"] if isinstance(value, Dict) else value
        base = weights.get(key)
        if name:
            base = _stored(mapping, name)
        if base is None:
            keys = ", ".join(filter(None, weights)) or "none"
            raise MappingError(
                f"{layer.target} has no stored weight '{key}' yet; it has {keys}",
                f"Say which: weights={{'{key}': {{'parameter': 'name', 'steps': [...]}}}}.",
            )
        try:
            weights[key] = with_steps(base, steps)
        except ValueError as error:
            raise MappingError(f"{key or 'the tensor'}: {error}") from error
    return replace(layer, weights=weights)


def _stored(mapping: Mapping, name: str) -> Weight:
    found = mapping.program.parameters.get(name)
    if found is None:
        close = difflib.get_close_matches(name, mapping.program.parameters, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else ""
        raise MappingError(f"the program has no parameter '{name}'", hint)
    return Weight(found.name, found.shape, found.dtype, (), found.trainable)


# --- what a row may read ----------------------------------------------------------------------


def check_reads(mapping: Mapping, row: Row, made: Row) -> None:
    """Raise `MappingError` when the edited row reads a value that is made later, or elsewhere."""
    new = reads_of(made.call) - reads_of(original_of(row).call)
    new -= {value for value in new if value.parameter in mapping.program.parameters}
    if not new:
        return
    seen = _visible(mapping.rows, row.path, set(mapping.program.inputs)) or set()
    for value in new - seen:
        raise MappingError(f"{value!r} is not made before this row, so the row cannot read it")


def _visible(rows: Iterable[Row], path: str, seen: set[Value]) -> set[Value] | None:
    """The values that the row of that path may read; None when it is not among the rows."""
    for row in rows:
        if row.path == path:
            return seen
        for block in row.blocks:
            inner = _visible(block.rows, path, {*block.arguments, *block.captures})
            if inner is not None:
                return inner
        seen = seen | set(row.values)
    return None


def with_parameter_rows(mapping: Mapping) -> Mapping:
    """Rows for the stored tensors that edited rows read as plain values, and no others."""
    read = {v for row in mapping.walk() for v in row.reads if row.edited and v.parameter}
    have = {
        v for row in mapping.rows if row.is_parameter and not _is_added(row) for v in row.values
    }
    wanted = {v for v in read - have if v.parameter in mapping.program.parameters}
    kept = [row for row in mapping.rows if not _is_added(row) or row.values[0] in wanted]
    there = {v for row in kept if _is_added(row) for v in row.values}
    new = sorted(wanted - there, key=lambda value: value.id)
    if not new and len(kept) == len(mapping.rows):
        return mapping
    taken = {row.path for row in mapping.walk()}
    made = []
    for value in new:
        made.append(_parameter_row(mapping, value, taken))
        taken.add(made[-1].path)
    return replace(mapping, rows=(*made, *kept))


def _is_added(row: Row) -> bool:
    return Trait.ADDED in row.traits


def _parameter_row(mapping: Mapping, value: Value, taken: set[str]) -> Row:
    weight = _stored(mapping, value.parameter)
    trainable = weight.trainable and is_float(weight.dtype)
    path = base = snake(mapping.program.structured_names.get(value.parameter, value.parameter))
    number = 0
    while path in taken:
        number += 1
        path = f"{base}_{number}"
    target = "nn.Parameter" if trainable else "buffer"
    layer = Layer(target, (), {}, {"": weight})
    return Row(path, None, layer, ((value, ()),), traits=frozenset({Trait.ADDED}))
