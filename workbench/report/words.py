"""Numbers, calls and names as a person reads them."""

from __future__ import annotations

import math
import unicodedata

from workbench.checks.results.statistics import L2_GOOD, L2_INVESTIGATE, ErrorStats
from workbench.core.calls import Weight
from workbench.core.mapping import Mapping, Row
from workbench.editing.listing import brief_text, shortened

#: What stands before a verdict, so that none is told by colour alone.
SIGNS = {
    "exact": "✓", "rounding": "≈", "suspicious": "▲", "wrong": "✕", "unchecked": "–",
    "passed": "✓", "failed": "✕", "unverified": "?", "unproven": "?", "incomplete": "…",
}  # fmt: skip
#: Longest text of a call; what is cut off stands in the mapping and in the source.
CALL_LENGTH = 160


def scientific(number: float | None) -> str:
    """An error: two digits and a short exponent, or three plain digits when it is not small.

    >>> scientific(1.234e-07), scientific(1e-5), scientific(0.0123), scientific(0.0)
    ('1.2e-7', '1e-5', '0.0123', '0')
    >>> scientific(float("inf")), scientific(None)
    ('∞', '')
    """
    if number is None:
        return ""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number == 0:
        return "0"
    if 0.01 <= abs(number) < 1000:
        return f"{number:.3g}"
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def times(ratio: float | None) -> str:
    """Error over tolerance: how many times the tolerance.

    >>> times(0.0), times(0.004), times(0.53), times(12.3), times(78123.0), times(float("inf"))
    ('0', '<0.01×', '0.53×', '12×', '7.8e4×', '∞')
    """
    if ratio is None:
        return ""
    if ratio == 0 or not math.isfinite(ratio):
        return scientific(ratio)
    if ratio < 0.01:
        return "<0.01×"
    if ratio < 10:
        return f"{ratio:.2f}×"
    return f"{ratio:.0f}×" if ratio < 10_000 else f"{scientific(ratio)}×"


def counted(number: int) -> str:
    """A whole number with separators."""
    return f"{number:,}"


def size(count: int) -> str:
    """A number of bytes.

    >>> size(512), size(44788147)
    ('512 B', '44.8 MB')
    """
    if count < 1000:
        return f"{count} B"
    for unit, scale in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 999.5 * scale or unit == "GB":
            return f"{count / scale:.1f} {unit}"
    raise AssertionError


def dims(shape: tuple[int, ...] | list[int]) -> str:
    """A shape; a dynamic dimension is shown as `?`.

    >>> dims((-1, 3, 224, 224)), dims(())
    ('[?, 3, 224, 224]', '[]')
    """
    return f"[{', '.join('?' if dim < 0 else str(dim) for dim in shape)}]"


def visible(text: str) -> str:
    r"""Text with the characters that could hide or reorder it written out.

    >>> visible("a\u202eb\x00")
    'a\\u202eb\\u0000'
    """
    if text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char.isprintable() or char in "\n\t\u3000\u00a0":
        return char
    if unicodedata.category(char) in ("Cn", "Co") and ord(char) > 0xFFFF:
        return f"\\U{ord(char):08x}"
    return f"\\u{ord(char):04x}"


def document_verdict(error: ErrorStats | None) -> str:
    """What the flat L2 thresholds of the reference documents say."""
    if error is None:
        return ""
    if error.l2 <= L2_GOOD:
        return "good"
    return "fair" if error.l2 <= L2_INVESTIGATE else "investigate"


def call_text(mapping: Mapping, row: Row) -> str:
    """What a row becomes, as in source code; what is long is cut."""
    return shortened(brief_text(mapping, row), CALL_LENGTH)


def weight_text(key: str, weight: Weight) -> str:
    """Where one parameter comes from: `weight ← fc.w_0, transposed (784, 256) → (256, 784)`."""
    steps = f", {weight}" if weight.steps else ""
    return f"{key or 'value'} ← {weight.parameter}{steps}"
