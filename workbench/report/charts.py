"""Small drawings for the report: SVG that takes its colours from the page's stylesheet.

Every drawing is made of numbers only; names go through `escape`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from workbench.checks.results.checks import Check, LayerCheck
from workbench.checks.results.statistics import EDGES, ErrorStats
from workbench.report.words import scientific, visible

_BINS = len(EDGES) - 1
#: Height of the bars of a small histogram; the page gives it the size in pixels.
_TALL = 12
#: Largest number of points of the depth chart that carry a name and a link.
_NAMED_POINTS = 60


def mini_histogram(check: Check) -> str:
    """The distribution of one layer's errors, about 150 bytes; the tick is the tolerance.

    A bar's height is the share of elements on a square-root scale; the first bar, apart from the
    others, is the share of elements with no error at all.
    """
    error = check.error
    if error is None or not error.elements:
        return ""
    top = math.sqrt(max(error.zeros, *error.counts, 1))
    heights = [round(_TALL * math.sqrt(count) / top) for count in (error.zeros, *error.counts)]
    heights = [
        max(height, int(count > 0))
        for height, count in zip(heights, (error.zeros, *error.counts), strict=True)
    ]
    bars = _outline(heights)
    mark = _tolerance_place(check)
    tick = f'<path class=t d="M{mark:.3g} 0v{_TALL}"/>' if mark is not None else ""
    return f'<svg class=h viewBox="0 0 {_BINS + 2} {_TALL}"><path d="{bars}"/>{tick}</svg>'


def _outline(heights: Sequence[int]) -> str:
    """One path for all bars: the zero bar at 0, an empty place, then the bins from 2 on."""
    moves = []
    before = 0
    for place, height in enumerate((heights[0], 0, *heights[1:], 0)):
        if height != before:
            moves.append(f"V{_TALL - height}" if before else f"M{place} {_TALL}V{_TALL - height}")
        if height:
            moves.append("h1")
        before = height
    return _joined("".join(moves))


def _joined(path: str) -> str:
    """Steps of one direction in one: `h1h1` is `h2`."""
    return re.sub(r"(?:h1){2,}", lambda found: f"h{len(found[0]) // 2}", path)


def _tolerance_place(check: Check) -> float | None:
    """Where the tolerance stands on the axis of a small histogram."""
    if check.error is None or not check.tolerance:
        return None
    log = math.log10(check.tolerance / (check.error.scale or 1.0))
    place = (log - float(EDGES[0])) / float(EDGES[1] - EDGES[0])
    return 2 + min(max(place, 0.0), float(_BINS))


def large_histogram(check: Check, label: str, title: str) -> str:
    """The same distribution with an axis, for the layers shown in detail."""
    error = check.error
    if error is None or not error.elements:
        return ""
    width, height, base = 300, 82, 66
    step = (width - 24) / (_BINS + 2)
    top = math.sqrt(max(error.zeros, *error.counts, 1))
    bars = []
    for place, count in enumerate((error.zeros, *error.counts)):
        if count:
            tall = max(56 * math.sqrt(count) / top, 1)
            x = 12 + (place + (place > 0)) * step
            bars.append(f"M{x:.1f} {base}v-{tall:.1f}h{step - 1:.1f}v{tall:.1f}z")
    ticks = "".join(
        f'<text x="{12 + (2 + (log - EDGES[0]) * 2) * step:.1f}" y="{base + 12}">1e{log}</text>'
        for log in range(-8, 3, 2)
    )
    mark = _tolerance_place(check)
    line = f'<path class="t" d="M{12 + mark * step:.1f} 8V{base}"/>' if mark is not None else ""
    return (
        f'<svg class="big" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<path class="axis" d="M12 {base}H{width - 12}"/><path class="bar" d="{"".join(bars)}"/>'
        f'{line}<text x="{12 + step / 2:.1f}" y="{base + 12}">0</text>{ticks}'
        f'<text class="name" x="{width - 12}" y="12">{escape(title)}</text></svg>'
    )


# --- error over depth -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where data stand in the depth chart; `floor` is the lane of exact layers."""

    count: int
    low: int
    high: int
    width: int = 960
    height: int = 256
    left: int = 46
    right: int = 12
    top: int = 10
    bottom: int = 50

    def x(self, number: float) -> float:
        """Place of a layer, counted from 0."""
        inner = self.width - self.left - self.right
        return self.left + (number + 0.5) / max(self.count, 1) * inner

    def y(self, value: float) -> float:
        """Place of an error; 0 stands on the floor, what is larger than the axis at its top."""
        if value <= 0:
            return self.floor
        log = math.log10(value) if math.isfinite(value) else self.high
        share = (min(max(log, self.low), self.high) - self.low) / (self.high - self.low)
        return self.height - self.bottom - share * (self.height - self.bottom - self.top)

    @property
    def floor(self) -> float:
        """Height of the lane for layers without any error."""
        return self.height - self.bottom + 14.0


def _bound(check: Check) -> float | None:
    return relative_tolerance(check) or None if check.error else None


def relative_tolerance(check: Check) -> float:
    """The tolerance on the scale of the reference, like `ErrorStats.relative`."""
    scale = check.error.scale if check.error else 0.0
    return check.tolerance / scale if scale else check.tolerance


