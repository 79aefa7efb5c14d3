"""What is checked: a model on its way, as the checks, the export and the screens see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import fx

    from workbench.conversion.book import RuleBook
    from workbench.core.mapping import Mapping
    from workbench.core.program import Program
    from workbench.editing.editable import EditableMapping
    from workbench.sources.interface import ModelFiles, Runtime


class Subject(Protocol):
    """A model with its program, its mapping, its module, and the framework that it comes from.

    `workbench.Migration` is one; whatever has these members can be checked and exported.
    """

    program: Program
    rules: RuleBook

    @property
    def origin(self) -> str:
        """Where the model came from: a path, or "live" and the class of a layer."""

    @property
    def name(self) -> str:
        """A short name, fit for a folder."""

    @property
    def files(self) -> ModelFiles | None:
        """The model's files, as they were given."""

    @property
    def mapping(self) -> EditableMapping:
        """The table of rows."""

    @mapping.setter
    def mapping(self, mapping: Mapping) -> None:
        """Take another table; what was made of the one before is dropped."""

    @property
    def runtime(self) -> Runtime:
        """The framework at work, in a process of its own."""

    def convert(self) -> fx.GraphModule:
        """The PyTorch model in eval mode."""
