"""Mapping → torch.fx.GraphModule, with the weights loaded."""

from __future__ import annotations

import operator
from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any

from torch import fx, nn

from workbench.core.arguments import map_argument
from workbench.core.calls import Call, Device, Dtype, Layer
from workbench.core.errors import ConversionError, MappingError
from workbench.core.identifiers import folded, is_plain
from workbench.core.integers import Count, Dim, IntOp, Item, Symbol
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row, RowBlock
from workbench.core.values import Value
from workbench.targets.pytorch.control_flow import For, If, While
from workbench.targets.pytorch.modules import build_layer
from workbench.targets.pytorch.reserved import GRAPH
from workbench.targets.pytorch.resolve import resolve, torch_dtype
from workbench.targets.pytorch.weights import WeightStore


def build(
    mapping: RowMapping, class_name: str = "Model", weights: WeightStore | None = None
) -> fx.GraphModule:
    """The converted model: eval mode, weights loaded, one module per layer row.

    Its inputs are positional in feed order; it returns a tensor, or a tuple in fetch order.
    `weights` gives the tensors in place of the model's file.
    Raises `ConversionError` naming every operator that no rule could serve.
    """
    raise_unsupported(mapping)
    builder = _Builder(weights or WeightStore(mapping.program.parameters))
    outputs = mapping.program.outputs
    module = builder.graph_module(
        mapping.program.inputs, mapping.rows, outputs, class_name, single=len(outputs) == 1
    )
    return module.eval()


def build_row(mapping: RowMapping, row: Row) -> fx.GraphModule:
    """A module with just one row and the stored tensors that it reads; its inputs are the others.

    The row need not be in the mapping. Raises as `build` does.
    """
    wanted = {value for value in row.reads if value.parameter}
    rows = [r for r in mapping.rows if r.is_parameter and any(v in wanted for v in r.values)]
    made = {value for r in rows for value in r.values}
    inputs = tuple(value for value in row.reads if value not in made)
    program = replace(mapping.program, inputs=inputs, outputs=row.values)
    return build(RowMapping(program, (*rows, row)), "Row")


