"""Paths of rows: where each layer, function and stored tensor stands in the module tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from workbench.conversion.attributes import Attributes, owner_of
from workbench.conversion.blocks import Blocks, Path, shared
from workbench.conversion.names import SUFFIX, Steps, dotted, parts, short_leaf, snake
from workbench.core.calls import Layer
from workbench.core.mapping import Mapping as Rows
from workbench.core.mapping import Row
from workbench.core.program import Op
from workbench.core.values import Value

#: Names that Paddle makes up for a parameter: its kind follows the last dot.
_GENERATED = re.compile(r"(.+?)_\d+\.([wb])_\d+")
_KINDS = {"w": "weight", "b": "bias"}


def named(mapping: Rows) -> Rows:
    """The mapping with a path for every row.

    Attribute paths of the Paddle model are used where they are known, unless fewer scopes would
    stand in one piece than with the scopes of the file alone.
    """
    known = mapping.program.structured_names
    plain = _named(mapping, {})
    if not known:
        return plain
    structured = _named(mapping, known)
    better = Blocks(structured.rows).count >= Blocks(plain.rows).count
    return structured if better else plain


def _named(mapping: Rows, known: Mapping[str, str]) -> Rows:
    """Layers come first, since their names end up in the state_dict; stored tensors last."""
    namer = Namer(known, mapping)
    paths: dict[int, str] = {}

    def first(rows: tuple[Row, ...], prefix: str) -> None:
        for row in rows:
            if row.is_parameter:
                weight = next(iter(row.weights.values()))
                if weight.parameter in known:
                    paths[id(row)] = namer.unique(dotted(known[weight.parameter]))
            elif row.layer is not None and row.op is not None:
                paths[id(row)] = namer.layer(row.op, row.layer, prefix)
            elif row.blocks and row.op is not None:
                paths[id(row)] = namer.function(row.op, prefix)
            for block in row.blocks:
                first(block.rows, f"{paths[id(row)]}.{block.name}.")

    def second(rows: tuple[Row, ...], prefix: str) -> tuple[Row, ...]:
        made = []
        for row in rows:
            path = paths.get(id(row), "")
            if not path and row.op is not None:
                path = namer.function(row.op, prefix)
            blocks = tuple(
                replace(block, rows=second(block.rows, f"{path}.{block.name}."))
                for block in row.blocks
            )
            made.append(replace(row, path=path, blocks=blocks))
        return tuple(made)

    first(mapping.rows, "")
    return replace(mapping, rows=_with_parameters(second(mapping.rows, ""), namer))


# --- stored tensors ---------------------------------------------------------------------------


def _with_parameters(rows: tuple[Row, ...], namer: Namer) -> tuple[Row, ...]:
    """Paths for the stored tensors that have none: in the block that alone reads them."""
    blocks = Blocks(rows)
    readers: dict[Value, list[Row]] = {}
    for row in blocks.steps:
        for value in row.reads:
            readers.setdefault(value, []).append(row)

    def path(row: Row) -> str:
        (value,) = row.values
        return namer.unique(_parameter_path(row, readers.get(value, []), blocks))

    return tuple(row if row.path else replace(row, path=path(row)) for row in rows)


def _parameter_path(row: Row, readers: list[Row], blocks: Blocks) -> str:
    (weight,) = row.weights.values()
    homes = [blocks.home(reader) for reader in readers]
    inner: Path = homes[0] if homes else ()
    for home in homes:
        inner = shared(inner, home)
    outer = inner
    while outer and not blocks.is_block(outer):
        outer = outer[:-1]
    if not outer:
        return snake(weight.parameter)
    return ".".join((*outer, _leaf(weight.parameter, inner[len(outer) :])))


def _leaf(parameter: str, inside: Path) -> str:
    """`create_parameter_3.w_0` → `weight`; inside a scope that is no block, the scope's name."""
    made = _GENERATED.fullmatch(parameter)
    if made is None:
        return snake(parameter)
    named = [step for step in inside if not step.isdigit()]
    return re.sub(r"_\d+$", "", named[-1]) if named else _KINDS[made[2]]


