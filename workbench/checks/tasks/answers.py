"""From a model's outputs to one answer for each sample, and when two answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core.dtypes import is_float
from workbench.core.errors import InputError
from workbench.core.files import belongs, read_text

if TYPE_CHECKING:
    from workbench.checks.tasks.samples import Samples
    from workbench.core.program import Program

#: From the outputs of one batch to one answer for each sample.
Answer = Callable[[list[np.ndarray]], Sequence[Any]]
#: Real values are the same when they are within this share of their scale.
CLOSE = 1e-3
#: Maps are the same when this share of their pixels is.
PIXELS = 0.999
#: Boxes are the same when their corners are this close, in pixels, and their scores this close.
CORNER, SCORE = 1.0, 1e-3


@dataclass(frozen=True, slots=True)
class Decoder:
    """How outputs become answers, when two are alike, and that in words."""

    answer: Answer
    alike: Callable[[Any, Any], bool]
    rule: str = "equal"
    told: Callable[[Any, Any], str] = field(default_factory=lambda: short)


def short(answer: Any, other: Any = None) -> str:
    """An answer in a few words, beside another one that is not the same."""
    text = " ".join(str(answer).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def decoder(program: Program, samples: Samples) -> Decoder:
    """How outputs become answers: as `metric.json` says, else by the model's `PostProcess`.

    Known: argmax (classes, or a map of them), multilabel, ctc_greedy (text), tokens, boxes, mask,
    values. Raises `InputError` for anything else.
    """
    post = samples.preprocessing.post if samples.preprocessing else {}
    kind = samples.told.get("decode") or kind_of(program, post)
    output = program.outputs[0]
    if kind == "argmax" and len(output.shape) == 4:
        return _maps(lambda outputs: outputs[0].argmax(1))
    if kind == "argmax":
        return Decoder(lambda outputs: outputs[0].argmax(-1), same)
    if kind == "multilabel":
        bound = float((post.get("MultiLabelThreshOutput") or {}).get("threshold", 0.5))
        return Decoder(lambda outputs: [_labels(row, bound) for row in outputs[0]], same)
    if kind == "ctc_greedy":
        characters = _characters(samples, post)
        blank = int(samples.told.get("blank", 0))
        return Decoder(
            lambda outputs: [_ctc_text(path, characters, blank) for path in outputs[0].argmax(-1)],
            same,
        )
    if kind == "tokens":
        return Decoder(lambda outputs: list(_longest(outputs).argmax(-1)), same)
    if kind == "boxes":
        bound = samples.preprocessing.threshold if samples.preprocessing else 0.5
        rule = f"the same boxes from a score of {bound:g}, corners within {CORNER:g} pixel"
        near = bound + SCORE
        return Decoder(
            lambda outputs: [_boxes(outputs[0], bound - SCORE)],
            lambda one, other: not (_missing(one, other, near) or _missing(other, one, near)),
            rule,
            lambda one, other: short(_missing(one, other, near) or "all boxes of the other"),
        )
    if kind == "values":
        return _values(output.dtype, len(output.shape))
    if kind == "mask":
        bound = float(post.get("thresh", 0.3))
        return _maps(lambda outputs: list(outputs[0][:, 0] > bound))
    raise InputError(
        f"{samples.source}/metric.json asks for decode={kind!r}.",
        "Known: argmax, multilabel, ctc_greedy, tokens, boxes, mask, values; or give answer=, a "
        "function.",
    )


def kind_of(program: Program, post: Mapping[str, Any]) -> str:
    """What the outputs mean, in a word of `decoder`; raises `InputError` where that is unclear."""
    name, output = str(post.get("name", "")), program.outputs[0]
    if "CTC" in name:
        return "ctc_greedy"
    if name == "TableLabelDecode":
        return "tokens"
    if "MultiLabelThreshOutput" in post:
        return "multilabel"
    if any(value.name == "scale_factor" for value in program.inputs):
        return "boxes"
    if "NormalizeFeatures" in post or not is_float(output.dtype):
        return "values"
    if len(output.shape) == 4 and output.shape[1] == 1:
        return "mask"
    if len(output.shape) in (2, 4):
        return "argmax"
    raise InputError(
        f"How the output {output!r} becomes an answer is not known.",
        "Give answer=, a function from the list of outputs to one answer for each sample.",
    )


def _maps(answer: Answer) -> Decoder:
    def alike(one: Any, other: Any) -> bool:
        return one.shape == other.shape and float(np.mean(one == other)) >= PIXELS

    def told(one: Any, other: Any) -> str:
        if one.shape != other.shape:
            return f"a map of {list(one.shape)}"
        return f"{float(np.mean(one == other)):.2%} of the pixels equal"

    return Decoder(answer, alike, f"at least {PIXELS:.1%} of the pixels are equal", told)


def _values(dtype: str, rank: int) -> Decoder:
    if is_float(dtype):
        told = f"within {CLOSE:g} of their scale"
        return Decoder(lambda outputs: list(outputs[0]), close, told)
    found = _maps(lambda outputs: list(outputs[0]))
    return found if rank >= 3 else Decoder(found.answer, same)


def close(one: Any, other: Any) -> bool:
    """Real arrays of equal shape whose largest difference is small beside their largest value."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if not one.size or np.array_equal(one, other, equal_nan=True):
        return True
    bound = CLOSE * float(np.abs(one).max())
    return float(np.abs(one - other).max()) <= bound


