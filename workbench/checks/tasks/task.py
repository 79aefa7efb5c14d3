"""Task parity: the same metric for Paddle and for PyTorch on real samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.checks.tasks.answers import Answer, Decoder, decoder, same
from workbench.checks.tasks.samples import Batch, read_samples
from workbench.checks.values.inputs import check_inputs
from workbench.core import shown
from workbench.core.errors import InputError
from workbench.core.progress import progress
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.checks.subject import Subject

#: From answers and labels to one number; the default is the share of equal ones.
Metric = Callable[[Sequence[Any], Sequence[Any]], float]
#: Batches that are in memory at once.
AT_ONCE = 32
#: Samples with different answers that a result keeps.
KEPT = 20


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sample that the frameworks answer differently."""

    sample: str
    paddle: str
    torch: str


#: The share of real samples that must be answered alike: rounding may tip one that stands on a
#: border. Of fewer than a hundred samples none may differ.
LEAST_ALIKE = 0.99


@dataclass(frozen=True, slots=True)
class TaskParity:
    """A metric in both frameworks, and how often they give the same answer (0 … 1).

    `paddle` and `torch` are None without labels. `interval` is the 95 % confidence interval of the
    agreement on further samples of this kind (Wilson). `rule` says when answers are the same,
    `skipped` which samples were left out, and why. `constant` is true when Paddle answered every
    sample alike, which proves little.
    """

    metric: str
    paddle: float | None
    torch: float | None
    agreement: float
    samples: int
    interval: tuple[float, float] = (0.0, 1.0)
    disagreements: tuple[Disagreement, ...] = ()
    source: str = ""
    steps: tuple[str, ...] = ()
    rule: str = "equal"
    skipped: tuple[tuple[str, str], ...] = ()
    constant: bool = False

    @property
    def passed(self) -> bool:
        """True when at least 99 % of the samples are answered alike."""
        return self.samples > 0 and self.agreement >= LEAST_ALIKE

    @property
    def same(self) -> int:
        """How many samples are answered alike."""
        return round(self.agreement * self.samples)

    def __str__(self) -> str:
        scores = (
            f"Paddle {self.paddle:.4f}, PyTorch {self.torch:.4f}, "
            if self.paddle is not None and self.torch is not None
            else ""
        )
        left = f"; {len(self.skipped)} left out" if self.skipped else ""
        left += "; every sample got the same answer, which proves little" if self.constant else ""
        alike = f"; the same means {self.rule}" if self.rule != "equal" else ""
        verdict = "" if self.passed else f"failed, fewer than {LEAST_ALIKE:.0%} are alike: "
        return (
            f"{verdict}{self.metric} on {self.samples} samples: {scores}"
            f"same answer {self.agreement:.2%} "
            f"(95 % confidence {self.interval[0]:.2%} to {self.interval[1]:.2%}){alike}{left}"
        )

    def _repr_html_(self) -> str:
        return shown.html(self)


def task_parity(
    migration: Subject,
    samples: str | Path,
    metric: Metric | None = None,
    answer: Answer | None = None,
    preprocess: Callable[[Path], Sequence[np.ndarray]] | None = None,
    limit: int | None = None,
) -> TaskParity:
    """Run real samples through both frameworks and compare their answers.

    `samples` is a folder: with `samples.npz` (`in_0` …, and `labels` if there are any), or with
    images, which become inputs as the model's `inference.yml` or `preprocess` says; labels are read
    from `labels.txt` (`path label` a line). Images that cannot be read or have no
    label are left out and told.
    `answer` turns outputs into one answer a sample; without it `metric.json`, the model's
    `PostProcess` or the kind of outputs says how. `metric(answers, labels)` scores; the default is
    the share of right answers. Raises `InputError` when there are no samples to read.
    """
    found = read_samples(migration, Path(str(samples)).expanduser(), preprocess, limit)
    how = Decoder(answer, same) if answer else decoder(migration.program, found)
    outcome = _Outcome(how)
    for batches in _groups(progress(found, "samples")):
        arrays = [check_inputs(migration.program, batch.inputs) for batch in batches]
        outputs = migration.runtime.outputs(migration.program, arrays)
        for batch, given, theirs in zip(batches, arrays, outputs, strict=True):
            outcome.add(batch, theirs, _ours(migration, given))
    score = metric or share_right
    labels = outcome.labels if found.labelled else None
    count = len(outcome.theirs)
    return TaskParity(
        getattr(metric, "__name__", "") or found.metric,
        float(score(outcome.theirs, labels)) if labels is not None else None,
        float(score(outcome.ours, labels)) if labels is not None else None,
        outcome.equal / count if count else 0.0,
        count,
        wilson(outcome.equal, count),
        tuple(outcome.different),
        found.source,
        found.steps,
        how.rule,
        tuple(found.skipped.items()),
        count > 2 and all(how.alike(outcome.theirs[0], other) for other in outcome.theirs),
    )


