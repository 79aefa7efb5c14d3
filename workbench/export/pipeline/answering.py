"""From a model's outputs to answers as an application wants them, and onto the picture.

This code travels with bundles, so it needs numpy, torch, Pillow, and for text detection OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checks.tasks.image_steps import resized
from workbench.checks.tasks.pictures import Picture

Found = dict[str, Any]


def label_of(number: int, labels: Sequence[str]) -> str:
    """The name of a class; its number where it has none."""
    return labels[number] if 0 <= number < len(labels) else str(number)


def likely_classes(scores: np.ndarray, labels: Sequence[str], count: int) -> list[Found]:
    """The classes with the highest scores, best first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [_class(int(number), scores, labels) for number in order]


def all_classes(scores: np.ndarray, labels: Sequence[str], least: float) -> list[Found]:
    """Every class whose score is above the least."""
    return [_class(int(number), scores, labels) for number in np.flatnonzero(scores > least)]


def _class(number: int, scores: np.ndarray, labels: Sequence[str]) -> Found:
    return {"class": number, "label": label_of(number, labels), "score": float(scores[number])}


def ctc_text(scores: np.ndarray, characters: Sequence[str], blank: int) -> Found:
    """The text on the most likely path: repeats become one, blanks go.

    `scores` are those of each character at each step; the score of the text is the mean over the
    steps that are kept. The number after the last character is the space.
    """
    path = scores.argmax(-1)
    kept = [
        place
        for place, index in enumerate(path)
        if index != blank and (place == 0 or index != path[place - 1])
    ]
    read = [characters[path[p] - 1] if path[p] <= len(characters) else " " for p in kept]
    score = float(np.mean([scores[place, path[place]] for place in kept])) if kept else 0.0
    return {"text": "".join(read), "score": score}


def boxes_above(found: np.ndarray, labels: Sequence[str], least: float) -> list[Found]:
    """The boxes with at least this score: rows of class, score and corners in pixels."""
    if found.ndim != 2 or found.shape[1] < 6:
        return []
    return [
        {
            "class": int(row[0]),
            "label": label_of(int(row[0]), labels),
            "score": float(row[1]),
            "box": [float(part) for part in row[2:]],
        }
        for row in found[found[:, 1] >= least]
    ]


def map_on_picture(values: np.ndarray, picture: Picture) -> np.ndarray:
    """A map of the model's size as one of the picture's size; each pixel takes the nearest."""
    if values.shape == picture.image.shape[1:]:
        high, wide = picture.size if picture.size != (0, 0) else values.shape
        values = values[:high, :wide]
    made = resized(values.astype(np.float32)[:, :, None], *picture.original, "nearest")
    return made[:, :, 0].astype(values.dtype)


def text_boxes(probability: np.ndarray, picture: Picture, post: Found) -> list[Found]:
    """Boxes around text, as differentiable binarization finds them, in pixels of the picture.

    `probability` says for each pixel how likely it is text. `post` holds `thresh`, `box_thresh`,
    `unclip_ratio`, `max_candidates` and `use_dilation`. Each box has four corners, from the upper
    left clockwise.
    """
    try:
        import cv2
    except ImportError as error:
        told = "Finding text needs OpenCV: pip install opencv-python-headless"
        raise ImportError(told) from error

    mask = (probability > post["thresh"]).astype(np.uint8)
    if post["use_dilation"]:
        mask = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    high, wide = probability.shape
    scale = np.array([picture.original[1] / wide, picture.original[0] / high])
    limit = np.array([picture.original[1], picture.original[0]])
    found = []
    for contour in contours[: post["max_candidates"]]:
        middle, sides, angle = cv2.minAreaRect(contour)
        if min(sides) < 3:
            continue
        corners = cv2.boxPoints((middle, sides, angle))
        score = _mean_inside(probability, corners)
        if score < post["box_thresh"]:
            continue
        # what a polygon grown by this distance with round corners has as its smallest rectangle
        more = sides[0] * sides[1] * post["unclip_ratio"] / (2 * (sides[0] + sides[1]))
        grown = cv2.boxPoints((middle, (sides[0] + 2 * more, sides[1] + 2 * more), angle))
        if min(sides) + 2 * more < 5:
            continue
        points = np.clip(np.round(_clockwise(grown) * scale), 0, limit).astype(int)
        found.append({"box": points.tolist(), "score": score})
    return sorted(found, key=lambda one: (one["box"][0][1], one["box"][0][0]))


def _mean_inside(probability: np.ndarray, corners: np.ndarray) -> float:
    import cv2

    high, wide = probability.shape
    left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, [wide - 1, high - 1])
    right, low = np.clip(np.ceil(corners.max(0)).astype(int), 0, [wide - 1, high - 1])
    mask = np.zeros((low - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - [left, top]).astype(np.int32)], 1)
    return float(cv2.mean(probability[top : low + 1, left : right + 1], mask)[0])


def _clockwise(corners: np.ndarray) -> np.ndarray:
    """Four corners, from the upper left clockwise."""
    ordered = corners[np.argsort(corners[:, 0], kind="stable")]
    left = ordered[:2][np.argsort(ordered[:2, 1], kind="stable")]
    right = ordered[2:][np.argsort(ordered[2:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]])


def draw(path: str | Path, found: Any, target: str | Path) -> None:
    """Write the picture with what was found on it: boxes, a coloured map, or a line of text."""
    from PIL import Image, ImageDraw, ImageOps

    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    if isinstance(found, np.ndarray):
        image = Image.blend(image, Image.fromarray(_colours(found)), 0.5)
        image.save(target)
        return
    pencil = ImageDraw.Draw(image)
    for number, one in enumerate(found if isinstance(found, list) else [found]):
        told = " ".join(str(one[key]) for key in ("label", "text") if key in one)
        told = f"{told} {one['score']:.2f}".encode("ascii", "replace").decode()
        corners = one.get("box")
        if corners is None:
            pencil.text((4, 4 + 12 * number), told, fill="red")
            continue
        flat = np.asarray(corners, float).reshape(-1).tolist()
        if len(flat) == 4:
            left, top, right, low = flat
            flat = [left, top, right, top, right, low, left, low]
        pencil.line([*flat, *flat[:2]], fill="red", width=2)
        pencil.text((flat[0] + 2, flat[1] + 2), told, fill="red")
    image.save(target)


def _colours(values: np.ndarray) -> np.ndarray:
    """A colour for each class, black for the first."""
    numbers = values.astype(np.int64)[:, :, None]
    colours: np.ndarray = (numbers * np.array([97, 157, 211]) % 256).astype(np.uint8)
    return colours
