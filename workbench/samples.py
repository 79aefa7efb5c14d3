"""Real samples of a model's task: read from a folder, and turned from outputs into answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError
from workbench.preprocessing import Preprocessing, read_preprocessing

if TYPE_CHECKING:
    from workbench.migration import Migration

#: Images that a folder may hold.
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
#: Files with a label for each image.
LABELS = ("labels.txt", "label.txt", "val_list.txt", "rec_gt.txt")
#: Files that say how images become inputs.
CONFIGS = ("inference.yml", "infer_cfg.yml", "deploy.yaml")
#: Images that run together when they have the same size.
TOGETHER = 8

Answer = Callable[[list[np.ndarray]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The inputs of a few samples."""

    inputs: list[np.ndarray]
    count: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in batches, with their names and, where known, labels.

    `told` is `metric.json`; `preprocessing` what `inference.yml` says.
    """

    batches: list[Batch]
    names: list[str]
    labels: Sequence[Any] | None
    source: str
    told: dict[str, Any]
    preprocessing: Preprocessing | None = None

    @property
    def metric(self) -> str:
        """Name of the metric."""
        unnamed = "answers" if self.labels is None else "share of right answers"
        return str(self.told.get("metric", unnamed))

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the preprocessing steps."""
        return self.preprocessing.names if self.preprocessing else ()


def read_samples(
    migration: Migration,
    folder: Path,
    preprocess: Callable[[Path], Sequence[np.ndarray]] | None = None,
    limit: int | None = None,
) -> Samples:
    """The samples of a folder, `samples.npz` or images; raises `InputError` without any."""
    if (folder / "samples.npz").is_file():
        return _from_arrays(migration, folder, limit)
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    if not images:
        raise InputError(
            f"{folder} holds neither samples.npz nor images.",
            "samples.npz has the arrays in_0, in_1 … and, if known, labels.",
        )
    labels = _labels(folder)
    if labels is not None:
        images = [path for path in images if str(path.relative_to(folder)) in labels]
    images = images[:limit]
    names = [str(path.relative_to(folder)) for path in images]
    told = _told(folder)
    preprocessing = None if preprocess else _preprocessing(migration, folder)
    made = []
    for path in images:
        if preprocess is not None:
            made.append(list(preprocess(path)))
        elif preprocessing is not None:
            made.append(preprocessing.inputs(path, migration.program))
    return Samples(
        _batches(migration, made),
        names,
        [labels[name] for name in names] if labels is not None else None,
        str(folder),
        told,
        preprocessing,
    )


def _from_arrays(migration: Migration, folder: Path, limit: int | None) -> Samples:
    with np.load(folder / "samples.npz", allow_pickle=False) as file:
        wanted = [f"in_{number}" for number in range(len(migration.program.inputs))]
        missing = [name for name in wanted if name not in file.files]
        if missing:
            raise InputError(f"{folder}/samples.npz has no array {', '.join(missing)}.")
        arrays = [file[name][:limit] for name in wanted]
        labels = file["labels"][:limit] if "labels" in file.files else None
    count = len(arrays[0])
    names = [f"sample {number}" for number in range(count)]
    return Samples([Batch(arrays, count)], names, labels, str(folder), _told(folder))


def _preprocessing(migration: Migration, folder: Path) -> Preprocessing:
    files = migration.files
    places = [folder, *([files.program.parent] if files else [])]
    candidates = [place / name for place in places for name in CONFIGS]
    config = next((path for path in candidates if path.is_file()), files.config if files else None)
    if config is None:
        raise InputError(
            "There is no inference.yml that says how images become inputs.",
            "Give preprocess=, a function from an image's path to the list of input arrays.",
        )
    return read_preprocessing(config)


