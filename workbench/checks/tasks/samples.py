"""Real samples of a model's task, read from a folder a few at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checks.tasks.preprocessing import Preprocessing, read_preprocessing
from workbench.core.errors import InputError
from workbench.core.files import LARGEST_DOCUMENT, belongs, read_text
from workbench.core.npz import read_npz

if TYPE_CHECKING:
    from workbench.checks.subject import Subject
    from workbench.core.program import Program

#: Images that a folder may hold.
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
#: Files with a label for each image.
LABELS = ("labels.txt", "label.txt", "val_list.txt", "test_list.txt", "rec_gt.txt")
#: Files that say how images become inputs.
CONFIGS = ("inference.yml", "infer_cfg.yml", "deploy.yaml")
#: Images that run together when they have the same size.
TOGETHER = 8
#: Arrays of `samples.npz` that run together.
AT_ONCE = 64
#: Encodings of label files: with or without a mark at the start, then Chinese Windows.
_ENCODINGS = ("utf-8-sig", "gb18030")

Prepare = Callable[[Path], Sequence[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The inputs of a few samples, with their names and, where known, labels."""

    inputs: list[np.ndarray]
    names: tuple[str, ...]
    labels: tuple[Any, ...] | None = None

    @property
    def count(self) -> int:
        """How many samples."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of a folder. `told` is `metric.json`, `preprocessing` what `inference.yml` says.

    Iterating reads them, in batches; what cannot be read goes to `skipped`, with the reason.
    """

    batches: Callable[[], Iterator[Batch]]
    count: int
    labelled: bool
    source: str
    told: Mapping[str, Any]
    preprocessing: Preprocessing | None = None
    skipped: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    @property
    def metric(self) -> str:
        """Name of the metric."""
        unnamed = "share of right answers" if self.labelled else "answers"
        return str(self.told.get("metric", unnamed))

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the preprocessing steps."""
        return self.preprocessing.names if self.preprocessing else ()


def read_samples(
    migration: Subject, folder: Path, preprocess: Prepare | None = None, limit: int | None = None
) -> Samples:
    """The samples of a folder (`samples.npz`, or images) or one image; raises `InputError`."""
    if not folder.exists():
        raise InputError(f"There is no {folder}.", "Give a folder with images or samples.npz.")
    if _file_of(folder, "samples.npz"):
        return _from_arrays(migration, folder, limit)
    if folder.is_file() and folder.suffix.lower() not in IMAGES:
        raise InputError(f"{folder} is no image.", f"Images are {' '.join(IMAGES)}.")
    alone = folder.is_file()
    images = [folder] if alone else _images(folder)
    folder = folder.parent if alone else folder
    if not images:
        raise InputError(
            f"{folder} holds neither samples.npz nor images.",
            f"samples.npz has the arrays in_0, in_1 … and, if known, labels. Images are "
            f"{' '.join(IMAGES)}.",
        )
    preprocessing = None if preprocess else _preprocessing(migration, folder)
    labels = _labels(folder, preprocessing)
    found, skipped = _with_labels(images, folder, labels)
    found = found[:limit]
    left_out = dict(skipped)

    def inputs(path: Path) -> list[np.ndarray]:
        if preprocess is not None:
            return list(preprocess(path))
        assert preprocessing is not None
        return preprocessing.inputs(path, migration.program)

    def batches() -> Iterator[Batch]:
        skipped.clear()
        skipped.update(left_out)
        singles = _singles(found, folder, inputs, labels is not None, skipped)
        return _together(singles, migration.program)

    return Samples(
        batches, len(found), labels is not None, str(folder), _told(folder), preprocessing, skipped
    )


def _with_labels(
    images: list[Path], folder: Path, labels: dict[str, Any] | None
) -> tuple[list[tuple[Path, Any]], dict[str, str]]:
    """The images with their labels, and why some are left out; all, where nothing has labels."""
    found = [(path, _label(path, folder, labels)) for path in images]
    if labels is None:
        return found, {}
    known = [(path, label) for path, label in found if label is not None]
    if not known:
        raise InputError(
            f"The labels in {folder} are for none of its {len(images)} images: they name "
            f"{next(iter(labels), 'nothing')!r}, an image is {_name(images[0], folder)!r}.",
            "Write a line as: path of the image in the folder, a tab, its label.",
        )
    return known, {_name(path, folder): "it has no label" for path, one in found if one is None}


def _images(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _file_of(folder: Path, name: str) -> Path | None:
    """A file that was found, not named; raises `InputError` for one that lies elsewhere."""
    path = folder / name
    if not os.path.lexists(path):
        return None
    if not belongs(path, folder):
        raise InputError(
            f"{path} is no regular file of its folder, so it was not read.",
            "Put a copy there in place of the link.",
        )
    return path


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _singles(
    found: Sequence[tuple[Path, Any]], folder: Path, inputs: Callable[[Path], list[np.ndarray]],
    labelled: bool, skipped: dict[str, str],
) -> Iterator[Batch]:  # fmt: skip
    """A batch for each image; raises `InputError` when not one can be read."""
    read = 0
    for path, label in found:
        name = _name(path, folder)
        try:
            arrays = inputs(path)
        except InputError as error:
            skipped[name] = str(error).partition("\n")[0]
            continue
        read += 1
        yield Batch(arrays, (name,), (label,) if labelled else None)
    if not read:
        first = next(iter(skipped.values()), "there is none")
        raise InputError(f"None of the {len(found)} images can be used: {first}")


def _together(singles: Iterator[Batch], program: Program) -> Iterator[Batch]:
    """Neighbours of equal shapes run together where the batch is dynamic."""
    dynamic = len(program.inputs) == 1 and program.inputs[0].shape[:1] == (-1,)
    waiting: list[Batch] = []
    for single in singles:
        fits = waiting and dynamic and _shapes(single) == _shapes(waiting[0])
        if waiting and (not fits or len(waiting) == TOGETHER):
            yield _joined(waiting)
            waiting = []
        waiting.append(single)
    if waiting:
        yield _joined(waiting)


def _shapes(batch: Batch) -> list[tuple[int, ...]]:
    return [np.asarray(array).shape[1:] for array in batch.inputs]


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    inputs = [
        np.concatenate(arrays)
        for arrays in zip(*(batch.inputs for batch in batches), strict=True)
    ]  # fmt: skip
    names = tuple(name for batch in batches for name in batch.names)
    labels = tuple(label for batch in batches for label in batch.labels or ())
    return Batch(inputs, names, labels if batches[0].labels is not None else None)


def _from_arrays(migration: Subject, folder: Path, limit: int | None) -> Samples:
    found = read_npz(folder / "samples.npz")
    wanted = [f"in_{number}" for number in range(len(migration.program.inputs))]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(f"{folder}/samples.npz has no array {', '.join(missing)}.")
    arrays = [found[name][:limit] for name in wanted]
    labels = found["labels"][:limit] if "labels" in found else None
    count = len(arrays[0])
    if any(len(array) != count for array in (*arrays, *([] if labels is None else [labels]))):
        raise InputError(f"The arrays in {folder}/samples.npz have different lengths.")
    declared = migration.program.inputs[0].shape[:1]
    size = declared[0] if declared and declared[0] > 0 else AT_ONCE

    def batches() -> Iterator[Batch]:
        for start in range(0, count, size):
            part = range(start, min(start + size, count))
            named = tuple(f"sample {number}" for number in part)
            right = None if labels is None else tuple(labels[start : part.stop].tolist())
            yield Batch([array[start : part.stop] for array in arrays], named, right)

    return Samples(batches, count, labels is not None, str(folder), _told(folder))


def _preprocessing(migration: Subject, folder: Path) -> Preprocessing:
    files = migration.files
    places = [folder, *([files.program.parent] if files else [])]
    candidates = [_file_of(place, name) for place in places for name in CONFIGS]
    config = next(filter(None, candidates), files.config if files else None)
    if config is None:
        raise InputError(
            "There is no inference.yml that says how images become inputs.",
            "Put the model's into the folder, or give preprocess=, a function from an image's path "
            "to the list of input arrays.",
        )
    return read_preprocessing(config)


def _labels(folder: Path, preprocessing: Preprocessing | None) -> dict[str, Any] | None:
    """Labels by path: `path label` a line, split at a tab or the first space.

    Names of classes become their numbers where `inference.yml` lists them.
    """
    found = next(filter(None, (_file_of(folder, name) for name in LABELS)), None)
    if found is None:
        return None
    labels: dict[str, Any] = {}
    for line in _text(found).splitlines():
        name, _, label = line.strip("\r\n ").partition("\t" if "\t" in line else " ")
        if name:
            labels[name.replace("\\", "/")] = label
    classes = _classes(preprocessing)
    if labels and all(label in classes for label in labels.values()):
        return {name: classes[label] for name, label in labels.items()}
    numbers = all(label.isdigit() and str(int(label)) == label for label in labels.values())
    return {name: int(label) for name, label in labels.items()} if numbers else labels


def _classes(preprocessing: Preprocessing | None) -> dict[str, int]:
    """Numbers of classes by name, as a classifier's `PostProcess` lists them."""
    told = (preprocessing.post if preprocessing else {}).get("Topk") or {}
    names = told.get("label_list") if isinstance(told, dict) else None
    return {str(name): number for number, name in enumerate(names or ())}


def _label(path: Path, folder: Path, labels: Mapping[str, Any] | None) -> Any:
    """The label of an image, also where the list names it from a folder further up."""
    if labels is None:
        return None
    name = _name(path, folder)
    if name in labels:
        return labels[name]
    longer = [label for told, label in labels.items() if told.endswith(f"/{name}")]
    return longer[0] if len(longer) == 1 else None


def _text(path: Path) -> str:
    for encoding in _ENCODINGS:
        try:
            return read_text(path, LARGEST_DOCUMENT, encoding)
        except UnicodeDecodeError:
            continue
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}.") from error
    raise InputError(f"{path} is not text in UTF-8.", "Save it as UTF-8.")


def _told(folder: Path) -> dict[str, Any]:
    path = _file_of(folder, "metric.json")
    if path is None:
        return {}
    try:
        found = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no object.", 'Write it as {"decode": "argmax"}.')
    return found
