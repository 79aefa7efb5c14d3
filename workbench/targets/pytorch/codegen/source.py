"""The whole `model.py`: header, imports, helpers, classes, loading."""

from __future__ import annotations

from collections.abc import Mapping as Table
from typing import Any

from workbench.core.calls import Dtype
from workbench.core.identifiers import is_plain
from workbench.core.mapping import Mapping, Row
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.codegen.classes import ClassBuilder, GeneratedClass, Made, hoist
from workbench.targets.pytorch.codegen.expressions import alike, literal
from workbench.targets.pytorch.codegen.helpers import helper_source, own_names
from workbench.targets.pytorch.codegen.layout import wrap
from workbench.targets.pytorch.codegen.plan import make_plan
from workbench.targets.pytorch.codegen.text import docstring, dotted, quoted
from workbench.targets.pytorch.modules import make_module
from workbench.targets.pytorch.reserved import IMPORTS
from workbench.targets.pytorch.signatures import REQUIRED, signature_of

_SCOPE = '''class Scope(nn.Module):
    """Holds layers under their names; it computes nothing itself."""

    def __init__(self, /, **parts):
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                self.add_module(name, part)
            elif isinstance(part, nn.Parameter):
                self.register_parameter(name, part)
            else:
                self.register_buffer(name, part)
'''
_ADDING = {"buffer": "register_buffer", "parameter": "register_parameter"}
#: Types of arguments that may be left out where they are torch's default.
_WRITTEN = (bool, int, float, complex, str, tuple, list, type(None))
#: How `load` reads the weights: one file, or those that an index lists.
_WHOLE = ("    state = {key: tensor.clone() for key, tensor in load_file(weights).items()}",)
_SHARDED = (
    "    files = [weights]",
    '    if weights.suffix == ".json":',
    '        places = json.loads(weights.read_text("utf-8"))["weight_map"]',
    "        files = [weights.with_name(name) for name in sorted(set(places.values()))]",
    "    state = {}",
    "    for file in files:",
    "        state.update({key: tensor.clone() for key, tensor in load_file(file).items()})",
)
_STATISTICS = ("running_mean", "running_var")


def generate(
    mapping: Mapping, header: str, class_name: str = "Model", weights: str = "model.safetensors"
) -> str:
    """Source of the converted model as a person would write it.

    One class per distinct scope; the state_dict keys are those of the module that `build` makes.
    `weights` is the file beside the source that `load` reads: safetensors, or the `.json` index of
    several.
    """
    own = _own_code(mapping)
    builder = ClassBuilder(mapping, class_name, own_names(own))
    classes = builder.build(make_plan(mapping.rows, mapping.program.outputs))
    hoist(classes)
    helpers, imports = helper_source(builder.helpers, own)
    body = [_class(cls) for cls in classes]
    text = "\n\n".join(body)
    if "Scope(" in text:
        body.insert(0, _SCOPE)
    lines = {IMPORTS[name] for name in ("torch", "nn", *builder.modules) if name in IMPORTS}
    lines |= imports
    lines.add("from safetensors.torch import load_file")
    lines.add("from pathlib import Path")
    if weights.endswith(".json"):
        lines.add("import json")
    parts = [_sorted_imports(lines), *([helpers] if helpers else [])]
    parts += [*body, _loading(mapping, class_name, weights)]
    joined = "\n\n\n".join(part.strip("\n") for part in parts)
    return f"{docstring(header)}\n\n{joined}\n"


def _own_code(mapping: Mapping) -> tuple[str, ...]:
    """The custom targets of all rows, in the order in which they are first used."""
    found = (target for row in mapping.walk() for target in custom.used_in(row.call))
    return tuple(dict.fromkeys(found))


def _sorted_imports(lines: set[str]) -> str:
    own = sorted(
        line
        for line in lines
        if line.split()[1].split(".")[0] not in ("torch", "torchvision", "safetensors")
    )
    other = sorted(lines - set(own), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*own, *([""] if own else []), *other])


def _class(cls: GeneratedClass) -> str:
    first = cls.instances[0]
    arguments = list(dict.fromkeys(cls.hoisted.values()))
    lines = [f"class {cls.name}(nn.Module):"]
    if first.made:
        signature = ", ".join(["self", *arguments])
        lines += [f"    def __init__({signature}):", "        super().__init__()"]
        for name, made in first.made.items():
            text = _made(made, cls, (name,))
            if is_plain(name) and made.kind != "buffer":
                lines.append(f"        self.{name} = {text}")
            else:
                add = _ADDING.get(made.kind, "add_module")
                lines.append(f"        self.{add}({quoted(name)}, {text})")
        lines.append("")
    lines.append(f"    def forward({', '.join(['self', *first.inputs])}):")
    lines += [f"        {line}" for line in first.body]
    return "\n".join(wrap(line) for line in lines)


