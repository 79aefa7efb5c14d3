"""How a row calls the values of its mapping, in arguments as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.core.mapping import Mapping, Row
from workbench.core.values import Value


class Names:
    """How the values of a mapping are called in one row, both ways.

    `original` names rows by the paths that the rules gave them, which is what files keep.
    """

    def __init__(self, mapping: Mapping, row: Row | None, original: bool = False) -> None:
        self.mapping = mapping
        self.row = row
        self.original = original
        self._texts: dict[Value, str] | None = None

    def text(self, value: Value) -> str:
        """The text for a value."""
        for text, operand in self._operands():
            if operand == value:
                return text
        if self._texts is None:
            self._texts = {}
            for known, text in self._others():
                self._texts.setdefault(known, text)
        return self._texts.get(value, f"value[{value.id}]")

    def operand(self, name: str) -> Any:
        """The operand of the row's operator of that name; raises ValueError if there is none."""
        op = self.row.op if self.row else None
        found = op.inputs.get(name) if op else None
        if found is None:
            known = ", ".join(key for key, _ in self._operands() if "[" not in key)
            raise ValueError(
                f"there is no input '{name}'" + (f"; the inputs are {known}" if known else "")
            )
        return found

    def lookup(self, kind: str, key: Any) -> Value:
        """The value of `row["path"]`, `row["path", 1]`, `input["x"]` or `parameter["w"]`."""
        text = f"{kind}[{value_key(key)}]"
        for value, known in self._others():
            if known == text:
                return value
        raise ValueError(f"there is no {text}")

    def _operands(self) -> Iterator[tuple[str, Any]]:
        op = self.row.op if self.row else None
        for name, operand in (op.inputs if op else {}).items():
            if isinstance(operand, Value):
                yield name, operand
            elif operand is not None:
                yield from ((f"{name}[{i}]", one) for i, one in enumerate(operand) if one)

    def _others(self) -> Iterator[tuple[Value, str]]:
        for value in self.mapping.program.inputs:
            yield value, f"input[{value_key(value.name)}]"
        for row in self.mapping.walk():
            path = original_path(row) if self.original else row.path
            for number, value in enumerate(row.values):
                if row.is_parameter:
                    yield value, f"parameter[{value_key(value.parameter)}]"
                yield value, f"row[{value_key(path if number == 0 else (path, number))}]"


class Labels(Names):
    """Values of other rows by their label: cheap, and short enough for a report."""

    def text(self, value: Value) -> str:
        """The name of the row's operand, else the label of the value."""
        return next((text for text, operand in self._operands() if operand == value), value.label)


def original_path(row: Row) -> str:
    """The path that the rules gave the row, which a rename does not change."""
    original = getattr(row.edited, "original", None)
    return original.path if original is not None else row.path


def value_key(key: Any) -> str:
    """What stands between the brackets of `row["path", 1]`."""
    parts = key if isinstance(key, tuple) else (key,)
    return ", ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in parts)
