"""Random cases for whole operator families, with Paddle as the oracle; one file per family."""

from __future__ import annotations

import importlib
import pkgutil

from tests.properties.sketch import FAMILIES, Family

_TOOLS = {"sketch", "campaign", "judge"}


def all_families() -> dict[str, Family]:
    """Every family by name."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _TOOLS and not module.name.startswith(("test_", "_")):
            importlib.import_module(f"{__name__}.{module.name}")
    return FAMILIES
