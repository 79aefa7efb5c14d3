"""The preprocessing steps of Paddle's model suites, by the names in their `inference.yml`.

PaddleClas and PaddleOCR (`PreProcess: transform_ops`), PaddleDetection (`Preprocess`), PaddleSeg
(`Deploy: transforms`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from workbench.checks.tasks.pictures import Picture

#: OpenCV's numbers of interpolations, and their names in the files, in lower case.
_MODES = {
    "0": "nearest-exact", "1": "bilinear", "2": "bicubic", "3": "area", "4": "bicubic",
    "nearest": "nearest-exact", "linear": "bilinear", "bilinear": "bilinear",
    "cubic": "bicubic", "bicubic": "bicubic", "area": "area", "lanczos4": "bicubic",
    "lanczos": "bicubic", "random": "bilinear",
}  # fmt: skip
#: Mean and deviation of ImageNet's colours, the suites' default for `NormalizeImage`.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


Step = Callable[[Picture], None]
Options = Mapping[str, Any]


def resized(image: np.ndarray, height: int, width: int, mode: Any = 1) -> np.ndarray:
    """The image in another size, with OpenCV's rule for where pixels lie."""
    if image.shape[:2] == (height, width):
        return image
    kind = _MODES[str(mode).lower()]
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


def _scaled(picture: Picture, factor: float, mode: Any = 1) -> None:
    height, width = picture.image.shape[:2]
    _resize(picture, max(round(height * factor), 1), max(round(width * factor), 1), mode)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def resize_image(options: Options) -> Step:
    """PaddleClas: `size` as [width, height] or one number, or the shorter side."""
    mode = options.get("interpolation") or 1

    def step(picture: Picture) -> None:
        if options.get("resize_short"):
            factor = options["resize_short"] / min(picture.image.shape[:2])
            return _scaled(picture, factor, mode)
        wide, high = _pair(options["size"])
        return _resize(picture, high, wide, mode)

    return step


def resize_detection(options: Options) -> Step:
    """PaddleDetection: `target_size` as [height, width], or the ratio kept within it."""
    return _resize_to(options, *_pair(options["target_size"]))


def resize_segmentation(options: Options) -> Step:
    """PaddleSeg: `target_size` as [width, height]."""
    wide, high = _pair(options["target_size"])
    return _resize_to(options, high, wide)


def _resize_to(options: Options, high: int, wide: int) -> Step:
    mode = options.get("interp", 1)

    def step(picture: Picture) -> None:
        if not options.get("keep_ratio", False):
            return _resize(picture, high, wide, mode)
        height, width = picture.image.shape[:2]
        factor = min(min(high, wide) / min(height, width), max(high, wide) / max(height, width))
        return _resize(picture, int(height * factor + 0.5), int(width * factor + 0.5), mode)

    return step


def resize_long(options: Options) -> Step:
    """The longer side gets the length `long_size`."""
    length = options["long_size"]
    return lambda picture: _scaled(picture, length / max(picture.image.shape[:2]))


def resize_short(options: Options) -> Step:
    """The shorter side gets the length `short_size`."""
    length = options["short_size"]
    return lambda picture: _scaled(picture, length / min(picture.image.shape[:2]))


def resize_table(options: Options) -> Step:
    """PaddleOCR's tables: the longer side gets the length `max_len`."""
    length = options.get("max_len", 488)
    return lambda picture: _scaled(picture, length / max(picture.image.shape[:2]))


def resize_text_detection(options: Options) -> Step:
    """PaddleOCR's text detectors: sides limited, then multiples of 32 (of 128 by `resize_long`)."""
    if "image_shape" in options:
        return _fixed_shape(options)
    if "resize_long" in options and not options.get("as_limit"):
        return _long_side(options["resize_long"])
    limit = options.get("resize_long") or options.get("limit_side_len") or 736
    kind = "max" if "resize_long" in options else options.get("limit_type") or "min"

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        if height + width < 64:
            picture.image = _padded(picture.image, max(32, height), max(32, width), 0)
            height, width = picture.image.shape[:2]
        side = min(height, width) if kind == "min" else max(height, width)
        factor = limit / side
        if kind != "resize_long" and (factor > 1) == (kind == "max"):
            factor = 1.0
        high, wide = (max(round(int(part * factor) / 32) * 32, 32) for part in (height, width))
        _resize(picture, high, wide)

    return step


def _fixed_shape(options: Options) -> Step:
    high, wide = _pair(options["image_shape"][-2:])

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        kept = math.ceil(width * high / height / 32) * 32
        _resize(picture, high, kept if options.get("keep_ratio") is True else wide)

    return step


def _long_side(length: int) -> Step:
    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        factor = length / max(height, width)
        high, wide = (math.ceil(int(part * factor) / 128) * 128 for part in (height, width))
        _resize(picture, high, wide)

    return step


