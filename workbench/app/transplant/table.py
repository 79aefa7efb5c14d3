"""The table of a transplant: which stored tensor fills which key of the target, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from workbench.core.errors import MappingError
from workbench.core.files import read_text, write_whole

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "workbench-transplant/1"
COLUMNS = ("key", "shape", "source", "steps", "status", "why")


@dataclass(frozen=True, slots=True)
class Pairing:
    """One tensor of the target. `status` is *paired*, *made* (zeros), *missing* or *edited*."""

    key: str
    shape: tuple[int, ...]
    source: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    status: str = "missing"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """All pairings, in the order of the target's state_dict. An edit gives a new table."""

    rows: tuple[Pairing, ...]
    unused: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: str) -> Pairing:
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(f"the target has no tensor {key!r}")

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the target that nothing fills."""
        return tuple(row.key for row in self.rows if row.status == "missing")

    @property
    def edits(self) -> dict[str, dict[str, Any]]:
        """What was changed by hand, by key, as plain values."""
        return {
            row.key: {"source": list(row.source), "steps": list(row.steps)}
            for row in self.rows
            if row.status == "edited"
        }

    def edit(self, key: str, source: str | list[str], steps: list[str] | None = None) -> Table:
        """Fill a key from another stored tensor, or from several joined, with these steps.

        Steps are those of the mapping: "transposed", "permuted 2 0 1", "reshaped to 3 4", "part 0:3
        of axis 1". Raises `MappingError` when the target has no such key.
        """
        if key not in {row.key for row in self.rows}:
            raise MappingError(f"The target has no tensor {key!r}.", "See t.mapping.frame().")
        names = (source,) if isinstance(source, str) else tuple(source)
        rows = tuple(
            replace(row, source=names, steps=tuple(steps or ()), status="edited", why="by hand")
            if row.key == key
            else row
            for row in self.rows
        )
        return replace(self, rows=rows)

    def frame(self) -> pd.DataFrame:
        """One line a tensor of the target, all of them text."""
        import pandas as pd

        lines = [
            (
                row.key,
                str(list(row.shape)),
                " + ".join(row.source),
                "; ".join(row.steps),
                row.status,
                row.why,
            )
            for row in self.rows
        ]
        return pd.DataFrame(lines, columns=list(COLUMNS))

    def save(self, path: str | Path) -> Path:
        """Write the edits by hand to a YAML file; see `apply`."""
        text = yaml.safe_dump({"format": FORMAT, "edits": self.edits}, sort_keys=False)
        write_whole(Path(path), text)
        return Path(path)

    def apply(self, path: str | Path) -> Table:
        """This table with the edits of a file; raises `MappingError` when it is none."""
        try:
            data = yaml.safe_load(read_text(Path(path)))
        except (OSError, yaml.YAMLError) as error:
            raise MappingError(f"{path} cannot be read: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise MappingError(f"{path} is no file of a transplant ({FORMAT}).")
        table = self
        for key, edit in (data.get("edits") or {}).items():
            table = table.edit(key, edit["source"], edit.get("steps"))
        return table

    def __repr__(self) -> str:
        paired = len(self.rows) - len(self.missing)
        return f"Table({paired} of {len(self.rows)} tensors filled; {len(self.unused)} unused)"
