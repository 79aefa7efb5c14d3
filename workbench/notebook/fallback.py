"""Widgets that leave something to read where no kernel runs.

JupyterLab prefers the widget to all else in an output and shows an error when its kernel is gone.
So the static form is an output of its own above the widget, which hides it for as long as it is
alive.
"""

from __future__ import annotations

import secrets
from typing import Any

import anywidget
import traitlets

_LATE = (
    "<style>@keyframes wbe-late{from{max-height:0;opacity:0}}"
    ".wbe-still{overflow:auto;max-height:560px}"
    "@media screen{.wbe-still{animation:wbe-late .01s 3s backwards}}"
    ".jp-OutputArea-child:has(.wbe-still)+.jp-OutputArea-child:not(:has(.wbe-editor,.wbg-layers))"
    "{display:none}</style>"
)


class StillWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget with a static form; subclasses give it in `still_html`."""

    still = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(still=f"wbe-still-{secrets.token_hex(6)}", **traits)

    def still_html(self) -> str:
        """The static form as HTML; everything that comes from the model must be escaped."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        """Show the static form, late so that a quick widget can hide it before, and the widget."""
        from IPython.display import display

        bundle = super()._repr_mimebundle_()
        still = f"{_LATE}<div class='wbe-still' id='{self.still}'>{self.still_html()}</div>"
        display({"text/html": still, "text/plain": repr(self)}, raw=True)  # type: ignore[no-untyped-call]
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Widget and static form in one bundle, for those who ask for it."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        more = {"text/html": self.still_html(), "text/plain": repr(self)}
        return {**bundle[0], **more}, bundle[1]
