"""Migrate PaddlePaddle models to PyTorch and prove the result."""

from workbench.app.forms import register_forms
from workbench.app.migration import Migration, load
from workbench.core.errors import WorkbenchError
from workbench.core.version import __version__

register_forms()

__all__ = ["Migration", "WorkbenchError", "__version__", "load"]
