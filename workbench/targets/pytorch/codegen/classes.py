"""Classes of the generated source: equal scopes share one, what differs becomes a constructor
argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from workbench.conversion.blocks import Path, prefixes, shared
from workbench.conversion.names import Steps, parts
from workbench.core.identifiers import folded, is_plain
from workbench.core.mapping import Mapping, Row, walk_rows
from workbench.targets.pytorch.codegen.body import Body
from workbench.targets.pytorch.codegen.expressions import alike
from workbench.targets.pytorch.codegen.plan import Part
from workbench.targets.pytorch.codegen.text import attribute, quoted, variable
from workbench.targets.pytorch.signatures import signature_of


@dataclass
class Made:
    """What one attribute is built from: a layer, a parameter, another class, or a holder."""

    kind: str  # layer | parameter | buffer | class | list | dict | scope
    target: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Made] = field(default_factory=dict)
    instance: Instance | None = None


@dataclass
class Instance:
    """One scope on its way to a class."""

    path: Path
    base: str
    inputs: list[str]
    body: list[str]
    made: dict[str, Made]
    values: dict[str, Any] = field(default_factory=dict)
    cls: GeneratedClass | None = None

    def leaves(self) -> Iterator[tuple[tuple[str, ...], Made, str]]:
        """Every constructor argument: (place, owner, argument name)."""
        yield from _leaves(self.made, ())


@dataclass
class GeneratedClass:
    """A class with its instances; `hoisted` maps places to constructor arguments."""

    name: str
    instances: list[Instance]
    hoisted: dict[tuple[tuple[str, ...], str], str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)


def _leaves(
    made: dict[str, Made], prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Made, str]]:
    for name, item in made.items():
        place = (*prefix, name)
        arguments = item.instance.values if item.instance else item.arguments
        for argument in arguments:
            yield place, item, argument
        yield from _leaves(item.children, place)


def _attributes(mapping: Mapping) -> Iterator[Row]:
    """Layers and stored tensors, in the order in which they are used."""
    waiting = {value: row for row in mapping.rows if row.is_parameter for value in row.values}
    for row in mapping.rows:
        if not row.is_parameter:
            yield from (waiting.pop(value) for value in row.reads if value in waiting)
            yield from (part for part in walk_rows((row,)) if part.is_layer)
    yield from waiting.values()


class ClassBuilder:
    """Turns the plan into classes, innermost first."""

    def __init__(self, mapping: Mapping, root_name: str, taken: frozenset[str]) -> None:
        self.mapping = mapping
        self.root_name = root_name
        self.parameters = tuple(row for row in mapping.rows if row.is_parameter)
        self.rows = list(_attributes(mapping))
        scopes = [parts(row.scope) for row in mapping.walk()]
        self.around = {scope for steps in scopes for scope in prefixes(steps[:-1])}
        self.children = self._children()
        self.groups: dict[str, GeneratedClass] = {}
        self.order: list[GeneratedClass] = []
        self.taken = taken
        self.used = {root_name, *taken}
        self.helpers: set[str] = set()
        self.modules: set[str] = set()

    def build(self, plan: Part) -> list[GeneratedClass]:
        """All classes, the model last."""
        self._part(plan)
        return self.order

    # --- tree of attributes ---------------------------------------------------------------------

    def _children(self) -> dict[Path, list[str]]:
        found: dict[Path, dict[str, None]] = {}
        for row in self.rows:
            path = tuple(row.path.split("."))
            for length in range(len(path)):
                found.setdefault(path[:length], {}).setdefault(path[length])
        return {path: list(names) for path, names in found.items()}

    def holder(self, path: Path) -> str:
        """How a scope without a class of its own is held: list, dict or scope."""
        names = self.children.get(path, [])
        digits = sorted(int(name) for name in names if name.isdigit())
        modules = all(
            (*path, name) in self.children or self._is_layer((*path, name)) for name in names
        )
        if len(digits) != len(names) or not modules:
            return "scope"
        return "list" if digits == list(range(len(digits))) else "dict"

    def _is_layer(self, path: Path) -> bool:
        joined = ".".join(path)
        return any(row.path == joined and not row.is_parameter for row in self.rows)

    def access(self, owner: Path, path: str) -> str:
        """How code inside `owner` writes the attribute at `path`."""
        text, here = "self", owner
        for step in path.split(".")[len(owner) :]:
            kind = self.holder(here) if here != owner else "scope"
            if kind == "list":
                text += f"[{step}]"
            elif kind == "dict":
                text += f"[{quoted(step)}]"
            else:
                text = attribute(text, step)
            here = (*here, step)
        return text

    # --- instances ------------------------------------------------------------------------------

    def _part(self, part: Part) -> Instance:
        inner = {item.path: self._part(item) for item in part.items if isinstance(item, Part)}
        own = tuple(
            row
            for row in self.parameters
            if tuple(row.path.split("."))[: len(part.path)] == part.path
        )
        scoped = Part(part.path, part.items, part.reads, part.writes, own)
        inputs = self.mapping.program.inputs if not part.path else part.reads
        results = self.mapping.program.outputs if not part.path else part.writes
        body = Body(
            scoped,
            lambda path: self.access(part.path, path),
            inputs,
            self._size(part.path),
            self.taken,
        )
        names, lines = body.write(results)
        self.helpers |= body.expressions.helpers
        self.modules |= body.expressions.modules
        made = self._made(part.path, inner)
        instance = Instance(part.path, self._base(part), names, lines, made)
        self._assign(instance)
        return instance

    def _size(self, owner: Path) -> Any:
        return lambda holder: len(self.children.get((*owner, *holder.split(".")), ()))

    def _base(self, part: Part) -> str:
        if not part.path:
            return self.root_name
        scope = self._scope(part)
        words = [scope[-1]] if scope else [step for step in part.path if not step.isdigit()]
        return _class_name(re.sub(r"_?\d+$", "", words[-1] if words else "block"))

    def _scope(self, part: Part) -> Steps:
        """The call of Paddle's class that a part is: what the scopes of its rows share."""
        scopes = [parts(row.scope) for row in part.rows() if row.scope]
        found = reduce(shared, scopes) if scopes else ()
        if found and any(row.is_layer and parts(row.scope) == found for row in part.rows()):
            found = found if found in self.around else found[:-1]
        inner = (self._scope(item) for item in part.items if isinstance(item, Part))
        return found[:-1] if found in inner else found

    def _made(self, path: Path, inner: dict[Path, Instance]) -> dict[str, Made]:
        return {name: self._one((*path, name), inner) for name in self.children.get(path, ())}

    def _one(self, path: Path, inner: dict[Path, Instance]) -> Made:
        if path in inner:
            return Made("class", instance=inner[path])
        joined = ".".join(path)
        row = next((row for row in self.rows if row.path == joined), None)
        if row is not None:
            return self._leaf(row)
        found = {name: self._one((*path, name), inner) for name in self.children.get(path, ())}
        return Made(self.holder(path), children=found)

    def _leaf(self, row: Row) -> Made:
        if row.is_parameter:
            (weight,) = row.weights.values()
            kind = "buffer" if row.target == "buffer" else "parameter"
            return Made(kind, "", {"shape": weight.final_shape, "dtype": weight.final_dtype})
        layer = row.layer
        assert layer is not None
        head, _, rest = layer.target.partition(".")
        if head == "fn":
            self.helpers.add(rest)
        elif head != "custom":
            self.modules.add(head)
        return Made("layer", layer.target, _full_arguments(layer.target, dict(layer.arguments)))

    # --- sharing classes ------------------------------------------------------------------------

    def _assign(self, instance: Instance) -> None:
        key = repr((instance.base, instance.inputs, instance.body, _skeleton(instance.made)))
        group = self.groups.get(key)
        if group is None:
            name = self._unique(instance.base) if instance.path else self.root_name
            group = self.groups[key] = GeneratedClass(name, [])
            self.order.append(group)
        group.instances.append(instance)
        instance.cls = group
        instance.values = {
            _key(place, argument): _value(owner, argument)
            for place, owner, argument in instance.leaves()
        }

    def _unique(self, base: str) -> str:
        name = variable(base, self.used)
        self.used.add(name)
        return name


