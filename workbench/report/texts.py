"""Texts of the report in the language asked for: `texts_<language>.json`.

`{name}` in a text stands for what is filled in, `[row|rows]` for the form that `{count}` asks for.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from workbench.core.calls import Cast, Permuted, Reshaped, RowZeroed, Sliced
from workbench.core.errors import InputError
from workbench.report.changes import step_kind

LANGUAGES = ("en", "zh")
#: `[for one|for several]`.
_FORMS = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")


@cache
def _read(lang: str) -> dict[str, str]:
    path = resources.files("workbench.report").joinpath(f"texts_{lang}.json")
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


class Texts:
    """The texts of one language. Called with a key and what is filled in; all of it is escaped."""

    def __init__(self, lang: str = "en") -> None:
        if lang not in LANGUAGES:
            raise InputError(
                f"There is no report in language '{lang}'.", f"Use one of {', '.join(LANGUAGES)}."
            )
        self.lang = lang
        self._texts = _read(lang)

    def __call__(self, key: str, **filled: Any) -> Markup:
        """The text with its places filled in; markup made by us is kept, all else is escaped."""
        single = str(filled.get("count")) == "1"
        told = _FORMS.sub(lambda found: found[1 if single else 2], self._texts[key])
        text = Markup(escape(told))
        return text.format(**filled) if filled else text

    def has(self, key: str) -> bool:
        """True when there is such a text."""
        return key in self._texts

    def steps(self, steps: tuple[Any, ...]) -> str:
        """Weight steps in words, without the sizes of one weight."""
        if self.lang == "en":
            return ", ".join(step_kind(step) for step in steps)
        return "，".join(_chinese(step) for step in steps)

    def run(self, told: str) -> Any:
        """What the inputs of a run are meant to show, in this language where it is known."""
        return self(f"run_{told}") if self.has(f"run_{told}") else told

    def health(self, health: str) -> str:
        """A finding on a reference, `vanishing scale 1e-12`, in this language."""
        word, _, rest = health.partition(" ")
        if self.lang == "en" or word not in _HEALTH:
            return health
        return f"{_HEALTH[word]} {rest.removeprefix('scale ')}".strip()


_HEALTH = {
    "constant": "恒定",
    "vanishing": "数值趋零",
    "NaN": "含 NaN",
    "infinite": "含无穷大",
    "empty": "空",
    "rounding": "仅含舍入误差",
}


def _chinese(step: Any) -> str:
    if isinstance(step, Permuted):
        return "转置" if step.axes == (1, 0) else f"维度重排 {step.axes}"
    if isinstance(step, Reshaped):
        return "改变形状"
    if isinstance(step, Sliced):
        return "取一部分"
    if isinstance(step, Cast):
        return f"转换为 {step.dtype}"
    if isinstance(step, RowZeroed):
        return f"第 {step.row} 行置零"
    return str(step)
