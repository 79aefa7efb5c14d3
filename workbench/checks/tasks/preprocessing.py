"""Images → model inputs, as the exported `inference.yml` of Paddle's model suites says.

Both frameworks get the same arrays, so what matters is that these are inputs as the model expects
them; `image_steps.py` has the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from workbench.checks.tasks.image_steps import STEPS, Step, resize_segmentation
from workbench.checks.tasks.pictures import Picture, channels_first, decoded, fed
from workbench.core.dtypes import is_float, numpy_dtype
from workbench.core.errors import InputError
from workbench.core.files import open_regular, read_text
from workbench.core.program import Program

Make = Callable[[Mapping[str, Any]], Step]
#: Steps for training or for what other steps do already.
_IDLE = {"DecodeImage", "KeepKeys", "Lambda", "TableBoxEncode"}
#: Detectors of PaddleOCR whose `resize_long` limits the longer side instead of setting it.
_LIMITED = ("PP-OCRv4_server_det", "PP-OCRv4_mobile_det")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The steps of a model. `bgr` says that it takes blue first; `post` is its `PostProcess`.

    `threshold` is the score from which a detector shows a box, `labels` the names of its classes.
    `calls` are the functions that made the steps, and their options.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    bgr: bool = False
    post: Mapping[str, Any] = field(default_factory=dict)
    threshold: float = 0.5
    labels: tuple[str, ...] = ()
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def inputs(self, path: Path, program: Program) -> list[np.ndarray]:
        """One image as the model's inputs, a batch of one; raises `InputError`."""
        picture = Picture(read_image(path, self.bgr), declared=declared_size(program))
        for name, step in zip(self.names, self.steps, strict=True):
            try:
                step(picture)
            except (ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
                raise InputError(f"{path}: the step {name} of inference.yml: {error}.") from error
        picture.image = channels_first(picture.image)
        return [_fed(value.name, value.dtype, picture, path) for value in program.inputs]


def declared_size(program: Program) -> tuple[int, int]:
    """Height and width of the image input; -1 where they are free."""
    found = next((value.shape for value in program.inputs if len(value.shape) == 4), (-1,) * 4)
    return found[2], found[3]


def _fed(name: str, dtype: str, picture: Picture, path: Path) -> np.ndarray:
    array = fed(name, picture)
    if array.ndim == 4 and not (is_float(dtype) or dtype == "uint8"):
        raise InputError(
            f"{path}: input {name} cannot be made from an image.",
            "Give a folder with samples.npz, or a function preprocess(path) → list of arrays.",
        )
    return np.ascontiguousarray(array.astype(numpy_dtype(dtype)))


def read_image(path: Path, bgr: bool = False) -> np.ndarray:
    """The bytes of an image, see `decoded`; raises `InputError` when the file is none."""
    from PIL import Image

    try:
        with open_regular(path) as file:
            return decoded(file, bgr)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}.") from error


def read_preprocessing(path: Path) -> Preprocessing:
    """The steps that an `inference.yml` (`infer_cfg.yml`, `deploy.yaml`) names.

    Raises `InputError` for a step that is not known: guessing would feed the model something else.
    """
    try:
        told = yaml.safe_load(read_text(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    told = told if isinstance(told, dict) else {}
    listed = _listed(told)
    if not listed:
        raise InputError(
            f"{path} names no preprocessing steps.",
            "Give preprocess=, a function from an image's path to the list of input arrays.",
        )
    names: list[str] = []
    calls: list[tuple[Make, Mapping[str, Any]]] = []
    bgr = False
    for name, options in listed:
        if name == "DecodeImage":
            bgr = options.get("img_mode", "RGB") == "BGR"
        if name in _IDLE or name.endswith("LabelEncode"):
            continue
        calls.append(_call(name, options, told, path))
        names.append(name)
    post = told.get("PostProcess")
    threshold = told.get("draw_threshold", 0.5)
    labels = told.get("label_list")
    return Preprocessing(
        tuple(make(options) for make, options in calls),
        tuple(names),
        bgr,
        post if isinstance(post, dict) else {},
        float(threshold),
        tuple(map(str, labels)) if isinstance(labels, list) else (),
        tuple((make.__name__, options) for make, options in calls),
    )


def _call(
    name: str, options: dict[str, Any], told: dict[str, Any], path: Path
) -> tuple[Make, Mapping[str, Any]]:
    """The function that makes a step, and its options; raises `InputError` where it cannot."""
    if name not in STEPS:
        raise InputError(
            f"{path} asks for the step {name}, which is not known here.",
            "Give preprocess=, a function from an image's path to the list of input arrays.",
        )
    model = str((told.get("Global") or {}).get("model_name", ""))
    make = resize_segmentation if name == "Resize" and "Deploy" in told else STEPS[name]
    options = options | {"as_limit": True} if model in _LIMITED else options
    try:
        make(options)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: the step {name} cannot be understood: {error!r}.") from error
    return make, options


def _listed(told: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, options) of each step, whichever suite wrote the file."""
    inner = told.get("PreProcess") or told.get("Preprocess") or told.get("Deploy") or []
    if isinstance(inner, dict):
        inner = inner.get("transform_ops") or inner.get("transforms") or []
    found: list[tuple[str, dict[str, Any]]] = []
    for step in inner if isinstance(inner, list) else []:
        if isinstance(step, str):
            found.append((step, {}))
        elif "type" in step:
            found.append((step["type"], {k: v for k, v in step.items() if k != "type"}))
        else:
            found += [(name, options or {}) for name, options in step.items()]
    return found
