"""Pictures of one migration: a layer against Paddle, and what the model answers to samples."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.checks.tasks.answers import decoder
from workbench.checks.tasks.samples import Batch, Samples, read_samples
from workbench.checks.tasks.task import has_task
from workbench.checks.values.row_runner import RowRunner
from workbench.checks.values.source_values import reference_tensor
from workbench.core.errors import InputError
from workbench.notebook.figures import FAULT, INK, Plot, message, plain, styled
from workbench.notebook.plots import scatter
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workbench.checks.evidence import Evidence


def layer_scatter(migration: Evidence, path: str) -> Figure:
    """One layer's output on Paddle's own inputs against Paddle's output, element by element.

    Raises `InputError` before the first verification, or when Paddle gave no value to compare with.
    """
    values = migration.mapping[path].values[:1]
    found = [(one, value) for one in migration.references for value in values if value in one]
    if not found:
        raise InputError(f"There is no value of Paddle for {path}.", "Call verify() first.")
    reference, value = found[0]
    get = partial(reference_tensor, reference)
    ours = RowRunner(migration.convert()).alone(path, get)[value]
    return scatter(reference_tensor(reference, value), ours)


def sample_answers(migration: Evidence, folder: str | Path, count: int = 10) -> Figure:
    """The first samples of a folder with what the PyTorch model answers; wrong answers in red.

    A text in place of the pictures when the model has no labelled samples or takes no pictures.
    """
    if not has_task(folder):
        return message("This model has no labelled samples.")
    samples = read_samples(migration, Path(folder), limit=count)
    batches = list(samples)
    images = np.concatenate([batch.inputs[0] for batch in batches])
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        return message("The samples of this model are not pictures.")
    answers = _answers(migration, samples, batches)
    labels = [label for batch in batches for label in batch.labels or ()] or answers
    columns = min(5, len(images)) if images.shape[3] < 2 * images.shape[2] else 2
    rows = -(-len(images) // columns)
    height = 0.35 + 8 / columns * images.shape[2] / images.shape[3]
    figure = Plot(7, rows * height * 7 / 8)
    for number, axes in enumerate(np.atleast_1d(figure.subplots(rows, columns)).flat):
        axes.set_axis_off()
        if number >= len(images):
            continue
        right = str(answers[number]) == str(labels[number])
        told = str(answers[number]) + ("" if right else f" (it is {labels[number]})")
        axes.imshow(_visible(images[number]), cmap="gray")
        styled(axes, plain(told), colour=INK if right else FAULT)
        axes.set_axis_off()
    return figure


def _answers(migration: Evidence, samples: Samples, batches: list[Batch]) -> list[Any]:
    answer, found = decoder(migration.program, samples).answer, []
    for batch in batches:
        pairs = zip(batch.inputs, migration.program.inputs, strict=True)
        with torch.no_grad():
            outputs = migration.convert()(*(as_tensor(array, v.dtype) for array, v in pairs))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        found += list(answer([output.float().numpy() for output in outputs]))
    return found


def _visible(image: np.ndarray) -> np.ndarray:
    """A picture in channels-last order with values from 0 to 1."""
    low, high = float(image.min()), float(image.max())
    shown = (image - low) / ((high - low) or 1)
    return shown[0] if len(shown) == 1 else np.moveaxis(shown, 0, -1)
