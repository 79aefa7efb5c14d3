"""The mapping as a static HTML table, for saved notebooks and viewers without a kernel."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from html import escape

from workbench.checks.results.checks import Check
from workbench.core.mapping import Mapping, Row
from workbench.editing.listing import table_line
from workbench.notebook.wire import key_of

#: A saved notebook stays readable and small: longer tables show what needs attention first.
MOST_ROWS = 400
_GLYPHS = {
    "converted": "✓", "adjusted": "◆", "edited": "✎", "custom": "★", "unsupported": "✕",
    "exact": "✓", "rounding": "≈", "suspicious": "▲", "wrong": "✕", "unchecked": "–",
}  # fmt: skip
_COLUMNS = ("path", "ops", "outputs", "target", "arguments", "weights", "note", "status")
_HEADS = ("Layer", "Paddle", "Output", "Target", "Arguments", "Weights", "Note", "Status")


def table_html(
    mapping: Mapping,
    alone: Dict[str, Check] | None = None,
    chain: Dict[str, Check] | None = None,
) -> str:
    """A table that needs neither scripts nor styles of its own to be read."""
    rows = list(mapping.walk())
    shown = rows if len(rows) <= MOST_ROWS else _most_telling(rows, alone or {})
    checked = bool(alone or chain)
    heads = [*_HEADS, *(("Error alone", "In chain") if checked else ())]
    lines = [_line(mapping, row, alone or {}, chain or {}, checked) for row in shown]
    left = len(rows) - len(shown)
    told = f"{mapping!r}".removeprefix("Mapping(").removesuffix(")")
    more = f"; {left} unremarkable rows are not shown here" if left else ""
    head = "".join(f"<th style='text-align:left'>{head}</th>" for head in heads)
    return (
        "<div class='wbe-static' style='overflow:auto;max-height:520px'>"
        f"<p>Mapping of {escape(told)}{more}. Run the cell to edit it.</p>"
        f"<table style='font-size:12px'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _most_telling(rows: list[Row], alone: Dict[str, Check]) -> list[Row]:
    """Rows that fail, are unsupported or edited; then adjusted ones; then the rest, in order."""

    def interest(row: Row) -> int:
        check = alone.get(key_of(row))
        if row.status in ("unsupported", "edited", "custom") or (check and check.failed):
            return 0
        return 1 if row.status == "adjusted" else 2

    chosen = sorted(range(len(rows)), key=lambda place: (interest(rows[place]), place))
    return [rows[place] for place in sorted(chosen[:MOST_ROWS])]


def _line(
    mapping: Mapping, row: Row, alone: Dict[str, Check], chain: Dict[str, Check], checked: bool
) -> str:
    line = table_line(mapping, row)
    line["note"] = row.reason or line["note"]
    line["status"] = f"{_GLYPHS[row.status]} {row.status}"
    cells = [f"<td style='text-align:left'>{escape(line[column])}</td>" for column in _COLUMNS]
    if checked:
        cells += [f"<td>{_check(found.get(key_of(row)))}</td>" for found in (alone, chain)]
    return f"<tr>{''.join(cells)}</tr>"


def _check(check: Check | None) -> str:
    if check is None:
        return ""
    number = f" {check.error.relative:.1e}" if check.error else ""
    return escape(f"{_GLYPHS[check.verdict]} {check.verdict}{number}")