def resize_recognition(options: Options) -> Step:
    """PaddleOCR's recognisers: height fixed, ratio kept, -1 … 1, zeros to the right.

    A line that is longer than told keeps its ratio where the model's width is free.
    """
    _, high, wide = options.get("image_shape", (3, 48, 320))

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        free = picture.declared[1] < 0
        most = max(wide, int(high * width / height)) if free else wide
        taken = max(min(most, math.ceil(high * width / height)), 1)
        image = resized(picture.image, high, taken).astype(np.float32)
        padded = np.zeros((high, most, image.shape[2]), np.float32)
        padded[:, :taken] = (image / 255 - 0.5) / 0.5
        picture.image, picture.size = padded, (high, most)

    return step


def crop(options: Options) -> Step:
    """The middle of the image."""
    wide, high = _pair(options["size"])

    def step(picture: Picture) -> None:
        height, width = picture.image.shape[:2]
        top, left = max((height - high) // 2, 0), max((width - wide) // 2, 0)
        picture.image = picture.image[top : top + high, left : left + wide]
        picture.size = picture.image.shape[:2]

    return step


def normalize_image(options: Options) -> Step:
    """(x · scale - mean) / std; PaddleDetection's `norm_type: none` scales only."""
    none = options.get("norm_type") == "none"
    mean = 0.0 if none else options.get("mean", _MEAN)
    return _normalized(options, mean, 1.0 if none else options.get("std", _DEVIATION))


def normalize(options: Options) -> Step:
    """PaddleSeg: as above, with 0.5 where nothing is told."""
    return _normalized(options, options.get("mean", 0.5), options.get("std", 0.5))


def _normalized(options: Options, mean: Any, deviation: Any) -> Step:
    scale = options.get("scale", 1 / 255 if options.get("is_scale", True) else 1.0)
    factor = np.float32(_number(1 / 255 if scale is None else scale))
    middle, spread = np.asarray(mean, np.float32), np.asarray(deviation, np.float32)

    def step(picture: Picture) -> None:
        picture.image = (picture.image.astype(np.float32) * factor - middle) / spread

    return step


def _number(text: Any) -> float:
    """A number, which may be written as `1./255.`."""
    above, _, below = str(text).partition("/")
    return float(above) / float(below or 1)


def permute(_: Options) -> Step:
    """Channels first."""

    def step(picture: Picture) -> None:
        picture.image = picture.image.transpose(2, 0, 1)

    return step


def pad_stride(options: Options) -> Step:
    """Zeros below and to the right, up to a multiple of the stride."""
    stride = options.get("stride") or 1

    def step(picture: Picture) -> None:
        chw = picture.image.shape[0] in (1, 3)
        height, width = picture.image.shape[1:] if chw else picture.image.shape[:2]
        more = [(0, -height % stride), (0, -width % stride)]
        picture.image = np.pad(picture.image, [(0, 0), *more] if chw else [*more, (0, 0)])

    return step


def pad_table(options: Options) -> Step:
    """PaddleOCR's tables: a square of the told side, filled below and to the right."""
    side, fill = _pair(options.get("size", (488, 488)))[0], options.get("pad_value", 0)
    return _pad_to(side, side, fill)


def pad(options: Options) -> Step:
    """PaddleDetection: filled up to `size`, [height, width]."""
    high, wide = _pair((options.get("size") or (640, 640))[-2:])
    fill = options.get("fill_value")
    return _pad_to(high, wide, 127.5 if fill is None else fill)


def _pad_to(high: int, wide: int, fill: Any) -> Step:
    def step(picture: Picture) -> None:
        picture.image = _padded(picture.image, high, wide, fill)

    return step


def _padded(image: np.ndarray, high: int, wide: int, fill: Any) -> np.ndarray:
    height, width = image.shape[:2]
    if height > high or width > wide:
        raise ValueError(f"the image, {height} × {width}, is larger than {high} × {wide}")
    made = np.empty((high, wide, image.shape[2]), image.dtype)
    made[:] = np.asarray(fill).astype(image.dtype)
    made[:height, :width] = image
    return made


STEPS: dict[str, Callable[[Options], Step]] = {
    "ResizeImage": resize_image,
    "Resize": resize_detection,
    "ResizeByLong": resize_long,
    "ResizeByShort": resize_short,
    "ResizeTableImage": resize_table,
    "DetResizeForTest": resize_text_detection,
    "RecResizeImg": resize_recognition,
    "CropImage": crop,
    "NormalizeImage": normalize_image,
    "Normalize": normalize,
    "ToCHWImage": permute,
    "Permute": permute,
    "PadStride": pad_stride,
    "PaddingTableImage": pad_table,
    "Pad": pad,
}