def _made(made: Made, cls: GeneratedClass, place: tuple[str, ...]) -> str:
    """Constructor expression of one attribute."""

    def value(name: str, given: Any) -> str:
        return cls.hoisted.get((place, name)) or literal(given)

    if made.kind in ("parameter", "buffer"):
        return _empty(made, value)
    if made.kind == "class" and made.instance and made.instance.cls:
        inside = ", ".join(f"{k}={value(k, v)}" for k, v in made.instance.values.items())
        return f"{made.instance.cls.name}({inside})"
    if made.kind == "layer":
        return _layer(made, cls, place)
    children = {name: _made(child, cls, (*place, name)) for name, child in made.children.items()}
    if made.kind == "list":
        ordered = [children[str(number)] for number in range(len(children))]
        if len(ordered) >= 3 and len(set(ordered)) == 1:
            return f"nn.ModuleList({ordered[0]} for _ in range({len(ordered)}))"
        return f"nn.ModuleList([{', '.join(ordered)}])"
    if made.kind == "dict":
        inside = ", ".join(f"{quoted(name)}: {text}" for name, text in children.items())
        return f"nn.ModuleDict({{{inside}}})"
    if all(is_plain(name) for name in children):
        return f"Scope({', '.join(f'{name}={text}' for name, text in children.items())})"
    inside = ", ".join(f"{quoted(name)}: {text}" for name, text in children.items())
    return f"Scope(**{{{inside}}})"


def _empty(made: Made, value: Any) -> str:
    shape = value("shape", made.arguments["shape"])
    dtype = made.arguments["dtype"]
    if shape.startswith("(") and shape != "()":
        shape = shape[1:-1].rstrip(",")
    more = "" if dtype == "float32" else f", dtype={literal(Dtype(dtype))}"
    text = f"torch.empty({shape}{more})"
    return f"nn.Parameter({text})" if made.kind == "parameter" else text


def _layer(made: Made, cls: GeneratedClass, place: tuple[str, ...]) -> str:
    signature = signature_of(made.target)
    defaults: Table[str, Any] = {a.name: a.default for a in signature.arguments}
    required = [a.name for a in signature.arguments if a.default is REQUIRED]
    leading = [name for name in required if name in made.arguments]
    parts = []
    for name, given in made.arguments.items():
        hoisted = cls.hoisted.get((place, name))
        if hoisted is None and name in defaults and _is_default(defaults[name], given):
            continue
        text = hoisted or literal(given)
        parts.append(text if name in leading else f"{dotted(name)}={text}")
    target = made.target.removeprefix("fn.").removeprefix(custom.PREFIX)
    return f"{dotted(target)}({', '.join(parts)})"


def _is_default(default: Any, given: Any) -> bool:
    return isinstance(default, _WRITTEN) and alike(default, given)


def _loading(mapping: Mapping, class_name: str, weights: str) -> str:
    ties, frozen = tied_keys(mapping), _frozen(mapping)
    lines = []
    if ties:
        lines.append("# Parameters that Paddle shares between layers: stored once.")
        lines.append(f"TIED = {_table(ties)}\n\n")
    lines += [
        f"def load(weights=Path(__file__).with_name({quoted(weights)})):",
        '    """The model with its weights, in eval mode."""',
        f"    model = {class_name}()",
        *(_SHARDED if weights.endswith(".json") else _WHOLE),
    ]
    if ties:
        lines.append("    state.update({copy: state[original] for copy, original in TIED.items()})")
    lines.append("    model.load_state_dict(state, assign=True)")
    for copy, original in ties.items():
        lines.append(f"    _tie(model, {quoted(copy)}, {quoted(original)})")
    if frozen:
        lines.append("    # Paddle does not train these.")
        lines.append(f"    for name in {_listed(frozen)}:")
        lines.append("        model.get_parameter(name).requires_grad_(False)")
    lines.append("    return model.eval()")
    if ties:
        lines += ["", "", "def _tie(model, copy, original):"]
        lines += ['    """Let two layers share one parameter."""']
        lines += ['    owner, _, name = copy.rpartition(".")']
        lines += ["    setattr(model.get_submodule(owner), name, model.get_parameter(original))"]
    return "\n".join(wrap(line) for line in lines)


def tied_keys(mapping: Mapping) -> dict[str, str]:
    """Keys of parameters that repeat an earlier one, and are not stored: {copy: original}."""
    first: dict[Any, str] = {}
    ties: dict[str, str] = {}
    for key, weight, buffer in state_weights(mapping):
        if buffer:
            continue
        if weight in first:
            ties[key] = first[weight]
        else:
            first[weight] = key
    return ties


def _frozen(mapping: Mapping) -> list[str]:
    ties = tied_keys(mapping)
    return [
        key
        for key, weight, buffer in state_weights(mapping)
        if not buffer and not weight.trainable and key not in ties
    ]


def state_weights(mapping: Mapping) -> list[tuple[str, Any, bool]]:
    """(state_dict key, weight, is it a buffer) for every stored tensor of the model."""
    found = []
    for row in mapping.walk():
        buffers = _buffers(row)
        for key, weight in row.weights.items():
            name = f"{row.path}.{key}" if key else row.path
            found.append((name, weight, key in buffers))
    return found


def _buffers(row: Row) -> set[str]:
    """The keys of a row's weights that are buffers."""
    if row.layer is not None and custom.is_custom(row.target):
        return set(dict(make_module(row.layer).named_buffers()))
    return {key for key in row.weights if row.target == "buffer" or key in _STATISTICS}


def _table(entries: Table[str, str]) -> str:
    pairs = ((quoted(key), quoted(value)) for key, value in entries.items())
    inside = "".join(f"    {key}: {value},\n" for key, value in pairs)
    return "{\n" + inside + "}"


def _listed(names: list[str]) -> str:
    return "(" + ", ".join(map(quoted, names)) + ("," if len(names) == 1 else "") + ")"
