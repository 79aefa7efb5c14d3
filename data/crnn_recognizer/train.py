"""Train the text recogniser and write this folder: python -m data.crnn_recognizer.train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle

from data import _common as common
from data.crnn_recognizer.model import CRNN
from data.crnn_recognizer.render import (
    CHARACTERS,
    HEIGHT,
    WIDTH,
    random_line,
    random_text,
    to_batch,
)

FOLDER = Path(__file__).resolve().parent
TRAINING_LINES = 12_000

# The layout that PaddleOCR 3 writes. RecResizeImg also scales to [-1, 1]: (x / 255 - 0.5) / 0.5.
INFERENCE_YML = """\
Global:
  model_name: digits_crnn_rec
PreProcess:
  transform_ops:
  - DecodeImage:
      channel_first: false
      img_mode: BGR
  - RecResizeImg:
      image_shape:
      - 3
      - {height}
      - {width}
  - KeepKeys:
      keep_keys:
      - image
      - label
      - length
PostProcess:
  name: CTCLabelDecode
  character_dict:
{characters}
"""


def write_dictionary() -> None:
    """Write `dict.txt` and `inference.yml`; class k of the output is line k of the dictionary."""
    (FOLDER / "dict.txt").write_text("".join(f"{c}\n" for c in CHARACTERS), encoding="utf-8")
    characters = "\n".join(f"  - '{c}'" for c in CHARACTERS)
    config = INFERENCE_YML.format(height=HEIGHT, width=WIDTH, characters=characters)
    (FOLDER / "inference.yml").write_text(config, encoding="utf-8")


def ctc_targets(texts: list[str]) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Labels padded with 0, and their lengths."""
    labels = np.zeros((len(texts), max(map(len, texts))), dtype=np.int32)
    for row, text in zip(labels, texts, strict=True):
        row[: len(text)] = [CHARACTERS.index(c) + 1 for c in text]
    return paddle.to_tensor(labels), paddle.to_tensor([len(text) for text in texts], dtype="int64")


def held_out_texts(taken: set[str], count: int, rng: np.random.Generator) -> list[str]:
    """Different strings, none of which was trained on."""
    found: dict[str, None] = {}
    while len(found) < count:
        text = random_text(rng)
        if text not in taken:
            found[text] = None
    return list(found)


def main() -> None:
    """Render, train, export, measure the exported program, write the evaluation set."""
    rng = common.seed_everything()
    texts = [random_text(rng) for _ in range(TRAINING_LINES)]
    lines = [random_line(text, rng) for text in texts]
    layer = CRNN(classes=len(CHARACTERS) + 1)

    def batch_loss() -> paddle.Tensor:
        chosen = rng.integers(0, len(lines), size=32)
        width = WIDTH if rng.random() < 0.5 else None
        images = to_batch([lines[i] for i in chosen], width)
        labels, lengths = ctc_targets([texts[i] for i in chosen])
        logits = paddle.transpose(layer(paddle.to_tensor(images)), [1, 0, 2])
        steps = paddle.full([len(chosen)], logits.shape[0], dtype="int64")
        return paddle.nn.functional.ctc_loss(logits, labels, steps, lengths, blank=0)

    common.train(layer, batch_loss, steps=700, peak=3e-3)

    spec = paddle.static.InputSpec([-1, 3, HEIGHT, -1], "float32", name="x")
    paddle.jit.save(layer, str(FOLDER / "inference"), input_spec=[spec])
    write_dictionary()

    wanted = held_out_texts(set(texts), common.HELD_OUT_SAMPLES, rng)
    inputs = to_batch([random_line(text, rng) for text in wanted], WIDTH)
    outputs = common.run_exported(FOLDER / "inference", inputs)
    common.check_health(outputs)
    read = common.ctc_greedy(outputs, CHARACTERS)
    print("wrong:", [pair for pair in zip(wanted, read, strict=True) if pair[0] != pair[1]])
    metric = {
        "metric": "exact_match",
        "paddle": float(np.mean([a == b for a, b in zip(wanted, read, strict=True)])),
        "samples": len(wanted),
        "decode": "ctc_greedy",
        "blank": 0,
    }
    common.write_evaluation(FOLDER, inputs, np.array(wanted), metric)


if __name__ == "__main__":
    main()
