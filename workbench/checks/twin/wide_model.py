"""A mapping in float64 with the module that it makes, kept as long as the mapping stays."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workbench.checks.rounding.judging import first_line
from workbench.checks.twin.twin import Twin
from workbench.checks.values.closeness import unit_of
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import PaddleValues
from workbench.core.mapping import Mapping
from workbench.core.values import Value
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build


class WideModel:
    """The twin of a mapping.

    `loose` tells of rows whose form in float64 is not the one that will run, `unable` why no module
    can be made, if none can.
    """

    def __init__(self, twin: Twin, mapping: Mapping) -> None:
        self.source = mapping
        self.mapping, self.loose = twin.mapping(mapping)
        self.unable = ""
        self.runner: RowRunner | None = None
        try:
            self.runner = RowRunner(build(self.mapping))
        except Exception as error:  # noqa: BLE001 - own code may know nothing of float64
            self.unable = first_line(error)


class WideValues(PaddleValues):
    """Paddle's values of a twin: in float64 also where an operator computed them in float32."""

    def get(self, value: Value) -> torch.Tensor | None:
        """The value in the dtype of the twin; None when it is not known."""
        found = super().get(value)
        return found.double() if self.is_narrow(value) and found is not None else found

    def is_narrow(self, value: Value) -> bool:
        """True when Paddle has no float64 kernel for what makes the value."""
        return value.dtype == "float64" and self._reference.dtypes.get(value.id) == "float32"

    def unit(self, value: Value) -> float:
        """The relative error that an element may have, for the dtype that Paddle computed in."""
        return unit_of(torch.float32 if self.is_narrow(value) else torch.float64)


def wide_model(mapping: Mapping, references: Sequence[Reference]) -> WideModel | None:
    """The twin of a mapping whose values in float64 the references hold; None where none does."""
    twin = next((one.twin for one in references if one.twin is not None), None)
    if twin is None:
        return None
    if twin.model is None or twin.model.source is not mapping:
        twin.model = WideModel(twin, mapping)
    return twin.model  # type: ignore[no-any-return]
