"""The rules, one file per operator family. Importing this package fills the default book."""

from __future__ import annotations

import importlib
import pkgutil

from workbench.sources.paddle.book import DEFAULT

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["DEFAULT"]
