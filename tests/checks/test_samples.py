"""Samples as people have them: all kinds of pictures, broken files, labels in many forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import workbench as wb
from workbench.app.migration import Migration
from workbench.checks.tasks.answers import close, decoder
from workbench.checks.tasks.image_steps import Picture
from workbench.checks.tasks.preprocessing import read_image, read_preprocessing
from workbench.checks.tasks.samples import Samples, read_samples
from workbench.core.errors import InputError
from workbench.core.program import Block, Program
from workbench.core.values import Value

STEPS = {"transform_ops": [{"ResizeImage": {"size": [32, 32]}}, {"NormalizeImage": None},
                           {"ToCHWImage": None}]}  # fmt: skip
RANDOM = np.random.default_rng(0)


@pytest.fixture
def migration(data: Path) -> Migration:
    """A classifier of pictures; no Paddle is needed to read its samples."""
    return wb.load(data / "digits_classifier")


def _folder(path: Path, *names: str, told: dict[str, Any] | None = None) -> Path:
    (path / "inference.yml").write_text(
        yaml.safe_dump({"PreProcess": STEPS, **(told or {})}, allow_unicode=True), "utf-8"
    )
    for name in names:
        file = path / name
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(file)
    return path


def _names(samples: Samples) -> list[str]:
    return [name for batch in samples for name in batch.names]


def test_what_cannot_be_read_is_left_out_and_told(migration: Migration, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a.jpg", "中文 图.png", "sub/b.JPEG", "._c.png")
    (folder / "broken.png").write_bytes(b"\x89PNG no")
    (folder / "empty.jpg").write_bytes(b"")
    whole = (folder / "a.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    samples = read_samples(migration, folder)
    assert _names(samples) == ["a.jpg", "sub/b.JPEG", "中文 图.png"]
    assert set(samples.skipped) == {"broken.png", "cut.jpg", "empty.jpg"}
    assert "truncated" in samples.skipped["cut.jpg"]
    assert [batch.inputs[0].shape for batch in samples] == [(3, 3, 32, 32)]
    assert _names(read_samples(migration, folder, limit=2)) == ["a.jpg"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", "There is no"),
        (lambda folder: folder, "neither samples.npz nor images"),
        (lambda folder: _written(folder, "x.txt", "a"), "is no image"),
        (lambda folder: _written(folder, "x.png", "a").parent, "no inference.yml"),
        (lambda folder: _written(_folder(folder), "x.png", "a").parent, "None of the 1 images"),
        (lambda folder: _written(_folder(folder, "a.png"), "labels.txt", "b.png 1").parent,
         "they name 'b.png', an image is 'a.png'"),
        (lambda folder: _written(folder, "samples.npz", "a").parent, "is not a readable .npz"),
    ],
)  # fmt: skip
def test_errors_in_words(make: Any, message: str, migration: Migration, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        list(read_samples(migration, make(tmp_path)))


def _written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_labels_by_name_of_the_class(encoding: str, migration: Migration, tmp_path: Path) -> None:
    post = {"PostProcess": {"Topk": {"topk": 1, "label_list": ["猫", "狗"]}}}
    folder = _folder(tmp_path, "a.png", "图.png", "c.png", told=post)
    (folder / "labels.txt").write_text("train/a.png 狗\n图.png\t猫\ngone.png 猫\n", encoding)
    samples = read_samples(migration, folder)
    assert [label for batch in samples for label in batch.labels or ()] == [1, 0]
    assert samples.skipped == {"c.png": "it has no label"}


def test_one_image(migration: Migration, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a.png", "b.png")
    assert _names(read_samples(migration, folder / "b.png")) == ["b.png"]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "LA", "I;16", "I", "F"])
def test_kinds_of_pictures(mode: str, tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 60).reshape(6, 10).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = Image.fromarray(grey).convert(mode)
    path = tmp_path / f"x.{'tif' if mode in ('CMYK', 'F', 'I', 'LA') else 'png'}"
    image.save(path)
    found = read_image(path)
    assert (found.shape, found.dtype) == ((6, 10, 3), np.uint8)
    assert np.abs(found[..., 1].astype(int) - grey).max() <= 4


def test_pictures_are_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    image = Image.fromarray(array)
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    image.save(tmp_path / "x.png", exif=exif)
    assert read_image(tmp_path / "x.png").tolist() == np.rot90(array, -1).tolist()


def _after(
    path: Path, told: dict[str, Any], height: int, width: int, declared: tuple[int, int] = (-1, -1)
) -> np.ndarray:
    (path / "x.yml").write_text(yaml.safe_dump(told))
    steps = read_preprocessing(path / "x.yml")
    picture = Picture(np.full((height, width, 3), 255, np.uint8), declared=declared)
    for step in steps.steps:
        step(picture)
    return picture.image


OCR = "PP-OCRv4_mobile_det"


@pytest.mark.parametrize(
    ("told", "size", "expected"),
    [
        ({"PreProcess": {"transform_ops": [{"DetResizeForTest": None}]}}, (100, 200), (736, 1472)),
        ({"PreProcess": {"transform_ops": [{"DetResizeForTest": None}]}}, (800, 900), (800, 896)),
        ({"PreProcess": {"transform_ops": [{"DetResizeForTest": {"resize_long": 960}}]}},
         (100, 200), (512, 1024)),
        ({"Global": {"model_name": OCR},
          "PreProcess": {"transform_ops": [{"DetResizeForTest": {"resize_long": 960}}]}},
         (100, 200), (96, 192)),
        ({"PreProcess": {"transform_ops": [{"DetResizeForTest": {"limit_side_len": 64,
                                                                 "limit_type": "max"}}]}},
         (20, 30), (32, 32)),
        ({"PreProcess": {"transform_ops": [{"DetResizeForTest": {
            "image_shape": [64, 96], "keep_ratio": True}}]}}, (50, 100), (64, 128)),
        ({"Deploy": {"transforms": [{"type": "Resize", "target_size": [64, 32]}]}}, (9, 9),
         (32, 64)),
        ({"Preprocess": [{"type": "Resize", "target_size": [64, 32], "interp": 2}]}, (9, 9),
         (64, 32)),
        ({"Deploy": {"transforms": [{"type": "ResizeByLong", "long_size": 64}]}}, (16, 32),
         (32, 64)),
        ({"Deploy": {"transforms": [{"type": "ResizeByShort", "short_size": 64}]}}, (16, 32),
         (64, 128)),
        ({"PreProcess": {"transform_ops": [{"ResizeTableImage": {"max_len": 48}},
                                           {"PaddingTableImage": {"size": [48, 48]}}]}},
         (20, 30), (48, 48)),
        ({"Preprocess": [{"type": "Pad", "size": [64, 96], "fill_value": [1.0, 2.0, 3.0]}]},
         (20, 30), (64, 96)),
        ({"PreProcess": {"transform_ops": [{"ResizeImage": {"resize_short": 20,
                                                            "interpolation": "LINEAR"}}]}},
         (10, 15), (20, 30)),
    ],
)  # fmt: skip
def test_sizes(
    told: dict[str, Any], size: tuple[int, int], expected: tuple[int, int], tmp_path: Path
) -> None:
    assert _after(tmp_path, told, *size).shape == (*expected, 3)


def test_long_lines_keep_their_ratio_where_the_width_is_free(tmp_path: Path) -> None:
    told = {"PreProcess": {"transform_ops": [{"RecResizeImg": {"image_shape": [3, 48, 320]}}]}}
    assert _after(tmp_path, told, 24, 240).shape == (48, 480, 3)
    assert _after(tmp_path, told, 24, 240, (48, 320)).shape == (48, 320, 3)
    assert _after(tmp_path, told, 24, 48).shape == (48, 320, 3)


def test_colours_are_normalised_as_each_suite_does_by_default(tmp_path: Path) -> None:
    classifier = {"PreProcess": {"transform_ops": [{"NormalizeImage": None}]}}
    expected = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(_after(tmp_path, classifier, 1, 1)[0, 0], expected, rtol=1e-5)
    segmenter = {"Deploy": {"transforms": [{"type": "Normalize"}]}}
    np.testing.assert_allclose(_after(tmp_path, segmenter, 1, 1)[0, 0], [1, 1, 1], rtol=1e-5)


def test_a_step_that_is_not_understood_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="step Resize cannot be understood"):
        _after(tmp_path, {"Preprocess": [{"type": "Resize"}]}, 1, 1)


# --- answers ------------------------------------------------------------------------------------


def _decoder(output: Value, told: dict[str, Any], names: tuple[str, ...] = ("x",)) -> Any:
    inputs = tuple(Value(n, (-1, 3, 8, 8), "float32", name) for n, name in enumerate(names))
    program = Program(Block((), (), inputs), inputs, (output,), {})
    samples = Samples(lambda: iter(()), 0, False, "folder", told)
    return decoder(program, samples)


def _value(*shape: int, dtype: str = "float32") -> Value:
    return Value(9, shape, dtype, "y")


def test_maps_may_differ_in_few_pixels() -> None:
    found = _decoder(_value(-1, 4, -1, -1), {})
    one = RANDOM.integers(0, 4, (100, 100))
    other = one.copy()
    other[0, :5] += 1
    assert found.alike(one, other)
    other[1] += 1
    assert not found.alike(one, other)
    assert found.told(one, other) == "98.95% of the pixels equal"


def test_real_values_may_differ_by_rounding() -> None:
    one = np.array([1.0, -200.0])
    assert close(one, one + 0.1)
    assert not close(one, one + 0.3)
    assert not close(one, one[:1])
    assert not close(one, np.array([1.0, np.nan]))


def test_boxes() -> None:
    found = _decoder(_value(-1, 6), {}, ("image", "scale_factor"))
    boxes = np.array([[0, 0.9, 1, 2, 30, 40], [1, 0.5004, 5, 6, 7, 8], [1, 0.2, 0, 0, 1, 1]])
    (one,) = found.answer([boxes])
    moved = boxes + np.array([0, 0, 0.4, 0, 0, 0])
    assert found.alike(one, found.answer([moved[::-1]])[0])
    assert found.alike(one, found.answer([moved[:1]])[0])  # a score at the bound may fall off
    (far,) = found.answer([boxes + np.array([0, 0, 4, 0, 0, 0])])
    assert not found.alike(one, far)
    assert "30.0" in found.told(one, far)
    assert not found.alike(one, found.answer([boxes[1:]])[0])


def test_several_labels_and_tokens() -> None:
    several = _decoder(_value(-1, 3), {"decode": "multilabel"})
    assert several.answer([np.array([[0.9, 0.1, 0.6], [0.1, 0.2, 0.3]])]) == [(0, 2), ()]
    tokens = _decoder(_value(-1, 5, 8), {"decode": "tokens"})
    scores = RANDOM.normal(size=(2, 5, 30))
    answers = tokens.answer([np.zeros((2, 5, 8)), scores])
    assert [answer.tolist() for answer in answers] == scores.argmax(-1).tolist()
    with pytest.raises(InputError, match="decode='guess'"):
        _decoder(_value(-1, 3), {"decode": "guess"})