def raise_unsupported(mapping: RowMapping) -> None:
    """Raise one `ConversionError` with all unsupported rows, grouped by operator and reason."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in mapping.unsupported:
        groups.setdefault((", ".join(row.ops), row.reason, row.hint), []).append(row)
    if not groups:
        return
    lines = []
    for (ops, reason, hint), rows in groups.items():
        lines.append(f"  {ops} ({len(rows)}×, first: {rows[0].path}): {reason}")
        if hint:
            lines.append(f"      → {hint}")
    raise ConversionError(
        f"{len(mapping.unsupported)} of {len(mapping)} layers cannot be converted:\n"
        + "\n".join(lines)
    )


def _argument_name(label: str, taken: Container[str]) -> str:
    """An argument of `forward`, named like an input."""
    name = folded(label).strip("_") or "value"
    name = candidate = name if is_plain(name) else folded(f"v{name}")
    count = 0
    while candidate in taken or candidate in GRAPH:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


class _Builder:
    def __init__(self, weights: WeightStore) -> None:
        self.weights = weights

    def graph_module(
        self,
        inputs: tuple[Value, ...],
        rows: tuple[Row, ...],
        results: tuple[Any, ...],
        class_name: str,
        single: bool,
    ) -> fx.GraphModule:
        root = nn.Module()
        graph = _GraphBuilder(self, root, inputs)
        for row in rows:
            graph.add(row)
        outputs = tuple(graph.argument(value) for value in results)
        graph.graph.output(outputs[0] if single else outputs)
        return fx.GraphModule(root, graph.graph, class_name)

    def block(self, block: RowBlock, prefix: str) -> fx.GraphModule:
        """Module for one block; its submodule paths drop the prefix of the block."""
        root = nn.Module()
        graph = _GraphBuilder(self, root, (*block.arguments, *block.captures), prefix)
        for row in block.rows:
            graph.add(row)
        graph.graph.output(tuple(graph.argument(value) for value in block.results))
        return fx.GraphModule(root, graph.graph, "Block")


class _GraphBuilder:
    """Adds rows to one torch.fx graph."""

    def __init__(
        self, builder: _Builder, root: nn.Module, inputs: tuple[Value, ...], prefix: str = ""
    ) -> None:
        self.builder = builder
        self.root = root
        self.prefix = prefix
        self.graph = fx.Graph()
        self.nodes: dict[Any, fx.Node] = {}
        self.row = ""
        names: set[str] = set()
        for value in inputs:
            name = _argument_name(value.label, names)
            names.add(name)
            node = self.graph.placeholder(name)
            node.meta["value"] = value
            self.nodes[value] = node

    def add(self, row: Row) -> None:
        """Add the nodes of one row."""
        self.row = row.path
        call = row.call
        if row.is_parameter:
            node = self._parameter(row)
        elif isinstance(call, Layer):
            node = self._layer(call, row.path)
        elif row.blocks:
            node = self._control_flow(row)
        elif isinstance(call, Call):
            node = self._call(call, row.path)
        else:
            raise MappingError(f"row {row.path} has nothing to build")
        for value, place in row.outputs:
            result = node
            for index in place:
                result = self._node("call_function", operator.getitem, (result, index), {}, "")
            result.meta["value"] = value
            self.nodes[value] = result

    def argument(self, argument: Any) -> Any:
        """An argument as torch.fx wants it: nodes instead of values and symbols."""
        make = _KINDS.get(type(argument))
        return make(self, argument) if make else map_argument(argument, self.argument)

    def _value(self, value: Value) -> fx.Node:
        try:
            return self.nodes[value]
        except KeyError:
            raise MappingError(f"{self.row} reads {value!r}, which no row makes") from None

    def _once(self, argument: Symbol | Device) -> fx.Node:
        """The node of a size, an integer or a device, which is the same wherever it is read."""
        if argument not in self.nodes:
            self.nodes[argument] = _ONCE[type(argument)](self, argument)
        return self.nodes[argument]

    def _node(self, kind: str, target: Any, args: Any, kwargs: Any, name: str) -> fx.Node:
        node = self.graph.create_node(kind, target, args, kwargs, name.replace(".", "_") or None)
        node.meta["row"] = self.row
        return node

    def _device(self, device: Device) -> fx.Node:
        args = (self._value(device.value), "device")
        return self._node("call_function", getattr, args, {}, "")

    def _dim(self, dim: Dim) -> fx.Node:
        return self._node("call_method", "size", (self._value(dim.value), dim.axis), {}, "")

    def _item(self, item: Item) -> fx.Node:
        source = self._value(item.value)
        if item.value.shape not in ((), (1,)):
            flat = self._node("call_method", "reshape", (source, -1), {}, "")
            source = self._node("call_function", operator.getitem, (flat, item.index), {}, "")
        return self._node("call_method", "item", (source,), {}, "")

    def _int_op(self, number: IntOp) -> fx.Node:
        args = (self.argument(number.left), self.argument(number.right))
        return self._node("call_function", number.function, args, {}, "")

    def _call(self, call: Call, name: str) -> fx.Node:
        args = tuple(self.argument(argument) for argument in call.args)
        kwargs = {key: self.argument(value) for key, value in call.kwargs.items()}
        kind = "call_method" if call.target.startswith(".") else "call_function"
        return self._node(kind, resolve(call.target), args, kwargs, name)

    def _layer(self, layer: Layer, path: str) -> fx.Node:
        module = build_layer(layer, self.builder.weights, path)
        target = path.removeprefix(self.prefix)
        self.root_of(target).add_module(target.rpartition(".")[2], module)
        args = tuple(self.argument(argument) for argument in layer.args)
        kwargs = {key: self.argument(value) for key, value in layer.kwargs.items()}
        return self._node("call_module", target, args, kwargs, path)

    def root_of(self, target: str) -> nn.Module:
        """The container that holds a module path, made when it is not there."""
        holder = self.root
        for step in target.split(".")[:-1]:
            if not hasattr(holder, step):
                holder.add_module(step, nn.Module())
            holder = getattr(holder, step)
        return holder

    def _parameter(self, row: Row) -> fx.Node:
        (weight,) = row.weights.values()
        buffer = row.target == "buffer"
        tensor = self.builder.weights.get(weight, buffer)
        holder, leaf = self.root_of(row.path), row.path.rpartition(".")[2]
        if buffer:
            holder.register_buffer(leaf, tensor)
        else:
            holder.register_parameter(leaf, tensor)  # type: ignore[arg-type]
        return self._node("get_attr", row.path, (), {}, row.path)

    def _control_flow(self, row: Row) -> fx.Node:
        call = row.call
        if call is None:
            raise MappingError(f"row {row.path} has nothing to build")
        blocks = [self.builder.block(b, f"{row.path}.{b.name}.") for b in row.blocks]
        captures = [value for block in row.blocks for value in block.captures]
        args = tuple(self.argument(argument) for argument in (*call.args, *captures))
        module: nn.Module
        if call.target == "control.if":
            module = If(blocks[0], blocks[1], len(row.blocks[0].captures))
        elif call.target == "control.for":
            module = For(blocks[0], len(call.args) - 3)
        else:
            module = While(blocks[0], len(call.args) - 1)
        target = row.path.removeprefix(self.prefix)
        self.root_of(target).add_module(target.rpartition(".")[2], module)
        return self._node("call_module", target, args, {}, row.path)


_ONCE: dict[type, Callable[[_GraphBuilder, Any], fx.Node]] = {
    Dim: _GraphBuilder._dim, Item: _GraphBuilder._item, IntOp: _GraphBuilder._int_op,
    Device: _GraphBuilder._device,
}  # fmt: skip
#: What each kind of argument becomes; the others are made again from their parts.
_KINDS: dict[type, Callable[[_GraphBuilder, Any], Any]] = {
    **dict.fromkeys(_ONCE, _GraphBuilder._once),
    Value: _GraphBuilder._value,
    Count: lambda graph, count: graph.argument(count.value),
    Dtype: lambda _, dtype: torch_dtype(dtype.name),
    Call: lambda graph, call: graph._call(call, ""),
    Layer: lambda graph, layer: graph._layer(layer, graph.row),
}
