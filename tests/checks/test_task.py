"""Task parity: real samples, preprocessing as the model's files say, and honest intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import workbench as wb
from workbench.app.cli import main
from workbench.checks.tasks.image_steps import resized
from workbench.checks.tasks.preprocessing import Preprocessing, read_preprocessing
from workbench.checks.tasks.task import TaskParity, task_parity, user_function, wilson
from workbench.core.errors import InputError
from workbench.core.program import Block, Program
from workbench.core.values import Value
from workbench.sources.paddle.runtime import PaddleRuntime


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(200, 200, 0.9812, 1.0), (0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (0, 0, 0.0, 1.0)],
)
def test_wilson(successes: int, count: int, low: float, high: float) -> None:
    assert wilson(successes, count) == pytest.approx((low, high), abs=1e-4)


def _program(*names: str) -> Program:
    inputs = tuple(Value(n, (-1, 3, -1, -1), "float32", name) for n, name in enumerate(names))
    return Program(Block((), (), inputs), inputs, inputs, {})


def _read(folder: Path, told: dict[str, Any]) -> Preprocessing:
    path = folder / "inference.yml"
    path.write_text(yaml.safe_dump(told))
    return read_preprocessing(path)


def _image(folder: Path, height: int, width: int) -> tuple[Path, np.ndarray]:
    array = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(array).save(folder / "one.png")
    return folder / "one.png", array


def test_paddleclas_steps(tmp_path: Path) -> None:
    steps = _read(tmp_path, {"PreProcess": {"transform_ops": [
        {"ResizeImage": {"resize_short": 40}}, {"CropImage": {"size": 32}},
        {"NormalizeImage": {"scale": "1./255.", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4],
                            "order": "hwc"}},
        {"ToCHWImage": None}]}})  # fmt: skip
    path, array = _image(tmp_path, 40, 60)
    (made,) = steps.inputs(path, _program("x"))
    expected = (array[4:36, 14:46] / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0], expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-5)


def test_paddledetection_steps(tmp_path: Path) -> None:
    steps = _read(tmp_path, {"Preprocess": [
        {"type": "Resize", "target_size": [64, 96], "keep_ratio": True, "interp": 2},
        {"type": "NormalizeImage", "is_scale": True, "norm_type": "none"},
        {"type": "Permute"}, {"type": "PadStride", "stride": 32}]})  # fmt: skip
    path, _ = _image(tmp_path, 40, 60)
    program = _program("im_shape", "image", "scale_factor")
    shape, image, scale = steps.inputs(path, program)
    assert image.shape == (1, 3, 64, 96)
    assert shape.tolist() == [[64.0, 96.0]]
    assert scale[0].tolist() == pytest.approx([1.6, 1.6])
    assert 0 <= image.min() <= image.max() <= 1


def test_paddleocr_steps(tmp_path: Path) -> None:
    path, array = _image(tmp_path, 32, 48)
    steps = _read(tmp_path, {"PreProcess": {"transform_ops": [
        {"DecodeImage": {"img_mode": "BGR"}}, {"RecResizeImg": {"image_shape": [3, 32, 100]}},
        {"KeepKeys": {"keep_keys": ["image"]}}]}})  # fmt: skip
    (made,) = steps.inputs(path, _program("x"))
    assert made.shape == (1, 3, 32, 100)
    assert not made[..., 48:].any()
    expected = (array[:, :, ::-1] / 255 - 0.5) / 0.5
    np.testing.assert_allclose(made[0, :, :, :48], expected.transpose(2, 0, 1), atol=1e-6)
    detector = _read(
        tmp_path,
        {
            "PreProcess": {
                "transform_ops": [
                    {"DetResizeForTest": {"limit_side_len": 64, "limit_type": "min"}},
                    {"ToCHWImage": None},
                ]
            }
        },
    )
    assert detector.inputs(path, _program("x"))[0].shape == (1, 3, 64, 96)


def test_unknown_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="WarpAffine"):
        _read(tmp_path, {"Preprocess": [{"type": "WarpAffine"}]})
    with pytest.raises(InputError, match="no preprocessing"):
        _read(tmp_path, {"Global": {}})


def test_resize_places_pixels_as_opencv_does() -> None:
    """Half-pixel centres, no smoothing: a ramp doubled has quarter steps."""
    ramp = np.array([[[0.0], [4.0], [8.0]]], np.float32)
    found = resized(ramp, 1, 6)[0, :, 0]
    assert found.tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]


@pytest.mark.slow
def test_images_through_both_frameworks(data: Path, tmp_path: Path, worker: PaddleRuntime) -> None:
    samples = np.load(data / "crnn_recognizer" / "samples.npz")
    lines = []
    for number in range(12):
        picture = np.round((samples["in_0"][number].transpose(1, 2, 0) + 1) * 127.5)
        image = Image.fromarray(picture.astype(np.uint8)[:, :, ::-1])
        image.save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\t{samples['labels'][number]}")
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    migration = wb.load(data / "crnn_recognizer")
    migration._runtime = worker
    found = migration.task(tmp_path)
    assert found.steps == ("RecResizeImg",)
    assert found.samples == 12
    assert found.agreement == 1.0
    assert found.torch is not None
    assert found.torch >= 0.8
    assert found.interval[0] == pytest.approx(wilson(12, 12)[0])
    with torch.no_grad():
        for parameter in list(migration.convert().parameters())[-2:]:
            parameter.neg_()
    broken = task_parity(migration, tmp_path, limit=4)
    assert broken.agreement < 1
    assert broken.disagreements[0].sample in {f"{n}.png" for n in range(12)}
    assert broken.disagreements[0].paddle != broken.disagreements[0].torch
    assert broken.disagreements[0].paddle in broken._repr_html_()


def test_own_functions(data: Path, tmp_path: Path, worker: PaddleRuntime) -> None:
    (tmp_path / "mine.py").write_text(
        "def parity(outputs):\n    return outputs[0].argmax(-1) % 2\n"
    )

    def share_even(answers: Any, labels: Any) -> float:
        return float(np.mean(np.asarray(answers) == 0))

    migration = wb.load(data / "digits_classifier")
    migration._runtime = worker
    found = migration.task(
        data / "digits_classifier", share_even, user_function(f"{tmp_path}/mine.py:parity"),
        limit=20,
    )  # fmt: skip
    with pytest.raises(InputError, match="1 answers for 20 samples"):
        migration.task(data / "digits_classifier", answer=lambda outputs: [1], limit=20)
    assert (found.metric, found.samples, found.agreement) == ("share_even", 20, 1.0)
    assert found.paddle == found.torch
    with pytest.raises(InputError, match="cannot be loaded"):
        user_function(f"{tmp_path}/mine.py:none")


@pytest.mark.parametrize(
    ("same", "count", "passed"),
    [(0, 10, False), (19, 20, False), (98, 100, False), (99, 100, True), (7, 7, True)],
)
def test_a_task_passes_when_the_answers_agree(same: int, count: int, passed: bool) -> None:
    found = TaskParity("agreement", None, None, same / count, count)
    assert found.passed == passed
    assert str(found).startswith("failed") != passed
    assert not TaskParity("agreement", None, None, 0.0, 0).passed


def test_a_task_that_differs_fails_the_command(data: Path, tmp_path: Path) -> None:
    """The outputs agree; the answers, which are drawn anew, do not."""
    code = "import itertools\nnew = itertools.count()\n"
    code += "def answer(outputs):\n    return [next(new) for _ in outputs[0]]\n"
    (tmp_path / "own.py").write_text(code)
    model = data / "legacy_classifier"
    samples = np.load(model / "samples.npz")["in_0"][:3]
    np.savez(tmp_path / "samples.npz", in_0=samples)
    given = ["verify", str(model), "--inputs", str(tmp_path / "samples.npz")]
    task = ["--task", str(tmp_path), "--answer", f"{tmp_path / 'own.py'}:answer"]
    assert main(given) == 0
    assert main([*given, *task]) == 1
