"""The mapping as a person has it in hand: to read as a table, to edit, to save and to apply.

What edits imports torch, which loading a program does not need: so it is imported when called.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.mapping import Mapping

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class EditableMapping(Mapping):
    """All rows, in the order in which the program runs; an edit gives a new mapping."""

    def edit(self, path: str, **changes: Any) -> EditableMapping:
        """Change one row; see `workbench.editing.edits.edit_row` for what can be changed."""
        from workbench.editing.edits import edit_row

        return editable(edit_row(self, path, changes))

    def frame(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, one line a row."""
        from workbench.editing.listing import mapping_frame

        return mapping_frame(self)

    def save(self, path: str | Path) -> Path:
        """Write the edits to a small YAML file, atomically; see `apply`."""
        from workbench.editing.file import save_edits

        return Path(save_edits(self, path))

    def apply(self, path: str | Path) -> EditableMapping:
        """This mapping with the edits of a YAML file applied to rows of the same path.

        Raises `MappingError` when the file is not a mapping file or an edit does not fit.
        """
        from workbench.editing.file import apply_edits

        return editable(apply_edits(self, path))


def editable(mapping: Mapping) -> EditableMapping:
    """The mapping with the methods of `EditableMapping`."""
    if isinstance(mapping, EditableMapping):
        return mapping
    return EditableMapping(mapping.program, mapping.rows)
