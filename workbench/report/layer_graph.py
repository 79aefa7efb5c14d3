"""The layer graph as one SVG: scopes as boxes, layers coloured by error, data flow as lines.

The layers stand in program order, one line each, in as many columns as the width allows; a line on
the right of them is data that skips layers. Scopes fold, so that a model of thousands of layers
stays readable: those with failing layers are opened first. The drawing needs no script and no
outside file, and everything that comes from the model is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from xml.sax.saxutils import escape as escape_text

from workbench.core.mapping import Mapping, Row
from workbench.core.scope_tree import Scope, scope_tree, scopes_in
from workbench.core.values import Value
from workbench.editing.listing import shapes_text
from workbench.report.layer_graph_style import LEVELS, STYLE, level_of

#: Lines that an automatic folding aims at.
MOST_LINES = 120
#: Lines in a column before another one is begun.
_COLUMN_LINES = 42
_LINE, _BOX, _INDENT, _TEXT = 22, 18, 12, 300
_LANE, _LANES, _GAP = 6, 14, 26
_CHARACTER = 6.4

_GLYPHS = {"exact": "✓", "rounding": "≈", "suspicious": "▲", "wrong": "✕", "unchecked": "–"}
_RANKS = ("", "unchecked", "exact", "rounding", "suspicious", "wrong")


@dataclass(slots=True)
class Line:
    """One line of the drawing: a layer, a folded scope, or the title of an open one."""

    path: str
    name: str
    depth: int
    rows: list[Row]
    scope: bool = False
    folded: bool = False
    last: int = 0
    number: int = 0
    column: int = 0
    y: float = 0.0


def layer_graph_svg(
    mapping: Mapping,
    errors: Dict[str, float] | None = None,
    verdicts: Dict[str, str] | None = None,
    *,
    folded: Collection[str] | None = None,
    columns: int = 0,
    most: int = MOST_LINES,
) -> str:
    """The graph of a mapping as SVG text.

    `errors` are errors relative to the scale of the output, `verdicts` are verdicts, both by row
    path. `folded` are the paths of folded scopes; without it they are chosen. `columns` 0 takes as
    many as are needed.
    """
    drawing = _Drawing(mapping, errors or {}, verdicts or {})
    shut = set(folded) if folded is not None else drawing.chosen_folding(most)
    return drawing.svg(shut, columns)


def auto_folded(
    mapping: Mapping, verdicts: Dict[str, str] | None = None, most: int = MOST_LINES
) -> set[str]:
    """The scopes that `layer_graph_svg` folds by itself."""
    return _Drawing(mapping, {}, verdicts or {}).chosen_folding(most)


class _Drawing:
    def __init__(
        self, mapping: Mapping, errors: Dict[str, float], verdicts: Dict[str, str]
    ) -> None:
        self.mapping = mapping
        self.errors = errors
        self.verdicts = verdicts
        self.tree = scope_tree(mapping)

    # --- folding --------------------------------------------------------------------------------

    def chosen_folding(self, most: int) -> set[str]:
        """Open the scopes with failing layers, then whole levels from outside while they fit."""
        scopes = list(scopes_in(self.tree))
        shut = {scope.path for scope in scopes}
        lines = len(self.tree.children)
        for scope in scopes:  # outer ones come first
            more = len(scope.children)
            if _parent(scope) not in shut and self._fails(scope) and lines + more <= 3 * most:
                shut.discard(scope.path)
                lines += more
        for depth in range(max((scope.depth for scope in scopes), default=-1) + 1):
            level = [
                scope
                for scope in scopes
                if scope.depth == depth and scope.path in shut and _parent(scope) not in shut
            ]
            more = sum(len(scope.children) for scope in level)
            if lines + more > most:
                break
            shut.difference_update(scope.path for scope in level)
            lines += more
        return shut

    def _fails(self, scope: Scope) -> bool:
        return any(self.verdicts.get(row.path) in ("wrong", "suspicious") for row in scope.rows)

    # --- lines ----------------------------------------------------------------------------------

    def lines(self, shut: Collection[str]) -> list[Line]:
        """The visible lines, inputs first and outputs last."""
        found: list[Line] = [
            Line(f"<{value.label}", f"{value.label}  {shapes_text([value])}", 0, [])
            for value in self.mapping.program.inputs
        ]
        self._lay(self.tree, shut, found)
        found += [
            Line(f">{number}", f"output {value.label}  {shapes_text([value])}", 0, [])
            for number, value in enumerate(self.mapping.program.outputs)
        ]
        for number, line in enumerate(found):
            line.number = number
        return found

    def _lay(self, scope: Scope, shut: Collection[str], found: list[Line]) -> None:
        for key, child in scope.children.items():
            if isinstance(child, Row):
                found.append(Line(child.path, key[1:], scope.depth + 1, [child]))
                continue
            line = Line(child.path, child.name, child.depth, child.rows, True, child.path in shut)
            found.append(line)
            if not line.folded:
                self._lay(child, shut, found)
            line.last = len(found) - 1

    def edges(self, lines: list[Line]) -> list[tuple[int, int]]:
        """Which line feeds which, without the titles of open scopes."""
        makers: dict[Value, int] = {}
        inputs = self.mapping.program.inputs
        outputs = self.mapping.program.outputs
        for number, value in enumerate(inputs):
            makers[value] = number
        drawn = [line for line in lines if line.rows and (not line.scope or line.folded)]
        for line in drawn:
            for row in line.rows:
                makers.update(dict.fromkeys(row.values, line.number))
        found: dict[tuple[int, int], None] = {}
        for line in drawn:
            for row in line.rows:
                reads = row.reads or (tuple(row.op.operands) if row.op else ())
                for value in reads:
                    if makers.get(value, line.number) != line.number:
                        found[makers[value], line.number] = None
        for number, value in enumerate(outputs):
            if value in makers:
                found[makers[value], len(lines) - len(outputs) + number] = None
        return list(found)

    # --- places ---------------------------------------------------------------------------------

    def svg(self, shut: Collection[str], columns: int) -> str:
        lines = self.lines(shut)
        count = columns or max(1, min(3, math.ceil(len(lines) / _COLUMN_LINES)))
        tall = math.ceil(len(lines) / count)
        edges = self.edges(lines)
        lanes = _lanes([edge for edge in edges if not _straight(edge, lines)], tall)
        deepest = max((line.depth for line in lines), default=0)
        wide = _TEXT + _INDENT * min(deepest, 8)
        used = max(lanes.values(), default=-1) + 1
        step = wide + used * _LANE + _GAP
        for line in lines:
            line.column, number = divmod(line.number, tall)
            line.y = 46 + number * _LINE
        width, height = count * step + 12, 46 + tall * _LINE + 14
        place = _Place(step, wide, tall)
        parts = [self._legend(width)]
        parts += [self._scope_box(line, place) for line in lines if line.scope and not line.folded]
        for first, last in edges:
            if _straight((first, last), lines):
                steps = zip(lines[first:last], lines[first + 1 : last + 1], strict=True)
                parts += [_edge(a, b, lanes, place) for a, b in steps]
            else:
                parts.append(_edge(lines[first], lines[last], lanes, place))
        parts += [self._line(line, place) for line in lines]
        label = escape_text(f"Layer graph of {len(self.tree.rows)} layers")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="wlg" role="img" aria-label="{label}" '
            f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
            f"<style>{STYLE}</style>{''.join(parts)}</svg>"
        )

    def _scope_box(self, line: Line, place: _Place) -> str:
        """The frame of an open scope, one piece a column."""
        pieces = []
        first, last = line.number, line.last
        while first <= last:
            end = min(last, (first // place.tall + 1) * place.tall - 1)
            x = place.left(first // place.tall) + _INDENT * min(line.depth, 8) - 4
            y = 46 + (first % place.tall) * _LINE - 1
            width = place.wide - _INDENT * min(line.depth, 8) + 8
            pieces.append(
                f'<rect class="wlg-box" x="{x:g}" y="{y:g}" width="{width:g}" '
                f'height="{(end - first + 1) * _LINE:g}" rx="5"/>'
            )
            first = end + 1
        return "".join(pieces)

    def _line(self, line: Line, place: _Place) -> str:
        x = place.left(line.column) + _INDENT * min(line.depth, 8)
        width = place.wide - _INDENT * min(line.depth, 8)
        worst = max((self.verdicts.get(row.path, "") for row in line.rows), key=_rank, default="")
        known = [self.errors[row.path] for row in line.rows if row.path in self.errors]
        error = max(known, key=_size) if known else None
        if not line.rows:
            return _end(line, x, width)
        kind = "wlg-open" if line.scope and not line.folded else f"wlg-{level_of(error)}"
        classes = f"wlg-item {kind}" + (f" wlg-{worst}" if worst else "")
        number = _short(error)
        told = _GLYPHS.get(worst, "")
        name = line.name
        if line.scope:
            name = f"{'▸' if line.folded else '▾'} {line.name}"
        side = _side(line)
        room = int((width - 80) / _CHARACTER) - len(side)
        fold = f' data-scope="{int(line.folded)}"' if line.scope else ""
        return (
            f'<g class="{classes}" data-path="{_attribute(line.path)}"{fold}>'
            f"<title>{escape_text(_printable(self._told(line, worst, error)))}</title>"
            f'<rect x="{x:g}" y="{line.y:g}" width="{width:g}" height="{_BOX}" rx="3"/>'
            f'<text x="{x + 7:g}" y="{line.y + 13:g}">{_cut(name, room)}</text>'
            f'<text class="wlg-side" x="{x + width - 62:g}" y="{line.y + 13:g}" '
            f'text-anchor="end">{escape_text(_printable(side))}</text>'
            f'<text class="wlg-number" x="{x + width - 6:g}" y="{line.y + 13:g}" '
            f'text-anchor="end">{escape_text(f"{told} {number}".strip())}</text></g>'
        )

    def _told(self, line: Line, worst: str, error: float | None) -> str:
        """What a pointer over the line shows."""
        parts = [line.path]
        if line.scope:
            parts.append(f"{len(line.rows)} layers")
        else:
            row = line.rows[0]
            parts.append(f"{', '.join(row.ops)} → {row.target or 'not supported'}")
            parts.append(f"output {shapes_text(row.values)}")
            if row.note:
                parts.append(row.note)
        if worst:
            parts.append(f"{'worst: ' if line.scope else ''}{worst}")
        if error is not None:
            parts.append(f"error {error:.2e} of the scale")
        return "\n".join(parts)

    def _legend(self, width: float) -> str:
        x, parts = 6.0, ['<text class="wlg-side" x="6" y="14">Error of the scale</text>']
        x += 112
        for name, label in LEVELS:
            parts.append(
                f'<g class="wlg-item wlg-{name}"><rect x="{x:g}" y="3" width="16" height="14" '
                f'rx="2"/></g><text class="wlg-side" x="{x + 20:g}" y="14">'
                f"{escape_text(label)}</text>"
            )
            x += 28 + _CHARACTER * len(label)
            if x > width - 90:
                break
        words = "  ".join(f"{glyph} {verdict}" for verdict, glyph in _GLYPHS.items())
        parts.append(f'<text class="wlg-side" x="6" y="33">{escape_text(words)}</text>')
        return f'<g class="wlg-legend">{"".join(parts)}</g>'


@dataclass(frozen=True, slots=True)
class _Place:
    """Where columns are: their distance, the width of their lines, and how many lines they hold."""

    step: float
    wide: float
    tall: int

    def left(self, column: int) -> float:
        return 10 + column * self.step


def _parent(scope: Scope) -> str:
    return scope.path.rpartition(".")[0]


def _lanes(edges: list[tuple[int, int]], tall: int) -> dict[tuple[int, int], int]:
    """A lane for each line that skips others within its column; neighbours need none."""
    ends: list[int] = []
    lanes: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: (min(edge), max(edge))):
        first, last = min(edge), max(edge)
        if last - first < 2 or first // tall != last // tall:
            continue
        free = next((lane for lane, end in enumerate(ends) if end <= first), len(ends))
        free = min(free, _LANES - 1)
        if free == len(ends):
            ends.append(last)
        else:
            ends[free] = max(ends[free], last)
        lanes[edge] = free
    return lanes


def _straight(edge: tuple[int, int], lines: list[Line]) -> bool:
    """True when nothing but titles of scopes stands between the two lines."""
    first, last = edge
    between = lines[first + 1 : last]
    return first < last and all(line.scope and not line.folded for line in between)


def _edge(a: Line, b: Line, lanes: Dict[tuple[int, int], int], place: _Place) -> str:
    start, end = a.y + _BOX / 2, b.y + _BOX / 2
    if a.column == b.column and b.number - a.number == 1:
        x = place.left(a.column) + _INDENT * min(max(a.depth, b.depth), 8) + 12
        return f'<path class="wlg-edge" d="M{x:g} {a.y + _BOX:g}V{b.y:g}"/>'
    right = place.left(a.column) + place.wide
    if a.column == b.column:
        x = right + 9 + lanes.get((a.number, b.number), _LANES - 1) * _LANE
        turn = 4 if end > start else -4
        return (
            f'<path class="wlg-edge" d="M{right:g} {start:g}H{x - 4:g}q4 0 4 {turn}V{end - turn:g}'
            f'q0 {turn} -4 {turn}H{right + 5:g}"/>{_head(right, end)}'
        )
    left = place.left(b.column) + _INDENT * min(b.depth, 8)
    if left > right:
        middle = left - _GAP / 2
        return (
            f'<path class="wlg-edge wlg-far" d="M{right:g} {start:g}C{middle:g} {start:g} '
            f'{middle:g} {end:g} {left - 6:g} {end:g}"/>{_head(left, end, -1)}'
        )
    return f'<path class="wlg-edge wlg-far" d="M{right:g} {start:g}L{left:g} {end:g}"/>'


def _head(x: float, y: float, way: int = 1) -> str:
    return f'<path class="wlg-head" d="M{x:g} {y:g}l{6 * way} -3v6z"/>'


def _end(line: Line, x: float, width: float) -> str:
    """An input or output of the model."""
    return (
        f'<g class="wlg-end"><rect x="{x:g}" y="{line.y:g}" width="{width:g}" height="{_BOX}" '
        f'rx="9"/><text x="{x + 12:g}" y="{line.y + 13:g}">'
        f"{_cut(line.name, int(width / _CHARACTER) - 3)}</text></g>"
    )


def _side(line: Line) -> str:
    if line.scope:
        return f"{len(line.rows)} layers" if line.folded else ""
    return line.rows[0].target[:22] or "✕ unsupported"


def _cut(text: str, room: int) -> str:
    text = text if len(text) <= max(room, 6) else f"{text[: max(room, 6) - 1]}…"
    return escape_text(_printable(text))


def _attribute(text: str) -> str:
    return escape_text(_printable(text), {'"': "&quot;"})


def _printable(text: str) -> str:
    """Without the control characters that XML forbids."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def _short(error: float | None) -> str:
    if error is None:
        return ""
    if not math.isfinite(error):
        return "∞"
    return f"{error:.1e}".replace("e-0", "e-") if error else "0"


def _rank(verdict: str) -> int:
    return _RANKS.index(verdict) if verdict in _RANKS else 0


def _size(error: float) -> float:
    return math.inf if math.isnan(error) else error
