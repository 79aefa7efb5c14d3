"""Stand-ins for a migration, its views and Paddle, for tests of the editor without a browser."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checks.values.row_runner import RowRunner
from workbench.core.mapping import Mapping
from workbench.core.values import Value
from workbench.editing.file import EditFile
from workbench.notebook.jobs import DirectJobs
from workbench.notebook.live import LiveChecker
from workbench.notebook.model import EditorModel
from workbench.notebook.session import Session
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.weights import as_tensor


class Holder:
    """What owns a mapping."""

    verification = None
    references: tuple[Reference, ...] = ()

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.program = mapping.program


def recorded(mapping: Mapping, inputs: dict[str, np.ndarray]) -> Reference:
    """Values as Paddle would compute them, made by the module that the mapping builds."""
    arrays = [inputs[value.name] for value in mapping.program.inputs]
    reference = Reference(arrays)
    module = build(mapping)
    chain = RowRunner(module).chain([as_tensor(array, array.dtype.name) for array in arrays])
    made: dict[Value, Any] = dict(zip(mapping.program.inputs, arrays, strict=True))
    for row in mapping.rows:
        made |= {v: t.detach().numpy() for v, t in chain.step(row.path).items() if not v.parameter}
    for value, array in made.items():
        np.save(reference.folder / f"v{value.id}.npy", array)
        reference.dtypes[value.id] = str(array.dtype)
    return reference


class FakeLab:
    """A session and all messages that its views got."""

    def __init__(
        self, mapping: Mapping, file: Any = None, reference: Reference | None = None, **more: Any
    ) -> None:
        self.holder = Holder(mapping)
        self.sent: list[dict[str, Any]] = []
        self.model = EditorModel(self.holder, EditFile(file) if file else None)
        checker = LiveChecker(mapping.program, lambda: [reference]) if reference else None
        self.session = Session(self.model, self.sent.append, DirectJobs(), checker, **more)

    def send(self, kind: str, **message: Any) -> dict[str, Any]:
        """Send a message as a view would; returns the reply."""
        self.sent.clear()
        self.session.handle({"type": kind, "id": "one", **message})
        return next(told for told in self.sent if told.get("id") == "one")

    def edit(self, key: str, **changes: Any) -> dict[str, Any]:
        """Edit one row."""
        return self.send("edit", edits={key: changes})
