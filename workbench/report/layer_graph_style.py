"""Colours of the layer graph: levels of the error, for light and dark pages and for print."""

from __future__ import annotations

import math

#: Levels of the error relative to the scale of the output: class and label.
LEVELS = (
    ("none", "not measured"),
    ("e0", "0"),
    ("e1", "< 1e-7"),
    ("e2", "< 1e-6"),
    ("e3", "< 1e-5"),
    ("e4", "< 1e-4"),
    ("e5", "< 1e-2"),
    ("e6", "≥ 1e-2"),
)
_LIMITS = ((1e-7, "e1"), (1e-6, "e2"), (1e-5, "e3"), (1e-4, "e4"), (1e-2, "e5"))


def level_of(error: float | None) -> str:
    """The level of an error.

    >>> level_of(None), level_of(0.0), level_of(3e-8), level_of(0.5), level_of(float("nan"))
    ('none', 'e0', 'e1', 'e6', 'e6')
    """
    if error is None:
        return "none"
    if error == 0:
        return "e0"
    if math.isnan(error):
        return "e6"
    return next((name for limit, name in _LIMITS if error < limit), "e6")


_LIGHT = {
    "none": ("#f1f3f5", "#ced4da"), "e0": ("#dff3e6", "#8fcba4"), "e1": ("#e8f6ea", "#a5d3b0"),
    "e2": ("#eff7e6", "#b6d39b"), "e3": ("#f6f7dc", "#cfcf8a"), "e4": ("#fdf0c0", "#e0bd55"),
    "e5": ("#fbcfa6", "#d98338"), "e6": ("#f39a94", "#b3261e"),
}  # fmt: skip
_DARK = {
    "none": ("#2a2f35", "#4a525b"), "e0": ("#163526", "#2f7a51"), "e1": ("#1b3325", "#37704e"),
    "e2": ("#233320", "#4e7040"), "e3": ("#31331a", "#6f7034"), "e4": ("#433610", "#a38026"),
    "e5": ("#52310f", "#bf7429"), "e6": ("#611c1c", "#e0605a"),
}  # fmt: skip


def _fills(colours: dict[str, tuple[str, str]], before: str = "") -> str:
    return "".join(
        f"{before}.wlg-{name}>rect{{fill:{fill};stroke:{line}}}"
        for name, (fill, line) in colours.items()
    )


def _page(ink: str, muted: str, box: str, edge: str, before: str = "") -> str:
    return (
        f"{before}.wlg text{{fill:{ink}}}{before}.wlg .wlg-side{{fill:{muted}}}"
        f"{before}.wlg-box{{stroke:{box}}}{before}.wlg-edge{{stroke:{edge}}}"
        f"{before}.wlg-head{{fill:{edge}}}{before}.wlg-end>rect{{stroke:{edge}}}"
    )


_INK = ("#1b1f24", "#59636e", "#b9c1c9", "#8a949e")
_DARK_INK = ("#e3e7eb", "#9ba6b2", "#4a525b", "#7d8894")
#: JupyterLab says on the body which theme it has; elsewhere the browser's wish counts.
_LAB, _ELSEWHERE = 'body[data-jp-theme-light="false"] ', "body:not([data-jp-theme-light]) "
STYLE = (
    ".wlg{font:11px system-ui,-apple-system,'Segoe UI',sans-serif}"
    ".wlg-item>rect{stroke-width:1}.wlg-box{fill:none;stroke-width:1}"
    ".wlg-end>rect{fill:none;stroke-width:1}.wlg-open>rect{fill:none;stroke:none}"
    ".wlg-open>text{font-weight:600}.wlg-edge{fill:none;stroke-width:1.2}.wlg-far{opacity:.55}"
    ".wlg-number{font-variant-numeric:tabular-nums}"
    ".wlg-wrong>rect{stroke-width:2.5}.wlg-wrong>text{font-weight:700}"
    ".wlg-suspicious>rect{stroke-width:2;stroke-dasharray:4 2}"
    + _page(*_INK)
    + _fills(_LIGHT)
    + "@media screen and (prefers-color-scheme:dark){"
    + _page(*_DARK_INK, _ELSEWHERE)
    + _fills(_DARK, _ELSEWHERE)
    + "}"
    + _page(*_DARK_INK, _LAB)
    + _fills(_DARK, _LAB)
)
