"""`pipeline.py` is run before a bundle is written: its inputs and answers are those of task parity.

A process of its own, with torch only, runs it on pictures: samples of the task where they are at
hand, else pictures that are made. What it feeds the model equals, bit for bit, what task parity
feeds it, and what it answers is the answer that the module's outputs mean there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from workbench.checks.tasks.answers import Decoder, decoder
from workbench.checks.tasks.pictures import Picture, channels_first, decoded
from workbench.checks.tasks.preprocessing import Preprocessing
from workbench.checks.tasks.samples import Samples, read_samples
from workbench.core.errors import InputError, RefusedProgramError, RuntimeFailedError
from workbench.export.fresh import last_line, run_fresh
from workbench.export.pipeline import run_pipeline
from workbench.export.pipeline.answering import map_on_picture, text_boxes
from workbench.export.pipeline.application import Application
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

#: Pictures, and stored arrays of samples, that are tried at most.
PICTURES, ARRAYS = 8, 64
#: Sizes of the pictures that are made, height and width.
_SIZES = ((120, 90), (61, 200))
_PATIENCE = 600.0
#: Kinds whose answer belongs to one row of the outputs and needs no picture.
_BY_ROW = ("argmax", "multilabel", "ctc_greedy")


class PipelineError(Exception):
    """A pipeline that does not do what task parity does; it is left out."""


@dataclass(slots=True)
class _Tried:
    """What one picture or batch gave on our side."""

    arrays: list[np.ndarray]
    outputs: list[np.ndarray]
    theirs: list[np.ndarray] | None = None


def try_pipeline(migration: Evidence, folder: Path, made: Application, steps: Preprocessing) -> str:
    """Run and compare; returns what was compared. Raises `PipelineError` where it differs."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as place:
        pictures, batches, where = _material(migration, made, Path(place))
        seen = [(path, arrays) for path in pictures
                if (arrays := _inputs(migration, steps, path)) is not None]  # fmt: skip
        if not seen:
            raise PipelineError("it takes none of the pictures that it was tried on")
        answer = _asked(folder, [path for path, _ in seen], batches, Path(place))
        runs = _computed(migration, [*(arrays for _, arrays in seen), *batches])
        how = decoder(migration.program, _samples(steps))
        count = same = 0
        for (path, arrays), run, (inputs, found) in zip(
            seen, runs, answer["pictures"], strict=False
        ):
            _compare_inputs(arrays, inputs, path)
            expected = _expected(made, how, path, steps)
            count += 1
            same += _judge(expected, run, [found], made, how)
        for run, found in zip(runs[len(seen) :], answer["batches"], strict=True):
            count += len(found)
            same += _judge(lambda outputs: list(how.answer(outputs)), run, found, made, how)
    told = f"what the model is fed, bit for bit with task parity on {len(seen)} pictures {where}"
    if all(run.theirs is not None for run in runs):
        return f"{told}; {same} of {count} answers are those that Paddle's outputs mean"
    return f"{told}; {count} answers with those that the model's outputs mean there"


# --- what it is tried on ----------------------------------------------------------------------


def _material(
    migration: Evidence, made: Application, place: Path
) -> tuple[list[Path], list[list[np.ndarray]], str]:
    """Pictures, batches of stored arrays, and where the pictures are from."""
    pictures: list[Path] = []
    batches: list[list[np.ndarray]] = []
    for folder in _folders(migration):
        try:
            stored = (folder / "samples.npz").is_file()
            found = read_samples(migration, folder, limit=ARRAYS if stored else PICTURES)
            if not stored:
                names = [name for batch in found for name in batch.names]
                pictures += [Path(found.source) / name for name in names]
            elif made.kind in _BY_ROW and not batches:
                batches.append(next(iter(found)).inputs)
        except (InputError, OSError, StopIteration):
            continue
    if pictures:
        return pictures[:PICTURES], batches, "of the task"
    return list(_made(place)), batches, "that were made for it"


def _folders(migration: Evidence) -> list[Path]:
    """Folders with samples: those that were used, and the model's own."""
    told = migration.task_parity.source if migration.task_parity else ""
    beside = migration.files.program.parent if migration.files else Path()
    own = [beside] if (beside / "samples.npz").is_file() else []
    return list(dict.fromkeys([*([Path(told)] if told and Path(told).is_dir() else []), *own]))


def _made(place: Path) -> Iterator[Path]:
    """Pictures with soft colours, as different from each other as pictures are."""
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate(_SIZES):
        small = Image.fromarray(random.integers(0, 256, (6, 8, 3)).astype(np.uint8))
        path = place / f"picture_{number}.png"
        small.resize((width, height), Image.Resampling.BICUBIC).save(path)
        yield path


def _samples(steps: Preprocessing) -> Samples:
    return Samples(lambda: iter(()), 0, False, "", {}, steps)


# --- our side ---------------------------------------------------------------------------------


