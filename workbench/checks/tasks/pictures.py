"""A picture on its way into a model: read, then changed by the steps, then fed.

This code travels with bundles (`export/pipeline`), so it needs numpy and Pillow only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


@dataclass(slots=True)
class Picture:
    """An image on its way: floats or bytes in (height, width, channel) until it is permuted.

    `scale` is how much it was resized, height and width, as detectors want to know, `size` its
    height and width before it was filled up, `original` those it came with. `declared` is the
    height and width of the model's input, -1 where they are free.
    """

    image: np.ndarray
    scale: tuple[float, float] = (1.0, 1.0)
    size: tuple[int, int] = (0, 0)
    declared: tuple[int, int] = (-1, -1)
    original: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.original = (self.image.shape[0], self.image.shape[1])


def decoded(file: str | Path | BinaryIO, bgr: bool = False) -> np.ndarray:
    """Bytes in (height, width, 3), turned as the camera was held, as OpenCV reads it.

    16-bit pictures lose their lower byte, transparency is dropped. Raises what Pillow raises when
    the file is no image.
    """
    from PIL import Image, ImageOps

    with Image.open(file) as opened:
        image = ImageOps.exif_transpose(opened)
        array = deep(image) if image.mode[0] in "IF" else np.asarray(image.convert("RGB"))
    return array[:, :, ::-1] if bgr else array


def deep(image: Any) -> np.ndarray:
    """A grey picture of more than 8 bits as bytes; Pillow's own conversion would cut it at 255."""
    array = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and array.max(initial=0) > 255):
        array = array // 256
    elif image.mode == "F" and array.max(initial=0) <= 1:
        array = array * 255
    grey = np.clip(array, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def channels_first(image: np.ndarray) -> np.ndarray:
    """The image as (channel, height, width), if it is not already."""
    if image.ndim == 3 and image.shape[-1] in (1, 3):
        return image.transpose(2, 0, 1)
    return image


def fed(name: str, picture: Picture) -> np.ndarray:
    """What the input of this name is fed, a batch of one: the image, its scale or its size."""
    if "scale_factor" in name:
        return np.array([picture.scale])
    if "shape" in name or "im_size" in name:
        return np.array([picture.size if picture.size != (0, 0) else picture.image.shape[1:3]])
    return picture.image[None]