def hoist(classes: list[GeneratedClass]) -> None:
    """Turn what differs between the instances of a class into constructor arguments.

    Runs innermost first: afterwards `instance.values` of an instance holds its constructor
    arguments.
    """
    for cls in classes:
        tables = [
            {_key(p, a): (p, a, _value(o, a)) for p, o, a in instance.leaves()}
            for instance in cls.instances
        ]
        names: dict[str, str] = {}
        columns: dict[str, str] = {}
        for key, (place, argument, _) in tables[0].items():
            column = [table[key][2] for table in tables]
            if all(alike(value, column[0]) for value in column):
                continue
            same = columns.get(repr(column))
            if same is None:
                same = _argument_name(place, argument, set(columns.values()))
                columns[repr(column)] = same
            names[key] = same
            cls.hoisted[(place, argument)] = same
        for instance, table in zip(cls.instances, tables, strict=True):
            instance.values = {names[key]: table[key][2] for key in names}


def _argument_name(place: tuple[str, ...], argument: str, taken: set[str]) -> str:
    words = [folded(step) for step in place if not step.isdigit()]
    for name in (argument, "_".join([*words[-1:], argument]), "_".join([*words, argument])):
        if variable(name, taken) == name:
            return name
    return variable(argument, taken)


def _skeleton(made: dict[str, Made]) -> Any:
    """Structure without the argument values."""
    return [
        (
            name,
            item.kind,
            item.target,
            item.instance.cls.name if item.instance and item.instance.cls else "",
            sorted(item.arguments),
            _skeleton(item.children),
        )
        for name, item in made.items()
    ]


def _key(place: tuple[str, ...], argument: str) -> str:
    return "/".join((*place, argument))


def _value(owner: Made, argument: str) -> Any:
    return (owner.instance.values if owner.instance else owner.arguments)[argument]


def _full_arguments(target: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with the defaults filled in, so that equal layers have equal arguments."""
    known = {a.name: a.default for a in signature_of(target).arguments if not a.hidden}
    for name, default in known.items():
        if name not in arguments and isinstance(default, (bool, int, float, str)):
            arguments[name] = default
    order = list(known)
    return dict(sorted(arguments.items(), key=lambda p: order.index(p[0]) if p[0] in order else 99))


def _class_name(name: str) -> str:
    words = [word for word in folded(name).split("_") if word]
    name = folded("".join(word[0].upper() + word[1:] for word in words)) or "Block"
    return name if is_plain(name) else f"Block{name}"