def _inputs(migration: Evidence, steps: Preprocessing, path: Path) -> list[np.ndarray] | None:
    try:
        return steps.inputs(path, migration.program)
    except InputError:
        return None


def _computed(migration: Evidence, inputs: Sequence[list[np.ndarray]]) -> list[_Tried]:
    """The module's outputs, and Paddle's where the model was verified."""
    module, values = migration.convert(), migration.program.inputs
    runs = []
    for arrays in inputs:
        pairs = zip(arrays, values, strict=True)
        try:
            with torch.no_grad():
                outputs = module(*(as_tensor(array, value.dtype) for array, value in pairs))
        except Exception as error:
            raise PipelineError(f"the model takes no such inputs: {error}"[:200]) from error
        whole = outputs if isinstance(outputs, tuple) else (outputs,)
        plain = [part.float() if part.is_floating_point() else part for part in whole]
        runs.append(_Tried(list(arrays), [part.numpy() for part in plain]))
    if migration.verification is not None:
        try:
            theirs = migration.runtime.outputs(migration.program, [run.arrays for run in runs])
            for run, outputs in zip(runs, theirs, strict=True):
                run.theirs = list(outputs)
        except (RuntimeFailedError, RefusedProgramError):
            pass  # then the module's own outputs say what the answers are
    return runs


def _expected(
    made: Application, how: Decoder, path: Path, steps: Preprocessing
) -> Callable[[list[np.ndarray]], list[Any]]:
    """From outputs to the answer that the pipeline should give for a picture."""
    if made.kind not in ("map", "text boxes"):
        return lambda outputs: list(how.answer(outputs))
    picture = Picture(decoded(path, steps.bgr))
    for step in steps.steps:
        step(picture)
    picture.image = channels_first(picture.image)
    if made.kind == "map":
        return lambda outputs: [map_on_picture(one, picture) for one in how.answer(outputs)]
    return lambda outputs: [text_boxes(outputs[0][0, 0], picture, dict(made.settings))]


# --- the pipeline's side, and comparison ------------------------------------------------------


def _asked(
    folder: Path, pictures: Sequence[Path], batches: Sequence[list[np.ndarray]], place: Path
) -> dict[str, Any]:
    request, answer = place / "request.pt", place / "answer.pt"
    asked = {
        "pictures": [str(path.resolve()) for path in pictures],
        "batches": [[torch.from_numpy(np.array(one)) for one in batch] for batch in batches],
        "threads": torch.get_num_threads(),
        "precision": torch.get_float32_matmul_precision(),
    }
    torch.save(asked, request)
    script = Path(run_pipeline.__file__)
    try:
        code, _, error = run_fresh(script, folder, request, answer, timeout=_PATIENCE)
    except TimeoutError as late:
        raise PipelineError(f"{late}") from late
    if code:
        raise PipelineError(f"it cannot be run here: {last_line(error)}")
    found: dict[str, Any] = torch.load(answer, weights_only=True)
    return found


def _compare_inputs(arrays: Sequence[np.ndarray], inputs: Sequence[Any], path: Path) -> None:
    for number, (array, tensor) in enumerate(zip(arrays, inputs, strict=True)):
        found = tensor.numpy()
        if found.dtype != array.dtype or not np.array_equal(found, array, equal_nan=True):
            raise PipelineError(f"it makes another input {number} of {path.name}")


def _judge(
    expected: Callable[[list[np.ndarray]], list[Any]],
    run: _Tried,
    found: Sequence[Any],
    made: Application,
    how: Decoder,
) -> int:
    """How many answers are Paddle's; raises `PipelineError` where one is not the module's."""
    answers = [_as_decoded(made.kind, one) for one in found]
    alike = _equal_boxes if made.kind == "text boxes" else how.alike
    for mine, one in zip(expected(run.outputs), answers, strict=True):
        if not alike(mine, one):
            raise PipelineError(f"it answers {one!r}, task parity {mine!r}"[:200])
    if run.theirs is None:
        return len(answers)
    theirs = expected(run.theirs)
    return sum(bool(alike(other, one)) for other, one in zip(theirs, answers, strict=True))


def _as_decoded(kind: str, found: Any) -> Any:
    """An answer of a pipeline as task parity has it."""
    if kind == "argmax":
        return found[0]["class"]
    if kind == "multilabel":
        return tuple(one["class"] for one in found)
    if kind == "ctc_greedy":
        return found["text"]
    if kind == "boxes":
        return sorted(
            (one["class"], round(one["score"], 4), tuple(round(part, 1) for part in one["box"]))
            for one in found
        )
    return found.numpy() if isinstance(found, torch.Tensor) else found


def _equal_boxes(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """As many boxes, each within a pixel."""
    pairs = zip(some, others, strict=False)
    return len(some) == len(others) and all(
        np.abs(np.subtract(one["box"], other["box"])).max() <= 1 for one, other in pairs
    )
