"""Figures that look right in light and dark notebooks, and show themselves once."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, to_rgb
from matplotlib.figure import Figure

#: Grey that reads on white and on black, and the colours of the series, chosen likewise.
INK, FAINT = "#7d7d7d", "#7d7d7d40"
ALONE, CHAIN, FAULT = "#3d85c6", "#cf7f2a", "#d6483c"
_DPI = 100
_SHARPNESS = 2


class Plot(Figure):  # type: ignore[misc]
    """A matplotlib figure without pyplot: nothing global, and a notebook shows it as its result.

    The background is transparent, so that it fits the theme of the notebook and of a page.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="none")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        data = self.png()
        wide, tall = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
        return data, {"width": wide // _SHARPNESS, "height": tall // _SHARPNESS}

    def png(self) -> bytes:
        """The figure as PNG, at twice the resolution for sharp screens."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI * _SHARPNESS, bbox_inches="tight")
        return buffer.getvalue()


def styled(axes: Any, title: str = "", size: float = 9, colour: str = INK) -> Any:
    """The axes in the colours that read in both themes; returns them."""
    axes.set_facecolor("none")
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    axes.tick_params(colors=INK, which="both", labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=9)
    if title:
        axes.set_title(title, color=colour, fontsize=size, loc="left")
    return axes


def legend(axes: Any, **options: Any) -> None:
    """A legend without a box."""
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, **options)


def message(text: str) -> Plot:
    """A figure that says why there is nothing to draw."""
    figure = Plot(6, 0.8)
    figure.text(0.5, 0.5, text, color=INK, ha="center", va="center")
    return figure


def fading(colour: str) -> Colormap:
    """A colour map from faint to full: the background shines through where there is little."""
    red, green, blue = to_rgb(colour)
    shades = [(red, green, blue, 0.12 + 0.88 * step / 63) for step in range(64)]
    return ListedColormap(shades).with_extremes(bad=(0, 0, 0, 0))


def shortened(path: str, length: int = 34) -> str:
    """The end of a path, which tells layers apart; `$` is no mathematics here."""
    return plain(path if len(path) <= length else f"…{path[-length + 1 :]}")


def plain(text: str) -> str:
    r"""Text that matplotlib takes as it is: `$` does not start a formula, no line breaks.

    >>> plain("a$b$")
    'a\\$b\\$'
    """
    kept = "".join(char if char.isprintable() else "�" for char in text)
    return kept.replace("$", r"\$")
