"""Replace a whole scope of rows by one module, for instance by a class of one's own."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.core.calls import Layer, Weight
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.core.program import Op
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.editing.weight_steps import with_steps
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.modules import make_module
from workbench.targets.pytorch.resolve import is_layer


@dataclass(frozen=True, slots=True)
class Replacement:
    """Scopes whose path matches `scope` (`*` stands for anything) become `target(**arguments)`.

    `weights` says for a key of the new module where its tensor comes from, as `"conv.weight"` or
    `["conv.weight", "transposed"]`: a key inside the old scope, then further steps. A key that the
    old scope has too needs no entry.
    """

    scope: str
    target: str
    arguments: Dict[str, Any] = field(default_factory=dict)
    weights: Dict[str, Any] = field(default_factory=dict)


def replace_scopes(mapping: Mapping, wanted: Replacement) -> Mapping:
    """The mapping with one row in place of each matching scope.

    Raises `MappingError` when nothing matches, the rows cannot run as one, or the weights of the
    new module are not all known.
    """
    if not is_layer(wanted.target):
        raise MappingError(
            f"{wanted.target} is not a module class", "A scope is replaced by one module."
        )
    found = [path for path in _scopes(mapping) if fnmatch.fnmatchcase(path, wanted.scope)]
    outer = [p for p in found if not any(p.startswith(f"{other}.") for other in found)]
    if not outer:
        raise MappingError(
            f"no scope is called '{wanted.scope}'",
            f"The scopes are {', '.join(list(_scopes(mapping))[:12])} …",
        )
    for path in outer:
        mapping = _replaced(mapping, path, wanted)
    return mapping


def _scopes(mapping: Mapping) -> dict[str, None]:
    """Every path that holds rows, outer before inner."""
    found: dict[str, None] = {}
    for row in mapping.rows:
        steps = row.path.split(".")[:-1]
        found.update(dict.fromkeys(".".join(steps[: n + 1]) for n in range(len(steps))))
    return found


def _replaced(mapping: Mapping, path: str, wanted: Replacement) -> Mapping:
    inside = _inside(mapping, path)
    if not inside:
        raise MappingError(f"{path} holds nothing that runs")
    chosen = {id(row) for row in inside}
    outside = [row for row in mapping.rows if id(row) not in chosen]
    stored = _own_parameters(mapping, inside, outside)
    row = _one_row(mapping, path, wanted, inside, outside, stored)
    gone = chosen - {id(inside[-1])} | {id(row) for row in stored}
    rows = (row if old is inside[-1] else old for old in mapping.rows if id(old) not in gone)
    return replace(mapping, rows=tuple(rows))


def _one_row(
    mapping: Mapping, path: str, wanted: Replacement, inside: list[Row], outside: list[Row],
    stored: list[Row],
) -> Row:  # fmt: skip
    """The row of the new module: it reads what the scope reads, makes what others read of it."""
    old = [*inside, *stored]
    made = {value for row in old for value in row.values}
    reads = tuple(dict.fromkeys(v for row in inside for v in row.reads if v not in made))
    later = {v for row in outside for v in row.reads} | set(mapping.program.outputs)
    writes = tuple(v for row in inside for v in row.values if v in later)
    _check_order(mapping, path, inside, set(writes))
    layer, notes = _layer(path, wanted, reads, old)
    places = ((),) if len(writes) == 1 else tuple((i,) for i in range(len(writes)))
    return Row(
        path, _op(path, inside, reads, writes), layer, tuple(zip(writes, places, strict=True)),
        "custom", notes, *_origin(wanted.target),
        traits=frozenset[Trait]().union(*(row.traits for row in old)),
    )  # fmt: skip


def _inside(mapping: Mapping, path: str) -> list[Row]:
    """The rows of a scope: those below its path, and functions with the same scope in Paddle.

    In a model with names of its own, layers are called by those, functions by Paddle's scopes.
    """
    steps = [row for row in mapping.rows if not row.is_parameter]
    below = [row for row in steps if row.path.startswith(f"{path}.")]
    common = _common([row.scope for row in below])
    same = [row for row in steps if common and row.scope.startswith(common)]
    if all(row in below for row in same if row.is_layer):
        below = [row for row in steps if row in below or row in same]
    return below


def _own_parameters(mapping: Mapping, inside: list[Row], outside: list[Row]) -> list[Row]:
    """Rows of stored tensors that only the scope reads: the new module gets them as weights."""
    read = {value for row in inside for value in row.reads}
    elsewhere = {value for row in outside for value in row.reads} | set(mapping.program.outputs)
    rows = [row for row in mapping.rows if row.is_parameter]
    return [row for row in rows if set(row.values) <= read and not set(row.values) & elsewhere]


def _check_order(mapping: Mapping, path: str, inside: list[Row], writes: set[Value]) -> None:
    """The new row stands where the last old one stood; nothing before may need its results."""
    chosen, last = {id(row) for row in inside}, inside[-1]
    for row in mapping.rows:
        if row is last:
            return
        early = next((value for value in row.reads if value in writes), None)
        if id(row) not in chosen and early is not None:
            raise MappingError(
                f"{path} cannot run as one: {row.path} needs a result of it before it is done",
                "Replace an inner scope, or the scope around both.",
            )


def _op(path: str, inside: list[Row], reads: tuple[Value, ...], writes: tuple[Value, ...]) -> Op:
    ops = [op for row in inside if row.op for op in (row.op.merged or (row.op,))]
    common = _common([row.scope for row in inside])
    inputs = {f"input_{number}": value for number, value in enumerate(reads)}
    outputs = {f"out_{number}": value for number, value in enumerate(writes)}
    return Op(
        "workbench.scope", inputs, outputs, {}, ops[0].index, common or path, merged=tuple(ops)
    )


def _common(scopes: list[str]) -> str:
    """What all scope paths begin with."""
    split = [scope.strip("/").split("/") for scope in scopes]
    same = []
    for steps in zip(*split, strict=False):
        if len(set(steps)) > 1:
            break
        same.append(steps[0])
    return f"/{'/'.join(same)}/" if same and same[0] else ""


def _layer(
    path: str, wanted: Replacement, reads: tuple[Value, ...], rows: list[Row]
) -> tuple[Layer, tuple[str, ...]]:
    """The call of the new module with all its weights, and notes on what became of the old."""
    old = _old_weights(path, rows)
    bare = Layer(wanted.target, reads, dict(wanted.arguments))
    module = make_module(bare)
    shapes, buffers = custom.stored_keys(module)
    unknown = set(wanted.weights) - set(shapes) - buffers
    if unknown:
        raise MappingError(
            f"{wanted.target} has no weight {', '.join(map(repr, sorted(unknown)))}",
            f"It has {', '.join(shapes)}.",
        )
    weights = {
        key: _weight(key, wanted, old)
        for key in (*shapes, *sorted(buffers - set(shapes)))
        if key in shapes or key in wanted.weights or key in old
    }
    state = module.state_dict()
    for key, weight in weights.items():
        if weight.final_shape != tuple(state[key].shape):
            raise MappingError(
                f"{key} of {wanted.target} is {tuple(state[key].shape)}, but {weight.parameter} "
                f"gives {weight.final_shape}",
                "Add a step: weights={'" + key + "': ['old.key', 'transposed']}.",
            )
    used = {weight.parameter for weight in weights.values()}
    left = [key for key, weight in old.items() if weight.parameter not in used]
    notes = [f"replaces {len(rows)} rows"]
    notes += [f"without {', '.join(left)}"] if left else []
    return replace(bare, weights=weights), tuple(notes)


def _old_weights(path: str, rows: list[Row]) -> dict[str, Weight]:
    """The weights of the scope by their key inside it."""
    found: dict[str, Weight] = {}
    for row in rows:
        for key, weight in row.weights.items():
            full = f"{row.path}.{key}" if key else row.path
            found[full.removeprefix(f"{path}.")] = weight
    return found


def _weight(key: str, wanted: Replacement, old: Dict[str, Weight]) -> Weight:
    given = wanted.weights.get(key, key)
    name, *steps = [given] if isinstance(given, str) else list(given)
    if name not in old:
        raise MappingError(
            f"{wanted.target} needs a weight for '{key}', and the scope has no '{name}'",
            f"The scope has {', '.join(old) or 'none'}; say which: weights={{'{key}': '…'}}.",
        )
    try:
        return with_steps(old[name], [*map(str, old[name].steps), *steps])
    except ValueError as error:
        raise MappingError(f"{key} of {wanted.target}: {error}") from error


def _origin(target: str) -> tuple[str, str]:
    """Place and description of the code."""
    if not custom.is_custom(target):
        return "", ""
    code = custom.find(target)
    return code.place, code.doc
