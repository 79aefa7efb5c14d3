"""Migrate PaddlePaddle models to PyTorch and prove the result."""

from workbench.app.migration import Migration, load
from workbench.core.errors import WorkbenchError

__all__ = ["Migration", "WorkbenchError", "load"]
__version__ = "0.1.0"
