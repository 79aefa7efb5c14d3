"""The texts: complete in both languages, all of them used, and escaped when filled in."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

import workbench.report
from workbench.checks.results.checks import VERDICTS
from workbench.core.calls import Cast, Permuted, Reshaped, RowZeroed, Sliced
from workbench.core.errors import InputError
from workbench.report.texts import LANGUAGES, Texts

FOLDER = Path(workbench.report.__file__).parent
TEXTS = {lang: json.loads((FOLDER / f"texts_{lang}.json").read_text("utf-8")) for lang in LANGUAGES}
#: Keys that the templates put together: t('v_' + verdict).
PREFIXES = (
    "v_", "d_", "s_", "st_", "e_", "r_", "u_", "bucket_", "concern_", "why_", "passed", "failed",
    "unproven", "unverified", "incomplete", "run_", "gap_", "change_", "place_", "g_",
    "training_norm_",
)  # fmt: skip


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_have_the_same_texts_with_the_same_places() -> None:
    first, *others = TEXTS.values()
    for other in others:
        assert set(other) == set(first)
        for key, text in first.items():
            assert places(text) == places(other[key]), key


def test_every_text_is_used_and_every_key_exists() -> None:
    sources = [*FOLDER.glob("*.j2"), *FOLDER.glob("*.py")]
    used = set()
    for path in sources:
        used |= set(re.findall(r"""\b(?:t|texts)\(\s*['"](\w+)['"]""", path.read_text("utf-8")))
        found = re.findall(r"""'(\w+)' if [^)]+ else '(\w+)'""", path.read_text("utf-8"))
        used |= {key for pair in found for key in pair if key in TEXTS["en"]}
    unknown = {key for key in used if key not in TEXTS["en"] and f"{key}" not in PREFIXES}
    assert not unknown
    unused = {key for key in TEXTS["en"] if key not in used and not key.startswith(PREFIXES)}
    assert unused <= {"lang"}


def test_every_verdict_has_a_word() -> None:
    for texts in TEXTS.values():
        assert all(f"v_{verdict}" in texts for verdict in VERDICTS)


def test_what_is_filled_in_is_escaped() -> None:
    texts = Texts("en")
    assert texts("own_rule", rule="<b>") == "rule of your own: &lt;b&gt;"
    assert texts("why_problem", problem="{0.__class__}").endswith("{0.__class__}.")


def test_weight_steps_are_told_in_both_languages() -> None:
    steps = (Permuted((1, 0)), Permuted((2, 0, 1)), Reshaped((4,), (2, 2)), Sliced(0, 0, 2),
             Cast("float32"), RowZeroed(3))  # fmt: skip
    assert Texts("en").steps(steps) == (
        "transposed, permuted (2, 0, 1), reshaped, part taken, cast to float32, row 3 set to zero"
    )
    assert "转置" in Texts("zh").steps(steps)
    assert "transposed" not in Texts("zh").steps(steps)


def test_health_is_told_in_chinese() -> None:
    assert Texts("zh").health("vanishing scale 1e-12") == "数值趋零 1e-12"
    assert Texts("zh").health("something new") == "something new"
    assert Texts("en").health("constant") == "constant"


def test_unknown_language() -> None:
    with pytest.raises(InputError, match="fr"):
        Texts("fr")


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "1 row was edited by hand; see Mapping."), (2, "2 rows were edited by hand; see Mapping."),
     ("1,000", "1,000 rows were edited by hand; see Mapping.")],
)  # fmt: skip
def test_one_and_several(count: object, told: str) -> None:
    assert str(Texts("en")("concern_edited", count=count)) == told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_form_is_chosen(lang: str) -> None:
    """No text is left with both forms when there is a count."""
    texts = Texts(lang)
    for key, text in texts._texts.items():
        if "{count}" in text:
            places = dict.fromkeys(re.findall(r"{(\w+)}", text), 2)
            assert "|" not in str(texts(key, **places))
        else:
            assert "|" not in text
