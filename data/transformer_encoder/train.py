"""Train the text classifier and write this folder: python -m data.transformer_encoder.train.

The task: in which language is this number spelled out, or is it scrambled? Scrambled texts have
the letters of a real one in another order, so the answer needs the position embedding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle

from data import _common as common
from data.transformer_encoder.model import PAD, TextClassifier
from data.transformer_encoder.number_words import LANGUAGES

FOLDER = Path(__file__).resolve().parent
CLASSES = [*LANGUAGES, "scrambled"]
SPECIAL = ["[PAD]", "[CLS]"]
NUMBERS = [n for n in range(20, 10_000) if n != 1000]  # mille is French and Italian


def scrambled(text: str, rng: np.random.Generator) -> str:
    """The same letters in another, random order."""
    mixed = text
    while mixed == text:
        mixed = "".join(rng.permutation(list(text)))
    return mixed


def draw_texts(
    numbers: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[list[str], np.ndarray]:
    """Random numbers spelled in random languages, one part in four scrambled; and the classes."""
    languages = rng.integers(len(LANGUAGES), size=count)
    spell = list(LANGUAGES.values())
    texts = [
        spell[k](int(n)) for k, n in zip(languages, rng.choice(numbers, size=count), strict=True)
    ]
    spoil = rng.random(count) < 0.25
    texts = [scrambled(text, rng) if bad else text for text, bad in zip(texts, spoil, strict=True)]
    return texts, np.where(spoil, len(LANGUAGES), languages).astype(np.int64)


def encode(texts: list[str], tokens: dict[str, int]) -> np.ndarray:
    """Token ids [N, L] with [CLS] in front, padded with 0 to the longest."""
    ids = np.full((len(texts), max(map(len, texts)) + 1), PAD, dtype=np.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text) + 1] = [tokens["[CLS]"], *(tokens[letter] for letter in text)]
    return ids


def main() -> None:
    """Train, export, measure the exported program, write the evaluation set."""
    rng = common.seed_everything()
    letters = sorted({c for n in NUMBERS for spell in LANGUAGES.values() for c in spell(n)})
    tokens = {token: index for index, token in enumerate([*SPECIAL, *letters])}
    numbers = rng.permutation(NUMBERS)
    held_out, trained_on = numbers[:2000], numbers[2000:]
    layer = TextClassifier(len(tokens), len(CLASSES))

    def batch_loss() -> paddle.Tensor:
        texts, labels = draw_texts(trained_on, 64, rng)
        return paddle.nn.functional.cross_entropy(
            layer(paddle.to_tensor(encode(texts, tokens))), paddle.to_tensor(labels)
        )

    common.train(layer, batch_loss, steps=1000, peak=2e-3)

    spec = paddle.static.InputSpec([-1, -1], "int64", name="ids")
    paddle.jit.save(layer, str(FOLDER / "inference"), input_spec=[spec])
    (FOLDER / "vocab.txt").write_text("".join(f"{t}\n" for t in tokens), encoding="utf-8")
    (FOLDER / "classes.txt").write_text("".join(f"{c}\n" for c in CLASSES), encoding="utf-8")

    texts, labels = draw_texts(held_out, 1000, rng)
    common.evaluate_classifier(FOLDER / "inference", encode(texts, tokens), labels)


if __name__ == "__main__":
    main()
