"""Operator cases, one file per rule file; each has a list `CASES`."""

from __future__ import annotations

import importlib
import pkgutil

from tests.oracle.case import Case


def all_cases() -> list[Case]:
    """Every case of every family."""
    found: list[Case] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").CASES
    return found