def depth_chart(
    layers: Sequence[LayerCheck], anchors: dict[str, str], words: dict[str, str]
) -> str:
    """Error of every layer against its depth: alone, in the chain, and what rounding allows.

    `anchors` gives the element id of a layer's line in the table, `words` the texts: title, exact,
    layer.
    """
    if not any(layer.alone.error or layer.chain.error for layer in layers):
        return ""
    frame = _Frame(len(layers), *_decades(layers))
    alone = [_relative(layer.alone.error) for layer in layers]
    chain = [_relative(layer.chain.error) for layer in layers]
    bounds = [_bound(layer.alone) for layer in layers]
    chain_bounds = [_bound(layer.chain) for layer in layers]
    return (
        f'<svg class="depth" viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{escape(words["title"])}">'
        f"{_axes(frame, words)}"
        f'<path class="band" d="{_band(frame, bounds)}"/>'
        f'<path class="chain bound" d="{_line(frame, chain_bounds)}"/>'
        f'<path class="chain" d="{_line(frame, chain)}"/>'
        f'<path class="alone" d="{_dots(frame, alone)}"/>'
        f"{_named(frame, layers, anchors)}</svg>"
    )


def _decades(layers: Sequence[LayerCheck]) -> tuple[int, int]:
    found = [
        value
        for layer in layers
        for value in (
            _relative(layer.alone.error), _relative(layer.chain.error),
            _bound(layer.alone), _bound(layer.chain),
        )
        if value and math.isfinite(value)
    ]  # fmt: skip
    if not found:
        return -9, -5
    low = max(math.floor(math.log10(min(found))), -12)
    high = min(math.ceil(math.log10(max(found))), 4)
    return min(low, high - 3), max(high, low + 3)


def _relative(error: ErrorStats | None) -> float | None:
    return error.relative if error else None


def _axes(frame: _Frame, words: dict[str, str]) -> str:
    step = max(1, (frame.high - frame.low) // 6)
    lines, texts = [], []
    for log in range(frame.low, frame.high + 1, step):
        y = frame.y(10.0**log)
        lines.append(f"M{frame.left} {y:.1f}H{frame.width - frame.right}")
        texts.append(f'<text class="y" x="{frame.left - 6}" y="{y + 3:.1f}">1e{log}</text>')
    texts.append(
        f'<text class="y" x="{frame.left - 6}" y="{frame.floor + 3}">'
        f"{escape(words['exact'])}</text>"
    )
    for number in _numbers(frame.count):
        x = frame.x(number - 1)
        texts.append(f'<text x="{x:.1f}" y="{frame.height - 19}">{number}</text>')
    middle = (frame.left + frame.width - frame.right) / 2
    texts.append(f'<text x="{middle}" y="{frame.height - 4}">{escape(words["layer"])}</text>')
    return f'<path class="grid" d="{"".join(lines)}"/>{"".join(texts)}'


def _numbers(count: int) -> list[int]:
    """Layer numbers for the axis: about ten round ones, the first and the last."""
    rough = max(count / 10, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(int(m * power) for m in (1, 2, 5, 10) if m * power >= rough)
    inner = [n for n in range(step, count, step) if count - n >= step / 2 and n > 1]
    return sorted({1, *inner, count}) if count else []


def _band(frame: _Frame, bounds: Sequence[float | None]) -> str:
    """The area below the tolerance, drawn as steps; equal neighbours are drawn at once."""
    moves = []
    half = (frame.x(1) - frame.x(0)) / 2
    base = frame.height - frame.bottom
    start = 0
    for place in range(1, len(bounds) + 1):
        if place < len(bounds) and bounds[place] == bounds[start]:
            continue
        bound = bounds[start]
        if bound:
            left, right = frame.x(start) - half, frame.x(place - 1) + half
            moves.append(f"M{left:.1f} {base}V{frame.y(bound):.1f}H{right:.1f}V{base}z")
        start = place
    return "".join(moves)


def _line(frame: _Frame, values: Sequence[float | None]) -> str:
    moves, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        moves.append(f"{pen}{frame.x(place):.1f} {frame.y(value):.1f}")
        pen = "L"
    return "".join(moves)


def _dots(frame: _Frame, values: Sequence[float | None]) -> str:
    """Dots as strokes of no length with round ends: few bytes each."""
    return "".join(
        f"M{frame.x(place):.1f} {frame.y(value):.1f}h0"
        for place, value in enumerate(values)
        if value is not None
    )


def _named(frame: _Frame, layers: Sequence[LayerCheck], anchors: dict[str, str]) -> str:
    """Circles with name and link for the layers that rounding does not explain."""
    bad = [(place, layer) for place, layer in enumerate(layers) if layer.failed]
    marks = []
    for place, layer in bad[:_NAMED_POINTS]:
        value = _relative(layer.alone.error)
        y = frame.y(value if value is not None else math.inf)
        told = layer.alone.problem or scientific(value)
        mark = (
            f'<circle cx="{frame.x(place):.1f}" cy="{y:.1f}" r="5">'
            f"<title>{escape(visible(f'{layer.path}: {told}'))}</title></circle>"
        )
        anchor = anchors.get(layer.path)
        marks.append(f'<a href="#{escape(anchor)}">{mark}</a>' if anchor else mark)
    return "".join(marks)
