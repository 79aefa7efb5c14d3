"""ONNX through `torch.onnx`, and running it with ONNX Runtime where that is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def write(
    module: nn.Module,
    example: Sequence[Tensor],
    dynamic_shapes: tuple[Any, ...],
    names: list[str],
    target: Path,
) -> None:
    """Write the module to `target`; raises ImportError without the extra `onnx`."""
    torch.onnx.export(
        module,
        tuple(example),
        target,
        input_names=names,
        dynamo=True,
        dynamic_shapes=dynamic_shapes,
        custom_translation_table=_translations(),
        verbose=False,
    )


def runner(path: Path) -> Callable[..., list[Tensor]] | None:
    """A function that runs the file; None where ONNX Runtime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = [given.name for given in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = dict(zip(wanted, (tensor.numpy() for tensor in inputs), strict=True))
        return [torch.from_numpy(array) for array in session.run(None, feed)]

    return run


def _translations() -> dict[Any, Any]:
    """ONNX forms of operators that torch's exporter lacks."""
    from onnxscript import opset18

    onnx: Any = opset18

    def sort(self: Any, *, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:
        # TopK keeps the order of equal elements
        size = onnx.Gather(onnx.Shape(self), onnx.Constant(value_ints=[dim]))
        return onnx.TopK(self, size, axis=dim, largest=int(descending), sorted=1)

    return {torch.ops.aten.sort.stable: sort}
