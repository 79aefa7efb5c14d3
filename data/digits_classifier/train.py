"""Train the digits classifier and write this folder: python -m data.digits_classifier.train."""

from __future__ import annotations

from pathlib import Path

import paddle

from data import _common as common
from data.digits_classifier.model import DigitsMobileNet

FOLDER = Path(__file__).resolve().parent
SIZES = (24, 32, 40)  # trained at several sizes, since the program takes any height and width


def main() -> None:
    """Train, export, measure the exported program, write the evaluation set."""
    rng = common.seed_everything()
    train_x, train_y, test_x, test_y = common.digits_split(size=32, channels=3)
    layer = DigitsMobileNet()

    def batch_loss() -> paddle.Tensor:
        chosen = rng.integers(0, len(train_x), size=64)
        images = paddle.to_tensor(common.shifted(train_x[chosen], 3, rng))
        side = int(rng.choice(SIZES))
        images = paddle.nn.functional.interpolate(images, size=[side, side], mode="bilinear")
        return paddle.nn.functional.cross_entropy(layer(images), paddle.to_tensor(train_y[chosen]))

    common.train(layer, batch_loss, steps=800, peak=3e-3)

    spec = paddle.static.InputSpec([-1, 3, -1, -1], "float32", name="image")
    paddle.jit.save(layer, str(FOLDER / "inference"), input_spec=[spec])

    common.evaluate_classifier(FOLDER / "inference", test_x, test_y)


if __name__ == "__main__":
    main()
