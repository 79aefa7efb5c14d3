"""The converted model as Netron's own JSON: layers by their paths, no weights inside."""

from __future__ import annotations

import json
from typing import Any

import torch

from workbench.core.calls import Weight
from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value
from workbench.editing.calls import main_call
from workbench.editing.listing import shown_slots
from workbench.editing.names import Names
from workbench.editing.notation import show
from workbench.targets.pytorch.resolve import is_layer, resolve

Json = dict[str, Any]

_CATEGORIES = {
    "conv": "Layer", "linear": "Layer", "rnn": "Layer", "activation": "Activation",
    "batchnorm": "Normalization", "normalization": "Normalization", "instancenorm": "Normalization",
    "pooling": "Pool", "dropout": "Dropout", "padding": "Tensor", "sparse": "Transform",
    "flatten": "Shape", "upsampling": "Data", "pixelshuffle": "Shape",
}  # fmt: skip
_BY_NAME = {
    "reshape": "Shape", "flatten": "Shape", "squeeze": "Shape", "unsqueeze": "Shape",
    "permute": "Transform", "transpose": "Transform", "cat": "Tensor", "stack": "Tensor",
    "split": "Tensor", "getitem": "Tensor", "pad": "Tensor", "relu": "Activation",
    "gelu": "Activation", "softmax": "Activation", "sigmoid": "Activation", "tanh": "Activation",
    "dropout": "Dropout", "layer_norm": "Normalization", "matmul": "Layer", "conv2d": "Layer",
}  # fmt: skip


def netron_json(mapping: Mapping, name: str = "") -> str:
    """The text that Netron opens as a model: one node a row, blocks as modules of their own."""
    model = {
        "signature": "netron:workbench",
        "format": f"PyTorch v{torch.__version__.partition('+')[0]}",
        "producer": f"converted from {name}" if name else "converted",
        "graphs": [_Graph(mapping).main(), *_blocks(mapping)],
    }
    return json.dumps(model)


def _blocks(mapping: Mapping) -> list[Json]:
    return [
        _Graph(mapping).graph((*block.arguments, *block.captures), block.rows, block.results)
        for row in mapping.walk()
        for block in row.blocks
    ]


class _Graph:
    """One graph; values are numbered as they come."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.values: list[Json] = []
        self.places: dict[Value, int] = {}
        self.parameters = {
            value: row for row in mapping.rows if row.is_parameter for value in row.values
        }

    def main(self) -> Json:
        program = self.mapping.program
        rows = tuple(row for row in self.mapping.rows if not row.is_parameter)
        return self.graph(program.inputs, rows, program.outputs)

    def graph(self, inputs: Any, rows: tuple[Row, ...], outputs: Any) -> Json:
        told = {
            "inputs": [{"name": value.label, "value": [self.place(value)]} for value in inputs],
            "nodes": [self.node(row) for row in rows],
            "outputs": [
                {"name": value.label, "value": [self.place(value)]}
                for value in outputs
                if isinstance(value, Value)
            ],
        }
        return {"values": self.values, **told}

    def place(self, value: Value) -> int:
        if value not in self.places:
            self.places[value] = len(self.values)
            told: Json = {"name": str(value.label), "type": _type(value.dtype, value.shape)}
            row = self.parameters.get(value)
            if row is not None:
                told["name"] = row.path
                told["initializer"] = {"type": _type(value.dtype, value.shape)}
            self.values.append(told)
        return self.places[value]

    def weight(self, name: str, weight: Weight) -> int:
        kind = _type(weight.final_dtype, weight.final_shape)
        self.values.append({"name": name, "type": kind, "initializer": {"type": kind}})
        return len(self.values) - 1

    def node(self, row: Row) -> Json:
        reads = row.reads or (tuple(row.op.operands) if row.op is not None else ())
        names = Names(self.mapping, row)
        inputs = [
            {"name": _plain(names.text(value)), "value": [self.place(value)]} for value in reads
        ]
        inputs += [
            {"name": key, "value": [self.weight(f"{row.path}.{key}", weight)]}
            for key, weight in row.weights.items()
        ]
        return {
            "name": row.path,
            "type": {"name": row.target or f"unsupported {row.ops[0]}", "category": _category(row)},
            "inputs": inputs,
            "outputs": [{"name": "output", "value": [self.place(value)]} for value in row.values],
            "attributes": self.attributes(row, names),
        }

    def attributes(self, row: Row, names: Names) -> list[Json]:
        told = [{"name": s.name, "value": show(s.value, names)} for s in shown_slots(row)]
        for key, weight in row.weights.items():
            if weight.steps:
                told.append({"name": f"{key} steps", "value": str(weight)})
        told.append({"name": "Paddle", "value": ", ".join(row.ops)})
        if row.reason or row.notes:
            told.append({"name": "note", "value": row.reason or "; ".join(row.notes)})
        return told


def _type(dtype: str, shape: tuple[int, ...]) -> Json:
    return {"dataType": dtype, "shape": {"dimensions": ["?" if d < 0 else d for d in shape]}}


def _plain(text: str) -> str:
    """`x` for `x`, the path for `row["path"]`."""
    return text.partition('"')[2].partition('"')[0] or text


def _category(row: Row) -> str:
    target = getattr(main_call(row.call), "target", "")
    if not target:
        return "Custom"
    name = target.rpartition(".")[2]
    if target.startswith("nn.") and not row.is_parameter and is_layer(target):
        return _CATEGORIES.get(resolve(target).__module__.rpartition(".")[2], "Layer")
    return _BY_NAME.get(name, "")
