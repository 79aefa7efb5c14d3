"""The module against the mapping and the model file: what was changed since it was built.

Numbers on sample inputs cannot show everything. A weight that only meets zeros, or a bound that no
activation reaches, may be wrong unseen. So the module is also compared with what the mapping
builds: node by node, setting by setting, and every tensor with the model file, bit by bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from workbench.checks.values.tensor_changes import tensor_difference
from workbench.core.calls import Weight
from workbench.core.dtypes import is_float
from workbench.core.mapping import Mapping
from workbench.core.values import Value
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.control_flow import For, If, While
from workbench.targets.pytorch.resolve import torch_dtype
from workbench.targets.pytorch.weights import WeightStore, as_tensor

#: Settings that change nothing in evaluation.
_IDLE = {
    "inplace", "momentum", "track_running_stats", "sparse", "scale_grad_by_freq", "training",
    "num_batches_tracked", "device", "dtype",
}  # fmt: skip
#: Layers that compute something else in training mode.
_MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, nn.RReLU)
_CONTROL = (If, While, For)
_OWN = set(vars(nn.Module()))


@dataclass(frozen=True, slots=True)
class Integrity:
    """What of a module is not as its mapping says.

    `changes` tells it in words by row path; `orphans` are rows that read what another row no longer
    makes, by that row, and are not to blame themselves. `rows` and `values` say for the nodes that
    the mapping does not know to which row they belong and which program value they stand for now.
    """

    changes: dict[str, str] = field(default_factory=dict)
    rows: dict[fx.Node, str] = field(default_factory=dict)
    values: dict[fx.Node, Value | None] = field(default_factory=dict)
    orphans: dict[str, str] = field(default_factory=dict)


def check_integrity(mapping: Mapping, module: fx.GraphModule) -> Integrity:
    """Compare a module with what its mapping and the model file say.

    Raises `ConversionError` or `MappingError` when the mapping cannot be built.
    """
    store = _Shapes(mapping)
    expected = build(mapping, weights=store)
    comparison = _Comparison(store)
    comparison.graphs(expected, module)
    comparison.shared(expected, module)
    changes = {row: "; ".join(dict.fromkeys(told)) for row, told in comparison.found.items()}
    return Integrity(changes, comparison.rows, comparison.values, comparison.orphans)


class _Shapes(WeightStore):
    """Weights of the right shape and dtype that take no memory, and where they come from."""

    def __init__(self, mapping: Mapping) -> None:
        super().__init__(mapping.program.parameters)
        self._sources: dict[int, Weight] = {}

    def get(self, weight: Weight, buffer: bool) -> torch.Tensor:
        key = (weight, buffer)
        if key not in self._made:
            tensor = torch.zeros((), dtype=torch_dtype(weight.final_dtype))
            tensor = tensor.expand(weight.final_shape)
            if not buffer:
                trainable = weight.trainable and is_float(weight.final_dtype)
                tensor = nn.Parameter(tensor, requires_grad=trainable)
            self._made[key] = tensor
            self._sources[id(tensor)] = weight
        return self._made[key]

    def stored(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The file's tensor after the weight steps, to be read only; None when no file gives it."""
        weight = self._sources.get(id(tensor))
        if weight is None:
            return None
        array = weight.apply(self._parameters[weight.parameter].data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of read-only memory
            return as_tensor(array, weight.final_dtype, copy=False)


class _Comparison:
    def __init__(self, store: _Shapes) -> None:
        self.store = store
        self.found: dict[str, list[str]] = {}
        self.rows: dict[fx.Node, str] = {}
        self.values: dict[fx.Node, Value | None] = {}
        self.orphans: dict[str, str] = {}
        self._done: set[tuple[str, str]] = set()

    def tell(self, row: str, problem: str) -> None:
        self.found.setdefault(row, []).append(problem)

    # --- graphs ---------------------------------------------------------------------------------

    def graphs(self, expected: fx.GraphModule, actual: nn.Module, where: str = "") -> None:
        """Every node and what it calls; `where` is the row of a block."""
        if not isinstance(actual, fx.GraphModule):
            self.tell(where, f"is a {type(actual).__name__} now")
            return
        names = _adopt(expected.graph, actual.graph)
        known = {node.name: node for node in expected.graph.nodes}
        nodes = {names[n.name]: n for n in actual.graph.nodes if n.name in names}
        nodes |= {n.name: n for n in actual.graph.nodes if n.name in known}
        for node in expected.graph.nodes:
            row = self._row(node, known) or where
            mine = nodes.get(node.name)
            if mine is None:
                self.tell(row, f"its call of {_called(node)} was taken out of the graph")
                continue
            self._node(row, node, mine, names, set(nodes))
            self._target(row, node, expected, actual)
        self._own(names, known, actual.graph)

    def _row(self, node: fx.Node, known: dict[str, fx.Node]) -> str:
        if node.op == "output":
            return next((str(n.meta["row"]) for n in node.all_input_nodes if "row" in n.meta), "")
        return str(node.meta.get("row", ""))

    def _node(
        self, row: str, node: fx.Node, mine: fx.Node, names: dict[str, str], there: set[str]
    ) -> None:
        if mine.op == node.op == "placeholder":
            return
        if (mine.op, mine.target) != (node.op, node.target):
            self.tell(row, f"calls {_called(mine)}, the mapping says {_called(node)}")
            return
        gone = next((n for n in node.all_input_nodes if n.name not in there), None)
        if gone is not None:
            self.orphans[row] = str(gone.meta.get("row", ""))
            return
        now, before = _shown(mine, names), _shown(node, {})
        if now != before:
            told = _difference(now, before)
            self.tell(row, "the output is " + told if node.op == "output" else f"called {told}")

    def _own(self, names: dict[str, str], known: dict[str, fx.Node], graph: fx.Graph) -> None:
        """Give every node that the mapping does not know to a row."""
        holders: dict[str, fx.Node] = {}
        for node in graph.nodes:
            if node.name in known:
                continue
            stands_for = known.get(names.get(node.name, ""))
            row = str(stands_for.meta.get("row", "")) if stands_for is not None else ""
            if stands_for is not None and row:
                holders[stands_for.name] = node
            else:
                row = _reader(node, known)
                self.tell(row, f"a call of {_called(node)} was put before it")
            self.rows[node] = row
        for name, node in holders.items():
            earlier = next((n for n in graph.nodes if n.name == name), None)
            if earlier is not None:
                told = f"its result goes through {_called(node)}, which is not in the mapping"
                self.tell(self.rows[node], told)
            value = known[name].meta.get("value")
            for other in graph.nodes:
                if names.get(other.name, other.name) == name and other is not node:
                    self.values[other] = None
            self.values[node] = value

    # --- modules --------------------------------------------------------------------------------

    def _target(self, row: str, node: fx.Node, expected: nn.Module, actual: nn.Module) -> None:
        target = str(node.target)
        if node.op == "get_attr":
            self._tensor(row, "the stored tensor", _at(expected, target), _at(actual, target))
        elif node.op == "call_module" and (row, target) not in self._done:
            self._done.add((row, target))
            wanted, mine = expected.get_submodule(target), _at(actual, target)
            if type(mine) is not type(wanted):
                now = "nothing" if mine is None else f"a {type(mine).__name__}"
                self.tell(row, f"is {now} now, the mapping says {type(wanted).__name__}")
            elif isinstance(wanted, _CONTROL):
                for name, block in wanted.named_children():
                    self.graphs(block, getattr(mine, name), row)  # type: ignore[arg-type]
            else:
                for name, part in wanted.named_modules(remove_duplicate=False):
                    self._module(row, f"{name}." if name else "", part, _at(mine, name))

    def _module(self, row: str, prefix: str, wanted: nn.Module, mine: Any) -> None:
        if type(mine) is not type(wanted):
            self.tell(row, f"{prefix[:-1]} is a {type(mine).__name__} now")
            return
        for told in _settings(wanted, mine):
            self.tell(row, prefix + told)
        tensors = {**wanted._parameters, **wanted._buffers}
        have = {**mine._parameters, **mine._buffers}
        have |= {key: vars(mine)[key] for key in tensors if key in vars(mine)}
        for key, tensor in tensors.items():
            if key not in _IDLE:
                self._tensor(row, prefix + key, tensor, have.pop(key, None))
        for key, extra in have.items():
            if extra is not None and key not in tensors:
                self.tell(row, f"has a {prefix}{key} that the mapping does not give it")

    def _tensor(self, row: str, key: str, wanted: Any, mine: Any) -> None:
        if wanted is None and mine is None:
            return
        if wanted is None:
            self.tell(row, f"has a {key} that the mapping does not give it")
        elif not isinstance(mine, torch.Tensor):
            self.tell(row, f"{key} is missing")
        elif mine.shape != wanted.shape:
            self.tell(row, f"{key} is {list(mine.shape)}, the file gives {list(wanted.shape)}")
        elif mine.dtype != wanted.dtype:
            self.tell(row, f"{key} is {mine.dtype}, the file gives {wanted.dtype}")
        else:
            stored = self.store.stored(wanted)
            told = tensor_difference(mine.detach().cpu(), stored) if stored is not None else ""
            if told:
                self.tell(row, f"{key}: {told}")

    def shared(self, expected: nn.Module, actual: nn.Module) -> None:
        """Layers that share a tensor of the file share it in the module too."""
        first: dict[int, tuple[str, Any]] = {}
        for name, tensor in expected.named_parameters(remove_duplicate=False):
            mine = _at(actual, name)
            other, theirs = first.setdefault(id(tensor), (name, mine))
            if mine is theirs or not isinstance(mine, torch.Tensor):
                continue
            if isinstance(theirs, torch.Tensor) and mine.data_ptr() == theirs.data_ptr():
                continue
            self.tell(self._holder(name, expected), f"no longer shares its tensor with {other}")

    def _holder(self, name: str, expected: nn.Module) -> str:
        """The row of a tensor's path: the longest beginning that is the target of a node."""
        assert isinstance(expected, fx.GraphModule)
        rows = {str(n.target): str(n.meta["row"]) for n in expected.graph.nodes if "row" in n.meta}
        while name and name not in rows:
            name = name.rpartition(".")[0]
        return rows.get(name, name)


# --- nodes that the mapping does not know -----------------------------------------------------


def _adopt(expected: fx.Graph, actual: fx.Graph) -> dict[str, str]:
    """For new nodes the name of the expected node whose place they take.

    A new node takes the place of one that is gone when it has the same readers, and the place of
    the node that it reads when nothing else reads that one.
    """
    known = {node.name: node for node in expected.nodes}
    there = {node.name for node in actual.nodes}
    names: dict[str, str] = {}
    for node in actual.nodes:
        if node.name in known:
            continue
        users = {user.name for user in node.users}
        inputs = {names.get(source.name, source.name) for source in node.all_input_nodes}
        gone = [e for name, e in known.items() if name not in there and name not in names.values()]
        scores = {e.name: _fit(e, users, inputs, there) for e in gone}
        best = max(scores, key=scores.__getitem__, default="")
        if best and scores[best]:
            names[node.name] = best
            continue
        for source in node.all_input_nodes:
            origin = known.get(names.get(source.name, source.name))
            only = all(user.name not in known for user in source.users)
            if origin is not None and origin.op != "placeholder" and only and origin.users:
                names[node.name] = origin.name
                break
    return names


def _fit(gone: fx.Node, users: set[str], inputs: set[str], there: set[str]) -> int:
    wanted = {user.name for user in gone.users}
    shared = len(wanted & users)
    if not shared and wanted & there:
        return 0
    return shared + len({source.name for source in gone.all_input_nodes} & inputs)


def _reader(node: fx.Node, known: dict[str, fx.Node]) -> str:
    """The row of the first node of the mapping that reads a new node, else of one that it reads."""
    seen, queue = {node}, [node]
    while queue:
        for user in queue.pop(0).users:
            row = known[user.name].meta.get("row", "") if user.name in known else ""
            if row:
                return str(row)
            if user not in seen:
                seen.add(user)
                queue.append(user)
    sources = (known.get(source.name) for source in node.all_input_nodes)
    return next((str(s.meta["row"]) for s in sources if s is not None and "row" in s.meta), "")


def _called(node: fx.Node) -> str:
    target = node.target
    if node.op == "output":
        return "the output"
    return str(target) if isinstance(target, str) else str(getattr(target, "__name__", target))


class _Named:
    """A node in the text of an argument."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _shown(node: fx.Node, names: dict[str, str]) -> list[str]:
    def named(source: fx.Node) -> Any:
        return _Named(names.get(source.name, source.name))

    args: Any = fx.node.map_arg(node.args, named)
    kwargs: Any = fx.node.map_arg(dict(node.kwargs), named)
    return [*map(repr, args), *(f"{key}={kwargs[key]!r}" for key in sorted(kwargs))]


def _difference(mine: list[str], wanted: list[str]) -> str:
    new = [text for text in mine if text not in wanted] or mine
    old = [text for text in wanted if text not in mine] or wanted
    return f"with {', '.join(new) or 'nothing'}, the mapping says {', '.join(old) or 'nothing'}"


# --- modules ----------------------------------------------------------------------------------


def _at(module: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        module = getattr(module, step, None)
    return module


def _settings(wanted: nn.Module, mine: nn.Module) -> Iterator[str]:
    if isinstance(mine, _MODAL) and mine.training:
        yield "is in training mode"
    if isinstance(mine, nn.RNNBase) and mine.training and mine.dropout:
        yield "is in training mode"
    if mine._forward_hooks or mine._forward_pre_hooks:
        yield "has a forward hook"
    idle = {*_IDLE, "p"} if isinstance(wanted, nn.modules.dropout._DropoutNd) else _IDLE
    given, now = vars(wanted), vars(mine)
    for name in {**given, **now}:
        if name in _OWN or name in idle or name in {**wanted._parameters, **wanted._buffers}:
            continue
        if name not in given:
            if name == "forward":
                yield "its forward method was replaced"
            continue
        left, right = _plain(given[name]), _plain(now.get(name))
        if left is not None and left != right and not _same(given[name], now.get(name)):
            yield f"{name} is {now.get(name)!r}, the mapping says {given[name]!r}"


def _plain(value: Any) -> str | None:
    """The value as text if it is a setting; None for tensors, functions and the like."""
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        parts = [_plain(item) for item in value]
        return None if None in parts else f"({', '.join(map(str, parts))})"
    return None


def _same(left: Any, right: Any) -> bool:
    """3 and (3, 3) set the same."""
    if isinstance(left, (int, float)) and isinstance(right, (tuple, list)):
        left, right = right, left
    if isinstance(left, (tuple, list)) and isinstance(right, (int, float)):
        return bool(left) and all(item == right for item in left)
    return bool(left == right)
