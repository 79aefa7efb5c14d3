"""Who draws what: the forms of plain objects in a notebook, registered for `core.shown`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from workbench.core.shown import register

_HTML = {
    "workbench.report.fragments": {
        "Program": "program_html",
        "Mapping": "mapping_html",
        "Verification": "verification_html",
        "Bundle": "bundle_html",
    },
    "workbench.report.parity_fragments": {
        "Comparison": "comparison_html",
        "GradientParity": "gradients_html",
        "TaskParity": "task_html",
        "TrainingParity": "training_html",
    },
}


def register_forms() -> None:
    """Register every form; a module that draws is imported when it is first asked to."""
    for module, drawers in _HTML.items():
        for kind, name in drawers.items():
            register(kind, "html", _later(module, name))
    register("Verification", "histograms", _later("workbench.notebook.plots", "histograms"))


def _later(module: str, name: str) -> Callable[[], Callable[[Any], Any]]:
    return lambda: getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
