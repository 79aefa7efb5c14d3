"""Pictures of a real sample."""

from __future__ import annotations

from pathlib import Path

import pytest

import workbench as wb
from workbench.core.errors import InputError
from workbench.notebook.pictures import layer_scatter, sample_answers


def texts(figure: object) -> list[str]:
    """What the axes of a figure are called."""
    return [axes.get_title(loc="left") for axes in figure.get_axes()]  # type: ignore[attr-defined]


def test_samples_are_shown_with_the_models_answers(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        assert texts(sample_answers(migration, data / "digits_classifier", 3)) == [
            "9 (it is 3)", "8", "7",
        ]  # fmt: skip
    with wb.load(data / "crnn_recognizer") as migration:
        told = texts(sample_answers(migration, data / "crnn_recognizer", 2))
    assert all(text and set(text) <= set("0123456789-./:,") for text in told)


def test_models_without_pictures_say_so(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "transformer_encoder") as migration:
        for folder, told in ((data / "transformer_encoder", "not pictures"), (tmp_path, "no lab")):
            (text,) = sample_answers(migration, folder).texts
            assert told in text.get_text()


def test_a_layer_is_drawn_against_paddle(data: Path) -> None:
    with wb.load(data / "legacy_classifier") as migration:
        path = next(row.path for row in migration.mapping.walk() if row.target == "nn.Linear")
        with pytest.raises(InputError, match="no value of Paddle"):
            layer_scatter(migration, path)
        migration.verify()
        figure = layer_scatter(migration, path)
    assert figure.get_axes()[0].get_xlabel() == "Paddle (reference)"
