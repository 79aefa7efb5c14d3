"""Helpers of the readable model in another form, for exporters.

They give the same numbers. The readable forms write into views or loop over the images of a batch,
of which a trace keeps the example's sizes; these go by positions instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from workbench.targets.pytorch import functions as fn


def with_forms(module: fx.GraphModule, onnx: bool = False) -> None:
    """Put the forms into a module's graph, in place; some are for ONNX only."""
    forms = _forms(onnx)
    for node in module.graph.nodes:
        if node.op == "call_function":
            node.target = forms.get(node.target, node.target)
        elif node.op == "output":
            _own_outputs(module.graph, node)
    module.recompile()


def _own_outputs(graph: fx.Graph, output: fx.Node) -> None:
    """No output that is an input: ONNX cannot name one value twice."""
    for given in output.all_input_nodes:
        if given.op == "placeholder":
            with graph.inserting_before(output):
                output.replace_input_with(given, graph.call_method("clone", (given,)))


def _forms(onnx: bool) -> dict[Callable[..., Any], Callable[..., Any]]:
    from workbench.export.formats import detection  # imports torchvision

    return {fn.set_item: set_item} | (detection.ONNX_FORMS if onnx else detection.FORMS)


def set_item(x: Tensor, index: Any, values: Any) -> Tensor:
    """A copy of x after `x[index] = values`."""
    places = element(torch.arange(x.numel(), device=x.device).reshape(x.shape), index)
    values = torch.as_tensor(values, dtype=x.dtype, device=x.device)
    while values.dim() > places.dim():
        values = values.squeeze(0)
    return x.reshape(-1).index_put((places,), values).reshape(x.shape)


def element(source: Any, index: Any) -> Any:
    """`source[index]`; a number among slices becomes a `select`, one in a tensor stays there."""
    given = index if isinstance(index, tuple) else (index,)
    if not isinstance(source, Tensor) or not all(map(_plain, given)):
        return source[index]
    dim = 0
    for one in given:
        if isinstance(one, slice):
            source = source[(slice(None),) * dim + (one,)]
            dim += 1
        elif isinstance(one, Tensor):
            place = torch.where(one < 0, one + source.shape[dim], one).reshape(1)
            source = source.index_select(dim, place).squeeze(dim)
        else:
            source = source.select(dim, one)
    return source


def _plain(one: Any) -> bool:
    """True for a slice or a number, which may be that of a tensor without axes."""
    if isinstance(one, Tensor):
        return one.dim() == 0 and one.dtype in (torch.int32, torch.int64)
    return isinstance(one, (int, slice, torch.SymInt)) and not isinstance(one, bool)