# --- rows -------------------------------------------------------------------------------------


class Namer:
    """Hands out unique paths. A path that is a layer never becomes a prefix of another one.

    `known` are the attribute paths of parameters in the Paddle model.
    """

    def __init__(self, known: Mapping[str, str], mapping: Rows) -> None:
        self._known = known
        self._counts: dict[str, int] = {}
        self._paths: set[str] = set()
        self._prefixes: set[str] = set()
        self._holders: set[str] = set()  # rows with blocks, which have other rows inside
        split = [parts(scope) for scope in {row.scope for row in mapping.walk() if row.scope}]
        roots = {steps[:1] for steps in split if steps}
        self._root = (
            next(iter(roots)) if len(roots) == 1 and all(len(s) > 1 for s in split if s) else ()
        )
        self._inner = {steps[:n] for steps in split for n in range(1, len(steps))}
        self._attributes = Attributes(
            (parts(row.scope), owner)
            for row in mapping.walk()
            if row.layer is not None
            and not row.is_parameter
            and (owner := owner_of(row.layer, known))
        )

    def layer(self, op: Op, layer: Layer, prefix: str = "") -> str:
        """Path for a module: its name in the Paddle model, else its scope, else its parameters'.

        `prefix` is the path of the control-flow block around it, with a dot at the end.
        """
        self._hold(prefix)
        steps = parts(op.scope)
        owner = owner_of(layer, self._known)
        if owner:
            return self.unique(prefix + dotted(".".join(self._attributes.layer(steps, owner))))
        if steps and steps not in self._inner:
            return self.unique(prefix + self._path(steps, numbered=True))
        weights = [weight for weight in layer.weights.values() if weight is not None]
        if not steps and weights:
            name = snake(SUFFIX.sub("", weights[0].parameter))
            return self.unique(prefix + short_leaf(name))
        return self.unique(prefix + self._path((*steps, op.short_name)))

    def function(self, op: Op, prefix: str = "") -> str:
        """Path for a row that is not a module: beside the layer, named like the operator."""
        self._hold(prefix)
        steps = parts(op.scope)
        if steps and steps not in self._inner and len(steps) > 1:
            steps = steps[:-1]
        return self.unique(prefix + self._path((*steps, op.short_name)))

    def unique(self, path: str) -> str:
        """The path, or one like it that nothing else has."""
        candidate = path = self._below_no_layer(path)
        while candidate in self._paths or candidate in self._prefixes:
            self._counts[path] = self._counts.get(path, 0) + 1
            candidate = f"{path}_{self._counts[path]}"
        self._paths.add(candidate)
        steps = candidate.split(".")
        self._prefixes.update(".".join(steps[:n]) for n in range(1, len(steps)))
        return candidate

    def _hold(self, prefix: str) -> None:
        """`if_1.then_branch.`: the row in front of the block's name has rows inside."""
        self._holders.add(prefix.rstrip(".").rpartition(".")[0])

    def _path(self, steps: Steps, numbered: bool = False) -> str:
        """`numbered`: a layer, which has a number where those before it in its scope have one."""
        leaf = short_leaf(snake(steps[-1]))
        found = self._attributes.scope(steps[:-1])
        if found is None:
            inside = steps[1:] if self._root and steps[:1] == self._root else steps
            return ".".join([*map(snake, inside[:-1]), leaf])
        scope, inside = found
        if numbered and not inside:
            leaf = self._attributes.next_number(scope) or leaf
        return ".".join([*filter(None, [dotted(".".join(scope))]), *map(snake, inside), leaf])

    def _below_no_layer(self, path: str) -> str:
        """The path with other names for those of its scopes that are layers or parameters."""
        steps = path.split(".")
        for length in range(1, len(steps)):
            while (scope := ".".join(steps[:length])) in self._paths and scope not in self._holders:
                steps[length - 1] = f"{scope.rpartition('.')[2]}_"
        return ".".join(steps)