def _batches(migration: Migration, made: list[list[np.ndarray]]) -> list[Batch]:
    """Neighbours of equal shapes run together where the batch is dynamic."""
    dynamic = all(value.shape and value.shape[0] < 0 for value in migration.program.inputs)
    together = TOGETHER if dynamic and len(migration.program.inputs) == 1 else 1
    batches: list[Batch] = []
    for arrays in made:
        last = batches[-1] if batches else None
        fits = last is not None and all(
            one.shape[1:] == other.shape[1:] for one, other in zip(last.inputs, arrays, strict=True)
        )
        if last is not None and fits and last.count < together:
            joined = [np.concatenate(pair) for pair in zip(last.inputs, arrays, strict=True)]
            batches[-1] = Batch(joined, last.count + 1)
        else:
            batches.append(Batch(arrays, 1))
    return batches


def _labels(folder: Path) -> dict[str, Any] | None:
    """Labels by path: `path label` a line, split at a tab or the first space."""
    found = next((folder / name for name in LABELS if (folder / name).is_file()), None)
    if found is None:
        return None
    labels: dict[str, Any] = {}
    for line in found.read_text("utf-8").splitlines():
        name, _, label = line.strip().partition("\t" if "\t" in line else " ")
        if name:
            labels[name] = label
    classes = all(label.isdigit() and str(int(label)) == label for label in labels.values())
    return {name: int(label) for name, label in labels.items()} if classes else labels


def _told(folder: Path) -> dict[str, Any]:
    path = folder / "metric.json"
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


# --- answers ------------------------------------------------------------------------------------


def decoder(migration: Migration, samples: Samples) -> Answer:
    """How outputs become answers: as `metric.json` says, else by the model's `PostProcess`.

    Known: argmax (classes, or a map of them), ctc_greedy (text), boxes, values.
    """
    post = samples.preprocessing.post if samples.preprocessing else {}
    kind = samples.told.get("decode") or _kind(migration, post)
    if kind == "argmax":
        return lambda outputs: outputs[0].argmax(1 if outputs[0].ndim == 4 else -1)
    if kind == "ctc_greedy":
        characters = _characters(samples, post)
        blank = int(samples.told.get("blank", 0))
        return lambda outputs: [
            _ctc_text(path, characters, blank) for path in outputs[0].argmax(-1)
        ]
    if kind == "boxes":
        return lambda outputs: [_boxes(outputs[0])]
    if kind == "values":
        return lambda outputs: list(outputs[0])
    if kind == "mask":
        return lambda outputs: list(outputs[0][:, 0] > float(post.get("thresh", 0.3)))
    raise InputError(
        f"{samples.source}/metric.json asks for decode={kind!r}.",
        "Known: argmax, ctc_greedy, boxes, mask, values; or give answer=, a function.",
    )


def _kind(migration: Migration, post: Any) -> str:
    if "CTC" in str(post.get("name", "")):
        return "ctc_greedy"
    names = {value.name for value in migration.program.inputs}
    if "scale_factor" in names:
        return "boxes"
    output = migration.program.outputs[0]
    if not output.dtype.startswith(("float", "bfloat")):
        return "values"
    if len(output.shape) == 4 and output.shape[1] == 1:
        return "mask"
    if len(output.shape) in (2, 4):
        return "argmax"
    raise InputError(
        f"How the output {output!r} becomes an answer is not known.",
        "Give answer=, a function from the list of outputs to one answer for each sample.",
    )


def _boxes(found: np.ndarray) -> list[tuple[int, ...]]:
    """(class, corners in pixels) of the boxes that a person would show, in a fixed order."""
    kept = found[found[:, 1] >= 0.5] if found.ndim == 2 and found.shape[1] >= 6 else found[:0]
    return sorted((int(box[0]), *(round(float(part)) for part in box[2:6])) for box in kept)


def _ctc_text(path: np.ndarray, characters: Sequence[str], blank: int) -> str:
    kept = [
        index
        for position, index in enumerate(path)
        if index != blank and (position == 0 or index != path[position - 1])
    ]
    return "".join(characters[index - 1] if index <= len(characters) else " " for index in kept)


def _characters(samples: Samples, post: Any) -> list[str]:
    if post.get("character_dict"):
        return [str(character) for character in post["character_dict"]]
    found = sorted(Path(samples.source).glob("dict*.txt"))
    if not found:
        raise InputError(f"{samples.source} has no dictionary (dict.txt) for CTC decoding.")
    return found[0].read_text("utf-8").removesuffix("\n").split("\n")
