"""Train the legacy classifier and write this folder: python -m data.legacy_classifier.train.

The files are what Paddle 2 wrote: `model.pdmodel` (ProgramDesc) beside `model.pdiparams`.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.update(FLAGS_enable_pir_api="0")  # read once, when Paddle is imported

import paddle

from data import _common as common
from data.legacy_classifier.model import DigitsResNet

FOLDER = Path(__file__).resolve().parent


def remove_call_stacks(path: Path) -> None:
    """Take the paths of this machine, which Paddle leaves in two operators, out of the program."""
    program = paddle.base.core.ProgramDesc(path.read_bytes())
    for block in map(program.block, range(program.num_blocks())):
        for op in map(block.op, range(block.op_size())):
            op.remove_attr("op_callstack")
    path.write_bytes(program.serialize_to_string())


def main() -> None:
    """Train, export, measure the exported program, write the evaluation set."""
    rng = common.seed_everything()
    train_x, train_y, test_x, test_y = common.digits_split(size=16, channels=1)
    layer = DigitsResNet()

    def batch_loss() -> paddle.Tensor:
        chosen = rng.integers(0, len(train_x), size=64)
        images = paddle.to_tensor(common.shifted(train_x[chosen], 2, rng))
        return paddle.nn.functional.cross_entropy(layer(images), paddle.to_tensor(train_y[chosen]))

    common.train(layer, batch_loss, steps=600, peak=3e-3)

    spec = paddle.static.InputSpec([-1, 1, 16, 16], "float32", name="x")
    paddle.jit.save(layer, str(FOLDER / "model"), input_spec=[spec])
    remove_call_stacks(FOLDER / "model.pdmodel")
    (FOLDER / "model.pdiparams.info").unlink()  # a pickle that only paddle.jit.load reads

    common.evaluate_classifier(FOLDER / "model", test_x, test_y)


if __name__ == "__main__":
    main()