@dataclass(slots=True)
class _Outcome:
    """The answers so far."""

    how: Decoder
    theirs: list[Any] = field(default_factory=list)
    ours: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    equal: int = 0
    different: list[Disagreement] = field(default_factory=list)

    def add(self, batch: Batch, theirs: list[np.ndarray], ours: list[np.ndarray]) -> None:
        """Compare the answers to one batch."""
        self.labels += batch.labels or ()
        pair = (_answers(self.how.answer, outputs, batch) for outputs in (theirs, ours))
        for name, one, other in zip(batch.names, *pair, strict=True):
            self.theirs.append(one)
            self.ours.append(other)
            if self.how.alike(one, other):
                self.equal += 1
            elif len(self.different) < KEPT:
                told = self.how.told(one, other), self.how.told(other, one)
                self.different.append(Disagreement(name, *told))


def _groups(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """So many batches that few are in memory."""
    left = iter(batches)
    while group := list(islice(left, AT_ONCE)):
        yield group


def _answers(answer: Answer, outputs: list[np.ndarray], batch: Batch) -> list[Any]:
    made = list(answer(outputs))
    if len(made) != batch.count:
        raise InputError(
            f"The answer function gave {len(made)} answers for {batch.count} samples.",
            "It must return one answer for each sample of the batch.",
        )
    return made


def _ours(migration: Subject, arrays: list[np.ndarray]) -> list[np.ndarray]:
    values = zip(arrays, migration.program.inputs, strict=True)
    with torch.no_grad():
        result = migration.convert()(*(as_tensor(array, value.dtype) for array, value in values))
    results = result if isinstance(result, tuple) else (result,)
    return [tensor.float().numpy() if _half(tensor) else tensor.numpy() for tensor in results]


def _half(tensor: torch.Tensor) -> bool:
    return tensor.dtype in (torch.bfloat16, torch.float16)


def share_right(answers: Sequence[Any], labels: Sequence[Any]) -> float:
    """The share of answers that equal their label."""
    pairs = zip(answers, labels, strict=True)
    return float(np.mean([_right(answer, label) for answer, label in pairs]))


def _right(answer: Any, label: Any) -> bool:
    """Equal; a text also to the number that it writes."""
    texts = isinstance(answer, str) != isinstance(label, str) and not isinstance(answer, np.ndarray)
    return str(answer) == str(label) if texts else same(answer, label)


def wilson(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % confidence interval of a share.

    >>> [round(bound, 4) for bound in wilson(200, 200)]
    [0.9812, 1.0]
    """
    if not count:
        return 0.0, 1.0
    share = successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    half /= 1 + z * z / count
    low = 0.0 if successes == 0 else middle - half
    return max(low, 0.0), 1.0 if successes == count else min(middle + half, 1.0)


def has_task(folder: str | Path) -> bool:
    """True when a folder holds labelled samples and says how to score them."""
    folder = Path(folder)
    return (folder / "samples.npz").is_file() and (folder / "metric.json").is_file()


def user_function(told: str) -> Answer:
    """The function that `file.py:name` means; raises `InputError` when there is none."""
    from workbench.core.own_code import load_module

    path, _, name = told.rpartition(":")
    if not path or not name.isidentifier():
        raise InputError(f"{told} is no function.", "Write it as FILE.py:NAME.")
    found = getattr(load_module(path), name, None)
    if not callable(found):
        raise InputError(f"{told} cannot be loaded: {path} has no function {name}.")
    return found  # type: ignore[no-any-return]
