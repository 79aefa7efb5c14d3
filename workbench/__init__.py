"""Migrate PaddlePaddle models to PyTorch and prove the result."""

from workbench.errors import WorkbenchError
from workbench.migration import Migration, load

__all__ = ["Migration", "WorkbenchError", "load"]
__version__ = "0.1.0"