def same(one: Any, other: Any) -> bool:
    """Equal answers: arrays of equal shape and elements, or equal objects."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(np.asarray(one), np.asarray(other)))
    return bool(one == other)


def _labels(scores: np.ndarray, bound: float) -> tuple[int, ...]:
    return tuple(int(place) for place in np.flatnonzero(scores > bound))


def _longest(outputs: list[np.ndarray]) -> np.ndarray:
    """Of a table's outputs the one with scores of tokens, not the one with corners."""
    return max(outputs, key=lambda output: output.shape[-1])


Box = tuple[int, float, tuple[float, ...]]


def _boxes(found: np.ndarray, bound: float) -> list[Box]:
    """(class, score, corners) of the boxes that a person would show, in a fixed order."""
    kept = found[found[:, 1] >= bound] if found.ndim == 2 and found.shape[1] >= 6 else found[:0]
    return sorted(
        (int(box[0]), round(float(box[1]), 4), tuple(round(float(part), 1) for part in box[2:]))
        for box in kept
    )


def _missing(some: Sequence[Box], others: Sequence[Box], bound: float) -> list[Box]:
    """Boxes with a score from the bound that have no like among the others."""
    left, found = list(others), []
    for box in some:
        like = next((other for other in left if _alike(box, other)), None)
        if like is not None:
            left.remove(like)
        elif box[1] >= bound:
            found.append(box)
    return found


def _alike(one: Box, other: Box) -> bool:
    near = all(abs(a - b) <= CORNER for a, b in zip(one[2], other[2], strict=True))
    return one[0] == other[0] and near and abs(one[1] - other[1]) <= 10 * SCORE


def _ctc_text(path: np.ndarray, characters: Sequence[str], blank: int) -> str:
    kept = [
        index
        for position, index in enumerate(path)
        if index != blank and (position == 0 or index != path[position - 1])
    ]
    return "".join(characters[index - 1] if index <= len(characters) else " " for index in kept)


def _characters(samples: Samples, post: Mapping[str, Any]) -> list[str]:
    if post.get("character_dict"):
        return [str(character) for character in post["character_dict"]]
    folder = Path(samples.source)
    found = sorted(path for path in folder.glob("dict*.txt") if belongs(path, folder))
    if not found:
        raise InputError(
            f"{samples.source} has no dictionary (dict.txt) for CTC decoding.",
            "Put the recogniser's dictionary there, one character a line.",
        )
    return _text(found[0]).removesuffix("\n").split("\n")


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Save it as UTF-8.") from error
