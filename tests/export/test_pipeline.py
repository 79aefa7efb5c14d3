"""`pipeline.py` of a bundle: from a picture to the answer, alone, and as task parity has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont

import workbench as wb
from tests.oracle.case import Case, case, f32
from workbench.app.migration import Migration
from workbench.checks.tasks import image_steps
from workbench.checks.tasks.pictures import Picture
from workbench.export.bundle_check import check_bundle
from workbench.export.pipeline import answering, bundled
from workbench.export.pipeline.answering import ctc_text, map_on_picture, text_boxes
from workbench.export.pipeline.application import Application
from workbench.export.pipeline.excerpt import excerpt

LABELS = ['"""', "猫", "a\nb", "<b>", "5"]
CLASSIFY = {
    "PreProcess": {"transform_ops": [
        {"DecodeImage": {"img_mode": "BGR"}}, {"ResizeImage": {"resize_short": 40}},
        {"CropImage": {"size": 32}},
        {"NormalizeImage": {"scale": "1./255.", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}},
        {"ToCHWImage": None}]},
    "PostProcess": {"Topk": {"topk": 3, "label_list": LABELS}},
}  # fmt: skip
DETECT = {
    "Preprocess": [
        {"type": "Resize", "target_size": [32, 48], "keep_ratio": False, "interp": 2},
        {"type": "NormalizeImage", "is_scale": True, "norm_type": "none"}, {"type": "Permute"}],
    "label_list": ["person", "car"], "draw_threshold": 0.6,
}  # fmt: skip
SEGMENT = {"Deploy": {"transforms": [
    {"type": "Resize", "target_size": [48, 32]}, {"type": "Normalize"}]}}  # fmt: skip
FIND_TEXT = {
    "PreProcess": {"transform_ops": [
        {"DecodeImage": {"img_mode": "BGR"}}, {"DetResizeForTest": {"image_shape": [96, 128]}},
        {"NormalizeImage": {"scale": "1./255."}}, {"ToCHWImage": None}]},
    "PostProcess": {"name": "DBPostProcess", "thresh": 0.5, "box_thresh": 0.5},
}  # fmt: skip
_BOXES = "(F.sigmoid(image[0, :, :8, :6].mean(0)) / scale_factor[0, 0])"
CASES = {
    "classes": (case("", "fc(x.mean([2, 3]))", x=f32("B", 3, 32, 32), fc="nn.Linear(3, 5)"),
                CLASSIFY),
    "boxes": (case("", _BOXES, image=f32("B", 3, 32, 48), scale_factor=f32("B", 2, low=0.5)),
              DETECT),
    "map": (case("", "conv(x).argmax(1)", x=f32("B", 3, 32, 48), conv="nn.Conv2D(3, 4, 1)"),
            SEGMENT),
}  # fmt: skip


def _written(folder: Path, told: dict[str, Any]) -> Path:
    (folder / "inference.yml").write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
    return folder


@pytest.fixture
def exported(opened: Callable[[Case], Migration], tmp_path: Path) -> Callable[..., Path]:
    """The bundle of a case whose folder has an `inference.yml`."""

    def export(one: Case, told: dict[str, Any]) -> Path:
        opened(one)
        migration = wb.load(_written(tmp_path, told))
        migration._runtime = opened(one)._runtime
        return migration.export(tmp_path / "made" / "out").folder

    return export


