"""Export a live `paddle.nn.Layer`. It runs in the caller's process, which has Paddle already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.core.errors import InputError, ModelFileError


def is_layer(candidate: object) -> bool:
    """True for a `paddle.nn.Layer`, found without importing Paddle."""
    return any(
        cls.__module__.startswith("paddle.nn") and cls.__name__ == "Layer"
        for cls in type(candidate).__mro__
    )


def export_layer(layer: Any, input_spec: Sequence[Any] | None, folder: Path) -> dict[str, str]:
    """Save the layer as `folder/inference.json` and `.pdiparams`, in eval mode.

    Returns parameter names → attribute paths (`linear_0.w_0` → `fc.weight`).
    """
    import paddle

    if input_spec is None:
        raise InputError(
            "A live layer needs input_spec, which tells its input shapes and dtypes.",
            "wb.load(layer, input_spec=[paddle.static.InputSpec([None, 3, 224, 224], 'float32')])",
        )
    was_training = layer.training
    layer.eval()
    try:
        paddle.jit.save(layer, str(folder / "inference"), input_spec=list(input_spec))
    except Exception as error:
        raise ModelFileError(
            f"Paddle could not export {type(layer).__name__}: {_last_line(error)}",
            "paddle.jit.save(layer, path, input_spec=...) must work first. Tracing needs the first "
            "argument of forward to be called self, and every input to be used.",
        ) from error
    finally:
        if was_training:
            layer.train()
    names: dict[str, str] = {}
    for path, tensor in layer.state_dict().items():
        known = names.get(tensor.name)
        if known is None or path.count(".") < known.count("."):
            names[tensor.name] = path
    return names


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip()[:500] if lines else type(error).__name__
