"""Migrate PaddlePaddle models to PyTorch and prove the result."""

from typing import Any

from workbench.app.forms import register_forms
from workbench.app.migration import Migration, load
from workbench.core.errors import WorkbenchError
from workbench.core.version import __version__

register_forms()


def transplant(
    source: Any,
    target: Any,
    inputs: Any = None,
    target_inputs: Any = None,
    target_call: Any = None,
) -> Any:
    """Fill a PyTorch module of your own from a model; see `workbench.app.transplant`."""
    from workbench.app.transplant import transplant as pair  # imports torch

    return pair(source, target, inputs, target_inputs, target_call)


__all__ = ["Migration", "WorkbenchError", "__version__", "load", "transplant"]
