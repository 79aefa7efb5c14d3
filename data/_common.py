"""What the four training scripts share: the digits data, the training loop, export and measuring.

Import it after any `FLAGS_*` that must be set before Paddle is imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import paddle
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 2026
HELD_OUT_SAMPLES = 200


def seed_everything() -> np.random.Generator:
    """Fix Paddle's seed and return the numpy generator that the script draws from."""
    paddle.seed(SEED)
    return np.random.default_rng(SEED)


def digits_split(size: int, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scikit-learn's handwritten digits as (train images, train labels, test images, test labels).

    The 8x8 images are enlarged to `size`, repeated over `channels` and scaled to [-1, 1].
    """
    data = load_digits()
    grey = np.rint(data.images * (255 / 16)).astype(np.uint8)
    large = [
        Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR) for image in grey
    ]
    images = np.stack([np.asarray(image) for image in large])[:, None].repeat(channels, axis=1)
    images = (images / np.float32(127.5) - 1).astype(np.float32)
    labels = data.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.25, random_state=SEED, stratify=labels
    )
    return train_x, train_y, test_x, test_y


def shifted(images: np.ndarray, reach: int, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by up to `reach` pixels, the border filled with black."""
    height, width = images.shape[2:]
    edges = ((0, 0), (0, 0), (reach, reach), (reach, reach))
    padded = np.pad(images, edges, constant_values=-1)
    corners = rng.integers(0, 2 * reach + 1, size=(len(images), 2))
    moved = zip(padded, corners, strict=True)
    return np.stack([image[:, y : y + height, x : x + width] for image, (y, x) in moved])


def train(
    layer: paddle.nn.Layer, batch_loss: Callable[[], paddle.Tensor], steps: int, peak: float
) -> None:
    """Run AdamW for `steps` batches, warm-up then cosine decay; leave the layer in eval mode."""
    cosine = paddle.optimizer.lr.CosineAnnealingDecay(peak, steps)
    schedule = paddle.optimizer.lr.LinearWarmup(cosine, steps // 10, 0.0, peak)
    optimizer = paddle.optimizer.AdamW(
        schedule,
        parameters=layer.parameters(),
        weight_decay=0.01,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(5.0),
    )
    layer.train()
    for step in range(1, steps + 1):
        loss = batch_loss()
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step:5d} of {steps}, loss {float(loss):.4f}", flush=True)
    layer.eval()


def run_exported(prefix: Path, inputs: np.ndarray, batch: int = 50) -> np.ndarray:
    """The first output of the exported program, run by Paddle's plain executor."""
    paddle.enable_static()
    try:
        executor = paddle.static.Executor(paddle.CPUPlace())
        program, feeds, fetches = paddle.static.load_inference_model(str(prefix), executor)
        chunks = [
            executor.run(program, {feeds[0]: inputs[start : start + batch]}, fetches[:1])[0]
            for start in range(0, len(inputs), batch)
        ]
    finally:
        paddle.disable_static()
    return np.concatenate(chunks)


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest score is at the label."""
    return float(np.mean(outputs.argmax(axis=-1) == labels))


def ctc_greedy(outputs: np.ndarray, characters: Sequence[str], blank: int = 0) -> list[str]:
    """Best class of each step, repeats merged, blanks dropped; class k is characters[k - 1]."""
    texts = []
    for best in outputs.argmax(axis=-1):
        starts = np.flatnonzero(np.diff(best, prepend=blank))
        texts.append("".join(characters[k - 1] for k in best[starts] if k != blank))
    return texts


def check_health(outputs: np.ndarray) -> None:
    """Refuse outputs that are not finite or hardly depend on the input."""
    spread = float(outputs.std(axis=0).mean())
    print(f"outputs {outputs.shape}, standard deviation over the samples {spread:.4f}")
    if not np.isfinite(outputs).all() or spread < 1e-3:
        raise RuntimeError("the outputs are not finite, or hardly depend on the input")


def write_evaluation(
    folder: Path, inputs: np.ndarray, labels: np.ndarray, metric: dict[str, object]
) -> None:
    """Write `samples.npz` and `metric.json`, and print the metric."""
    np.savez_compressed(folder / "samples.npz", in_0=inputs, labels=labels)
    (folder / "metric.json").write_text(json.dumps(metric, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(metric))


def evaluate_classifier(prefix: Path, inputs: np.ndarray, labels: np.ndarray) -> None:
    """Measure the exported program on held-out data; write the first samples and their metric."""
    outputs = run_exported(prefix, inputs)
    check_health(outputs)
    print(f"accuracy on all {len(labels)} held-out samples: {accuracy(outputs, labels):.4f}")
    count = HELD_OUT_SAMPLES
    metric = {
        "metric": "accuracy",
        "paddle": accuracy(outputs[:count], labels[:count]),
        "samples": count,
        "decode": "argmax",
    }
    write_evaluation(prefix.parent, inputs[:count], labels[:count], metric)
