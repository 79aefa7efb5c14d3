"""Images → model inputs, as the exported `inference.yml` of Paddle's model suites says.

Steps of PaddleClas and PaddleOCR (`PreProcess: transform_ops`), of PaddleDetection (`Preprocess`)
and of PaddleSeg (`Deploy: transforms`). Both frameworks get the same arrays, so what matters is
that these are inputs as the model expects them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn import functional as F  # noqa: N812

from workbench.errors import InputError
from workbench.program import Program, is_float
from workbench.readers.pdiparams import numpy_dtype

#: OpenCV's numbers of interpolations, and their names in the files.
_MODES = {
    0: "nearest-exact", 1: "bilinear", 2: "bicubic", 3: "area",
    "nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic", "area": "area",
}  # fmt: skip
#: Steps for training or for what other steps do already.
_IDLE = {
    "DecodeImage",
    "KeepKeys",
    "DetLabelEncode",
    "CTCLabelEncode",
    "MultiLabelEncode",
    "Lambda",
}


@dataclass(slots=True)
class Picture:
    """An image on its way: floats or bytes in (height, width, channel) until it is permuted.

    `scale` is how much it was resized, height and width, as detectors want to know.
    """

    image: np.ndarray
    scale: tuple[float, float] = (1.0, 1.0)
    size: tuple[int, int] = (0, 0)


Step = Callable[[Picture], None]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The steps of a model. `bgr` says that it takes blue first; `post` is its `PostProcess`."""

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    bgr: bool = False
    post: Mapping[str, Any] = field(default_factory=dict)

    def inputs(self, path: Path, program: Program) -> list[np.ndarray]:
        """One image as the model's inputs, a batch of one; raises `InputError`."""
        picture = Picture(read_image(path, self.bgr))
        for name, step in zip(self.names, self.steps, strict=True):
            try:
                step(picture)
            except (ValueError, TypeError, KeyError, RuntimeError) as error:
                raise InputError(f"{path}: the step {name} of inference.yml: {error}.") from error
        if picture.image.ndim == 3 and picture.image.shape[-1] in (1, 3):
            picture.image = picture.image.transpose(2, 0, 1)
        return [_fed(value.name, value.dtype, picture, path) for value in program.inputs]


def _fed(name: str, dtype: str, picture: Picture, path: Path) -> np.ndarray:
    size = picture.size if picture.size != (0, 0) else picture.image.shape[1:3]
    if "scale_factor" in name:
        array = np.array([picture.scale])
    elif "shape" in name or "im_size" in name:
        array = np.array([size])
    elif is_float(dtype) or dtype == "uint8":
        array = picture.image[None]
    else:
        raise InputError(
            f"{path}: input {name} cannot be made from an image.",
            "Give a folder with samples.npz, or a function preprocess(path) → list of arrays.",
        )
    return np.ascontiguousarray(array.astype(numpy_dtype(dtype)))


def read_image(path: Path, bgr: bool = False) -> np.ndarray:
    """Bytes in (height, width, 3); raises `InputError` when the file is no image."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            array = np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}.") from error
    return array[:, :, ::-1] if bgr else array


def read_preprocessing(path: Path) -> Preprocessing:
    """The steps that an `inference.yml` (`infer_cfg.yml`, `deploy.yaml`) names.

    Raises `InputError` for a step that is not known: guessing would feed the model something else.
    """
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    listed, post = _listed(told if isinstance(told, dict) else {})
    if not listed:
        raise InputError(f"{path} names no preprocessing steps.")
    steps, names = [], []
    bgr = False
    for name, options in listed:
        if name == "DecodeImage":
            bgr = options.get("img_mode", "RGB") == "BGR"
        if name in _IDLE or name.endswith("LabelEncode"):
            continue
        if name not in _STEPS:
            raise InputError(
                f"{path} asks for the step {name}, which is not known here.",
                "Give preprocess=, a function from an image's path to the list of input arrays.",
            )
        steps.append(_STEPS[name](options))
        names.append(name)
    return Preprocessing(tuple(steps), tuple(names), bgr, post)


def _listed(told: dict[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """(name, options) of each step, whichever suite wrote the file."""
    post = told.get("PostProcess") or {}
    inner = told.get("PreProcess") or told.get("Preprocess") or told.get("Deploy") or []
    if isinstance(inner, dict):
        inner = inner.get("transform_ops") or inner.get("transforms") or []
    found = []
    for step in inner:
        if "type" in step:
            found.append((step["type"], {k: v for k, v in step.items() if k != "type"}))
        else:
            found += [(name, options or {}) for name, options in step.items()]
    return found, post if isinstance(post, dict) else {}


# --- steps --------------------------------------------------------------------------------------


def resized(image: np.ndarray, height: int, width: int, mode: Any = 1) -> np.ndarray:
    """The image in another size, with OpenCV's rule for where pixels lie."""
    if image.shape[:2] == (height, width):
        return image
    kind = _MODES.get(mode, "bilinear")
    tensor = torch.from_numpy(np.array(image)).float().permute(2, 0, 1)[None]
    corners = {} if kind in ("nearest-exact", "area") else {"align_corners": False}
    made = F.interpolate(tensor, (height, width), mode=kind, **corners)[0].permute(1, 2, 0)
    if image.dtype == np.uint8:
        return made.round().clamp(0, 255).to(torch.uint8).numpy()
    return made.numpy()


