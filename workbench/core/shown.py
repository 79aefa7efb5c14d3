"""How an object looks where it is looked at: a page, a notebook, a figure.

Plain data knows nothing of screens. It asks here for its form, and who can draw it has registered
so (see `workbench.app.forms`).
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable
from typing import Any

Draw = Callable[[Any], Any]

#: (name of the class, form) → what imports and returns the function that draws it.
_FORMS: dict[tuple[str, str], Callable[[], Draw]] = {}


def register(kind: str, form: str, load: Callable[[], Draw]) -> None:
    """Say who draws objects of the class `kind` as `form`; `load` is called when first needed."""
    _FORMS[kind, form] = load


def drawn(thing: Any, form: str) -> Any:
    """The object in a form, as its class or the nearest base class is registered.

    Raises LookupError when nobody registered.
    """
    for kind in type(thing).__mro__:
        if (kind.__name__, form) in _FORMS:
            return _FORMS[kind.__name__, form]()(thing)
    raise LookupError(f"no form '{form}' is registered for {type(thing).__name__}")


def html(thing: Any) -> str:
    """The object as HTML for a notebook; its plain text where nobody draws it."""
    try:
        return str(drawn(thing, "html"))
    except LookupError:
        return f"<pre>{markup.escape(repr(thing))}</pre>"
