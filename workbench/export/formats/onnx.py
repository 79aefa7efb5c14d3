"""ONNX through `torch.onnx`, and running it with ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.core.errors import WorkbenchError
from workbench.export.formats.onnx_forms import FORMS

#: That of torch's own translations; to reach another one torch fails for nested blocks.
_OPSET = 18
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def require() -> None:
    """Raise `WorkbenchError` without the packages that write and run ONNX."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise WorkbenchError(
            f"ONNX needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed: a file is written only when it can be run and compared.",
            "pip install 'paddle-torch-workbench[onnx]'",
        )


def write(program: torch.export.ExportedProgram, names: Sequence[str], target: Path) -> None:
    """Write an exported program to `target`, its inputs named."""
    torch.onnx.export(
        _without_checks(program.run_decompositions(FORMS)),
        (),
        target,
        input_names=list(names),
        dynamo=True,
        opset_version=_OPSET,
        custom_translation_table=_translations(),
        verbose=False,
    )


def _without_checks(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program without checks of sizes, some with numbers too large for ONNX."""
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    return program


def runner(path: Path) -> Callable[..., list[Tensor]]:
    """A function that runs the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = [given.name for given in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = dict(zip(wanted, (tensor.numpy() for tensor in inputs), strict=True))
        return [torch.from_numpy(array) for array in session.run(None, feed)]

    return run


def _translations() -> dict[Any, Any]:
    """ONNX forms of operators that torch's exporter lacks."""
    from onnxscript import opset18

    import workbench.export.formats.detection  # noqa: F401 - it registers an operator

    onnx: Any = opset18

    def sort(self: Any, *, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:
        # TopK keeps the order of equal elements
        size = onnx.Gather(onnx.Shape(self), onnx.Constant(value_ints=[dim]))
        return onnx.TopK(self, size, axis=dim, largest=int(descending), sorted=1)

    return {
        torch.ops.aten.sort.stable: sort,
        torch.ops.workbench.grouped_nms.default: _grouped_nms,
    } | _blocks()


def _grouped_nms(boxes: Any, group: Any, groups: Any, threshold: float) -> Any:
    """Groups as the classes of ONNX's operator, the ranks of the boxes as their scores."""
    from onnxscript import opset18

    onnx: Any = opset18

    def whole(number: int) -> Any:
        return onnx.Constant(value_int=number)

    count = onnx.Squeeze(onnx.Shape(boxes, start=0, end=1))
    ranks = onnx.Cast(onnx.Range(count, whole(0), whole(-1)), to=1)  # float32
    groups = groups if not isinstance(groups, int) else whole(groups)
    each = onnx.Range(whole(0), onnx.Squeeze(groups), whole(1))
    first, last = onnx.Constant(value_ints=[0]), onnx.Constant(value_ints=[1])
    own = onnx.Equal(onnx.Unsqueeze(group, first), onnx.Unsqueeze(each, last))
    scores = onnx.Where(own, ranks, onnx.Constant(value_float=0.0))
    found = onnx.NonMaxSuppression(
        onnx.Unsqueeze(boxes, first), onnx.Unsqueeze(scores, first), whole(2**31),
        onnx.Constant(value_float=threshold), onnx.Constant(value_float=0.0),
    )  # fmt: skip
    return onnx.Squeeze(
        onnx.Slice(found, onnx.Constant(value_ints=[2]), onnx.Constant(value_ints=[3]), last), last
    )


def _blocks() -> dict[Any, Any]:
    """Torch's own branches and loops, whose calls of blocks all get one version.

    Torch gives one to some and none to others, and then fails on a branch inside a loop.
    """
    from torch.onnx._internal.exporter._torchlib.ops import hop

    def versioned(translation: Callable[..., Any]) -> Callable[..., Any]:
        def translated(*args: Any) -> Any:
            results = translation(*args)
            for attribute in results[0].producer().attributes.values():
                for node in attribute.as_graph():
                    node.version = _OPSET
            return results

        return translated

    return {
        torch.ops.higher_order.cond: versioned(hop.higher_order_cond),
        torch.ops.higher_order.while_loop: versioned(hop.higher_order_while_loop),
    }