def _predicted(bundle: Path, picture: Path) -> Any:
    """What `predict` gives in a process that finds neither Paddle nor the workbench."""
    program = (
        "import sys; sys.modules['paddle'] = sys.modules['workbench'] = None\n"
        "import json, numpy as np\nfrom pipeline import predict\n"
        f"found = predict({str(picture)!r})\n"
        "print(json.dumps(found.tolist() if isinstance(found, np.ndarray) else found))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=bundle, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _picture(folder: Path, height: int = 50, width: int = 70) -> Path:
    array = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(array).save(folder / "one.png")
    return folder / "one.png"


def _manifest(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    return found


@pytest.mark.parametrize("name", CASES)
def test_it_is_written_compared_and_runs_alone(
    name: str, exported: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = exported(*CASES[name])
    told = _manifest(bundle)["pipeline"]
    assert "bit for bit with task parity on 2 pictures" in told["compared"], told
    assert "2 of 2 answers are those that Paddle's" in told["compared"]
    assert "from pipeline import predict" in (bundle / "README.md").read_text()
    assert check_bundle(bundle).passed
    _is_tidy(bundle / "pipeline.py")
    found = _predicted(bundle, _picture(tmp_path))
    if name == "classes":
        assert len(found) == 3
        assert all(one["label"] == LABELS[one["class"]] for one in found)
        assert [one["score"] for one in found] == sorted((o["score"] for o in found), reverse=True)
    elif name == "boxes":
        assert found
        assert all(one["score"] >= 0.6 and len(one["box"]) == 4 for one in found)
        assert {one["label"] for one in found} <= {"person", "car"}
    else:
        assert np.shape(found) == (50, 70)


def _is_tidy(path: Path) -> None:
    for arguments in (["check", "--select", "E4,E7,E9,F,B,I,UP"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "100",
             path.name],
            cwd=path.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_text_on_a_line_is_read(data: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (150, 36), "white")
    font = ImageFont.load_default(28)
    ImageDraw.Draw(picture).text((4, 1), "2024-07", fill="black", font=font)
    picture.save(tmp_path / "line.png")
    with wb.load(data / "crnn_recognizer") as migration:
        bundle = migration.export(tmp_path / "out").folder
    told = _manifest(bundle)["pipeline"]
    assert "66 of 66 answers are those that Paddle's outputs mean" in told["compared"]
    found = _predicted(bundle, tmp_path / "line.png")
    assert found["text"] == "2024-07"
    assert 0.5 < found["score"] <= 1


def test_text_on_a_page_is_found(exported: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    dark = "F.sigmoid(-8 * x.mean(1, keepdim=True) - 4)"
    bundle = exported(case("", dark, x=f32("B", 3, 96, 128)), FIND_TEXT)
    assert "2 of 2 answers" in str(_manifest(bundle)["pipeline"])
    page = Image.new("RGB", (256, 192), "white")
    pencil = ImageDraw.Draw(page)
    pencil.rectangle((40, 30, 119, 49), fill="black")
    pencil.rectangle((60, 100, 219, 129), fill="black")
    page.save(tmp_path / "page.png")
    first, second = _predicted(bundle, tmp_path / "page.png")
    # grown on each side by area * 1.5 / perimeter
    assert np.abs(np.subtract(first["box"], [[28, 18], [132, 18], [132, 62], [28, 62]])).max() <= 3
    assert np.abs(np.subtract(second["box"][0], [41, 81])).max() <= 3


# --- what is not right is left out ------------------------------------------------------------


WRONG = {
    "another input": ("(path, bgr=True)", "(path)", "it makes another input 0"),
    "another answer": ("np.argsort(-scores", "np.argsort(scores", "it answers"),
    "an error": ("from model import load", "import no_such_module", "no_such_module"),
    "the workbench": ("from model import load", "import workbench", "workbench"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_left_out_and_told(
    name: str, exported: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, reason = WRONG[name]
    write = bundled.write_pipeline

    def wrong(folder: Path, *arguments: Any) -> Application:
        made = write(folder, *arguments)
        text = (folder / "pipeline.py").read_text("utf-8")
        assert old in text
        (folder / "pipeline.py").write_text(text.replace(old, new), "utf-8")
        return made

    monkeypatch.setattr(bundled, "write_pipeline", wrong)
    bundle = exported(*CASES["classes"])
    assert not (bundle / "pipeline.py").exists()
    assert not (bundle / "labels.json").exists()
    assert reason in _manifest(bundle)["pipeline"]["left_out"]
    assert "There is no `pipeline.py`" in (bundle / "README.md").read_text()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"PreProcess": {"transform_ops": [{"Warp": {}}]}}, "the step Warp, which is not known"),
        ({"PreProcess": {"transform_ops": [{"ResizeImage": {}}]}}, "takes none of the pictures"),
        ({"Global": "x", "PreProcess": ["ToCHWImage"]}, "cannot be understood"),
        ({"a": 1}, "names no preprocessing steps"),
    ],
)
def test_what_cannot_be_written_is_told(
    told: dict[str, Any], reason: str, exported: Callable[..., Path]
) -> None:
    bundle = exported(CASES["classes"][0], told)
    assert reason in _manifest(bundle)["pipeline"]["left_out"]
    assert not (bundle / "pipeline.py").exists()


def test_without_a_file_that_tells_there_is_none(
    opened: Callable[[Case], Migration], tmp_path: Path
) -> None:
    bundle = opened(CASES["classes"][0]).export(tmp_path / "made" / "out").folder
    assert _manifest(bundle)["pipeline"] is None
    assert "pipeline" not in (bundle / "README.md").read_text()


# --- the functions that travel ----------------------------------------------------------------


def test_every_step_and_answer_can_travel() -> None:
    """What is copied needs nothing of the workbench."""
    names = sorted({step.__name__ for step in image_steps.STEPS.values()})
    answers = ("likely_classes", "all_classes", "ctc_text", "boxes_above", "text_boxes")
    copied = excerpt(
        (image_steps, ("Step", *names, "resize_segmentation")),
        (answering, (*answers, "map_on_picture", "draw")),
    )
    assert not [home for home, _ in copied.imports if home.startswith("workbench")]
    scope: dict[str, Any] = {"__name__": "copied"}
    lines = [f"from {home} import {name}" if home else f"import {name}"
             for home, name in copied.imports]  # fmt: skip
    body = "\n".join(["from __future__ import annotations", *lines, copied.text])
    sys.modules["copied"] = type(sys)("copied")  # dataclasses look their module up
    try:
        exec(compile(body, "copied.py", "exec"), scope)
    finally:
        del sys.modules["copied"]
    picture = scope["Picture"](np.zeros((50, 70, 3), np.uint8))
    scope["resize_image"]({"size": [32, 16]})(picture)
    assert picture.image.shape == (16, 32, 3)
    with pytest.raises(ValueError, match="does not define nothing"):
        excerpt((answering, ("nothing",)))


def test_ctc_path_becomes_text() -> None:
    scores = np.eye(4)[[1, 1, 0, 1, 2, 3, 3]] * 0.5
    assert ctc_text(scores, ["a", "b"], blank=0) == {"text": "aab ", "score": 0.5}
    assert ctc_text(np.eye(4)[[0, 0]], ["a", "b"], blank=0) == {"text": "", "score": 0.0}


def test_a_map_takes_the_size_of_the_picture_without_its_filling() -> None:
    picture = Picture(np.zeros((20, 40, 3)))
    picture.size, picture.image = (10, 20), np.zeros((3, 16, 32))
    values = np.zeros((16, 32), np.int64)
    values[:10, :10], values[:10, 10:20], values[10:], values[:, 20:] = 1, 2, 7, 7
    made = map_on_picture(values, picture)
    assert made.shape == (20, 40)
    assert made.dtype == np.int64
    assert (made[:, :20] == 1).all()
    assert (made[:, 20:] == 2).all()


def test_without_opencv_text_boxes_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="pip install opencv-python-headless"):
        text_boxes(np.zeros((8, 8), np.float32), Picture(np.zeros((8, 8, 3))), {})
