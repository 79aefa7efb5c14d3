"""The values from which both frameworks go back: float outputs, or what stands before an op that
Paddle has no gradient for, such as the boxes and scores before NMS.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from workbench.core.dtypes import is_float
from workbench.core.errors import InputError, RuntimeFailedError
from workbench.core.program import Program
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.interface import Runtime
from workbench.sources.registry import source_of
from workbench.targets.pytorch.control_flow import For, If, While


@dataclass(frozen=True, slots=True)
class Roots:
    """Values to differentiate; ops without gradient in Paddle, with the values that they make.

    `loops` says that loops are among these.
    """

    values: tuple[Value, ...]
    barriers: Mapping[str, tuple[Value, ...]]
    loops: bool = False

    @property
    def stops(self) -> frozenset[Value]:
        """Values behind which no gradient passes."""
        return frozenset(value for made in self.barriers.values() for value in made)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know."""
        if not self.barriers:
            return ()
        return (
            f"Paddle has no gradient for {', '.join(self.barriers)}: the values before it took "
            "the place of what comes after, and no gradient passes there.",
        )


def find_roots(runtime: Runtime, program: Program, made: Iterable[Value]) -> Roots:
    """Ask Paddle where a backward pass begins; `made` are the values that our rows make.

    Raises `InputError` when there is nothing to differentiate, `RuntimeFailedError` when Paddle
    cannot load the program.
    """
    if program.source is None:
        raise RuntimeFailedError("The program has no file, so Paddle cannot run it.")
    floats = [value for value in dict.fromkeys(program.outputs) if is_float(value.dtype)]
    floats = [value for value in floats if value.id in program.positions]
    if not floats:
        raise InputError("The model has no float output, so there is nothing to differentiate.")
    start = runtime.backward_start(program, floats)
    known = {program.positions[v.id]: v for v in made if v.id in program.positions}
    values = [known[place] for place in start.roots if place in known]
    values = [value for value in values if is_float(value.dtype) and value not in program.inputs]
    barriers = {
        name: tuple(known[place] for place in places if place in known)
        for name, places in start.barriers.items()
    }
    if not values:
        why = f"Paddle has no gradient for {', '.join(barriers)}" if barriers else "none is reached"
        raise InputError(f"No output can be differentiated: {why}.")
    rules = source_of(program).rules
    loops = any(Trait.LOOP in rules.traits_of(name) for name in barriers)
    return Roots(tuple(dict.fromkeys(values)), barriers, loops)


def rooted(module: fx.GraphModule, roots: Roots) -> fx.GraphModule:
    """A copy that returns the roots, a tuple, and passes no gradient where Paddle has none."""
    made = copy.deepcopy(module)
    for node in without_gradient(made, roots):
        target = str(node.target)
        made.set_submodule(target, _NoGradient(made.get_submodule(target)))
    nodes: dict[Value, fx.Node] = {}
    for node in list(made.graph.nodes):
        value = node.meta.get("value")
        if not isinstance(value, Value):
            continue
        if value in roots.stops:
            with made.graph.inserting_after(node):
                stopped = made.graph.call_method("detach", (node,))
            node.replace_all_uses_with(stopped, lambda user, kept=stopped: user is not kept)
        nodes.setdefault(value, node)
    output = next(node for node in reversed(made.graph.nodes) if node.op == "output")
    output.args = (tuple(nodes[value] for value in roots.values),)
    _drop_what_follows(made, {nodes[value] for value in roots.stops if value in nodes})
    made.recompile()
    return made


class _NoGradient(nn.Module):
    """Runs a loop, whose values carry no gradient in Paddle."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *inputs: Any) -> Any:
        with torch.no_grad():
            return self.part(*inputs)


def without_gradient(module: fx.GraphModule, roots: Roots) -> set[fx.Node]:
    """Nodes of loops, when Paddle has no gradient for loops."""
    if not roots.loops:
        return set()
    found = set()
    for node in module.graph.nodes:
        if node.op == "call_module":
            part = module.get_submodule(str(node.target))
            found |= {node} if isinstance(part, (While, For)) else set()
    return found


def _drop_what_follows(module: fx.GraphModule, barriers: set[fx.Node]) -> None:
    """Remove operators without gradient, and what follows them, where no root needs them.

    Loops and branches stay, and so do tensor arrays, into which they write.
    """
    behind = set(barriers)
    for node in module.graph.nodes:
        if behind.intersection(node.all_input_nodes):
            behind.add(node)

    def kept(node: fx.Node) -> bool:
        if node.op in ("placeholder", "output"):
            return True
        part = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        arrays = getattr(node.target, "__module__", "").endswith("functions.arrays")
        return node not in behind or arrays or isinstance(part, (If, While, For, _NoGradient))

    module.graph.eliminate_dead_code(kept)