def _resize(picture: Picture, height: int, width: int, mode: Any = 1) -> None:
    before = picture.image.shape[:2]
    picture.image = resized(picture.image, height, width, mode)
    picture.scale = (height / before[0], width / before[1])
    picture.size = (height, width)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _resize_image(options: dict[str, Any]) -> Step:
    """PaddleClas: `size` as [width, height] or one number, or the shorter side."""
    mode = options.get("interpolation") or 1

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        if options.get("resize_short"):
            factor = options["resize_short"] / min(height, width)
            return _resize(picture, round(height * factor), round(width * factor), mode)
        wide, high = _pair(options["size"])
        return _resize(picture, high, wide, mode)

    return step


def _resize_detection(options: dict[str, Any]) -> Step:
    """PaddleDetection and PaddleSeg: `target_size` as [height, width], or the ratio kept."""
    mode = options.get("interp", 1)

    def step(picture: Picture) -> None:
        high, wide = _pair(options["target_size"])
        if not options.get("keep_ratio", False):
            return _resize(picture, high, wide, mode)
        height, width = picture.image.shape[:2]
        factor = min(min(high, wide) / min(height, width), max(high, wide) / max(height, width))
        return _resize(picture, int(height * factor + 0.5), int(width * factor + 0.5), mode)

    return step


def _resize_text_detection(options: dict[str, Any]) -> Step:
    """PaddleOCR's text detectors: sides limited, then rounded to multiples of 32."""

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        if "image_shape" in options:
            return _resize(picture, *_pair(options["image_shape"][-2:]))
        limit = options.get("resize_long") or options.get("limit_side_len") or 960
        kind = "long" if options.get("resize_long") else options.get("limit_type") or "max"
        side = min(height, width) if kind == "min" else max(height, width)
        factor = limit / side
        if kind != "long" and (factor > 1) == (kind == "max"):
            factor = 1.0
        sides = [max(round(part * factor / 32) * 32, 32) for part in (height, width)]
        return _resize(picture, *sides)

    return step


def _resize_recognition(options: dict[str, Any]) -> Step:
    """PaddleOCR's recognisers: height fixed, ratio kept, -1 … 1, zeros to the right."""
    _, high, wide = options.get("image_shape", (3, 48, 320))

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        taken = min(wide, math.ceil(high * width / height))
        image = resized(picture.image, high, taken).astype(np.float32)
        padded = np.zeros((high, wide, image.shape[2]), np.float32)
        padded[:, :taken] = (image / 255 - 0.5) / 0.5
        picture.image, picture.size = padded, (high, wide)

    return step


def _crop(options: dict[str, Any]) -> Step:
    wide, high = _pair(options["size"])

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        top, left = max((height - high) // 2, 0), max((width - wide) // 2, 0)
        picture.image = picture.image[top : top + high, left : left + wide]
        picture.size = picture.image.shape[:2]

    return step


def _normalize(options: dict[str, Any]) -> Step:
    """(x · scale - mean) / std, in the forms that the suites write."""
    scale = _number(options.get("scale", 1 / 255 if options.get("is_scale", True) else 1.0))
    none = options.get("norm_type") == "none"
    mean = np.float32(0.0 if none else options.get("mean", (0.5, 0.5, 0.5)))
    std = np.float32(1.0 if none else options.get("std", (0.5, 0.5, 0.5)))

    def step(picture: Picture) -> None:
        picture.image = (picture.image.astype(np.float32) * np.float32(scale) - mean) / std

    return step


def _number(text: Any) -> float:
    """A number, which may be written as `1./255.`."""
    above, _, below = str(text).partition("/")
    return float(above) / float(below or 1)


def _permute(_: dict[str, Any]) -> Step:
    def step(picture: Picture) -> None:
        picture.image = picture.image.transpose(2, 0, 1)

    return step


def _pad_stride(options: dict[str, Any]) -> Step:
    stride = options.get("stride") or 1

    def step(picture: Picture) -> None:
        chw = picture.image.shape[0] in (1, 3)
        height, width = picture.image.shape[1:] if chw else picture.image.shape[:2]
        more = [(0, -height % stride), (0, -width % stride)]
        picture.image = np.pad(picture.image, [(0, 0), *more] if chw else [*more, (0, 0)])

    return step


_STEPS: dict[str, Callable[[dict[str, Any]], Step]] = {
    "ResizeImage": _resize_image,
    "Resize": _resize_detection,
    "DetResizeForTest": _resize_text_detection,
    "RecResizeImg": _resize_recognition,
    "CropImage": _crop,
    "NormalizeImage": _normalize,
    "Normalize": _normalize,
    "ToCHWImage": _permute,
    "Permute": _permute,
    "PadStride": _pad_stride,
}
