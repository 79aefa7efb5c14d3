"""Both sides of a transplant as units: whatever owns tensors, with what it read and made in a run.

A unit of the target is a module with tensors of its own. A unit of the source is a row of the
converted model: a layer, or a call that reads stored tensors. Both run in float64, so that right
weights agree to about 1e-12 and nothing has to be guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from workbench.checks.values.row_runner import wide_copy
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.targets.pytorch.weights import WeightStore

#: Modules whose children are not called as modules: their tensors belong to the whole.
WHOLE = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
#: Counters of torch's own, which no other framework keeps.
COUNTERS = ("num_batches_tracked",)


@dataclass(slots=True, eq=False)
class Unit:
    """One owner of tensors. `inputs` and `outputs` hold what each call read and made, in float64.

    `kind` is the name of the torch class or function; `settings` are what its constructor was
    given; `origin` tells for a source's tensor which stored one it is and by which steps.
    """

    path: str
    kind: str
    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    inputs: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)


# --- the target -------------------------------------------------------------------------------


def target_units(module: nn.Module) -> dict[str, Unit]:
    """The units of a module by path, in the order of its definition."""
    found: dict[str, Unit] = {}
    whole: tuple[str, ...] = ()
    for path, part in module.named_modules():
        if whole and path.startswith(whole):
            continue
        if isinstance(part, WHOLE):
            whole = (*whole, f"{path}." if path else "")
        tensors = dict(_tensors(part, isinstance(part, WHOLE)))
        if tensors:
            found[path] = Unit(path, type(part).__name__, tensors, settings_of(part))
    return found


def _tensors(part: nn.Module, inner: bool) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that a module stores itself, those of its children too where it is whole."""
    kept = part.state_dict(keep_vars=True)
    for key, tensor in kept.items():
        if (inner or "." not in key) and key.rpartition(".")[2] not in COUNTERS:
            yield key, tensor


def settings_of(part: nn.Module) -> dict[str, Any]:
    """The plain settings of a module, such as stride, eps and groups."""
    plain = (int, float, bool, str, tuple, type(None))
    return {
        name: value
        for name, value in vars(part).items()
        if isinstance(value, plain) and not name.startswith("_") and name != "training"
    }


# --- the source -------------------------------------------------------------------------------


class Source:
    """The source's side: its units in the order in which they ran, and what it gave."""

    def __init__(self, mapping: RowMapping, module: fx.GraphModule) -> None:
        self.units: dict[str, Unit] = {}
        self.outputs: tuple[torch.Tensor, ...] = ()
        self.mapping, self.module = mapping, module
        self._stored = _stored_rows(mapping)
        store = WeightStore(mapping.program.parameters)
        for row in mapping.rows:
            unit = self._unit(row, store)
            if unit is not None:
                self.units[row.path] = unit

    def _unit(self, row: Row, store: WeightStore) -> Unit | None:
        weights = dict(row.weights) if row.is_layer else {}
        if not row.is_parameter and not row.is_layer:
            for number, value in enumerate(v for v in row.reads if v.id in self._stored):
                (weights[f"tensor{number}"],) = self._stored[value.id].weights.values()
        if not weights:
            return None
        tensors = {
            key: store.get(weight, buffer=True).detach()
            for key, weight in weights.items()
            if key.rpartition(".")[2] not in COUNTERS
        }
        origin = {key: f"{weight.parameter} {weight}".strip() for key, weight in weights.items()}
        part = self.module.get_submodule(row.path) if row.is_layer else None
        settings = settings_of(part) if part is not None else dict(row.arguments)
        return Unit(row.path, row.target.rpartition(".")[2], tensors, settings, origin)

    def run(self, inputs: list[torch.Tensor]) -> None:
        """Run the converted model in float64 and keep what each unit read and made."""
        wide = wide_copy(self.module)
        assert isinstance(wide, fx.GraphModule)
        runner = _Recording(wide, self.units)
        with torch.no_grad():
            made = runner.run(*(widened(tensor) for tensor in inputs))
        self.outputs = tuple(flat(made))


def _stored_rows(mapping: RowMapping) -> dict[int, Row]:
    """The rows of bare tensors, by the number of the value that they make."""
    return {value.id: row for row in mapping.rows if row.is_parameter for value in row.values}


class _Recording(fx.Interpreter):
    """Keeps, for each row that is a unit, the first tensor that it reads and the last it makes."""

    def __init__(self, module: fx.GraphModule, units: Mapping[str, Unit]) -> None:
        super().__init__(module)
        self.units = units

    def run_node(self, n: fx.Node) -> Any:
        made = super().run_node(n)
        unit = self.units.get(str(n.meta.get("row", "")))
        if unit is None or n.op in ("placeholder", "get_attr", "output"):
            return made
        if not unit.inputs:
            read = (self.env[node] for node in n.all_input_nodes if node.op != "get_attr")
            unit.inputs += flat(tuple(read))[:1]
        unit.outputs = flat(made)[:1] or unit.outputs
        return made


# --- small helpers ----------------------------------------------------------------------------


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Float64 of a floating tensor."""
    return tensor.double() if tensor.is_floating_point() else tensor


def flat(made: Any) -> list[torch.Tensor]:
    """Every tensor in a result, in order: of a tuple, a dict, a dataclass like `ModelOutput`."""
    if isinstance(made, torch.Tensor):
        return [made]
    if isinstance(made, Mapping):
        return [tensor for part in made.values() for tensor in flat(part)]
    if isinstance(made, (tuple, list)):
        return [tensor for part in made for tensor in flat(part)]
    return []
