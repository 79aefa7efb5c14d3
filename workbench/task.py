"""Task parity: the same metric for Paddle and for PyTorch on labelled samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.errors import InputError
from workbench.inputs import check_inputs
from workbench.paddle_side.reference import record
from workbench.weights import as_tensor

if TYPE_CHECKING:
    from workbench.migration import Migration

#: From model outputs to predictions that can be compared with the labels.
Decode = Callable[[list[np.ndarray]], np.ndarray]


@dataclass(frozen=True, slots=True)
class TaskParity:
    """A metric in both frameworks, and how often they give the same answer (0 … 1)."""

    metric: str
    paddle: float
    torch: float
    agreement: float
    samples: int

    def __str__(self) -> str:
        return (
            f"{self.metric} on {self.samples} samples: Paddle {self.paddle:.4f}, "
            f"PyTorch {self.torch:.4f}, same answer {self.agreement:.2%}"
        )


def task_parity(migration: Migration, folder: str | Path) -> TaskParity:
    """Run a folder's `samples.npz` through both frameworks; score as `metric.json` says."""
    folder = Path(folder)
    told = _metric_file(folder)
    with np.load(folder / "samples.npz", allow_pickle=False) as file:
        arrays = [file[f"in_{number}"] for number in range(len(migration.program.inputs))]
        labels = file["labels"]
    decode = decoder(told, folder)
    inputs = check_inputs(migration.program, arrays)
    outputs = migration.program.outputs
    reference = record(migration.paddle, migration.program, inputs, outputs)
    theirs = decode([np.asarray(reference.array(value)) for value in outputs])
    values = zip(inputs, migration.program.inputs, strict=True)
    with torch.no_grad():
        result = migration.convert()(*(as_tensor(array, value.dtype) for array, value in values))
    results = result if isinstance(result, tuple) else (result,)
    ours = decode([tensor.numpy() for tensor in results])
    return TaskParity(
        told["metric"],
        float((theirs == labels).mean()),
        float((ours == labels).mean()),
        float((theirs == ours).mean()),
        len(labels),
    )


def has_task(folder: str | Path) -> bool:
    """True when a folder holds labelled samples and says how to score them."""
    folder = Path(folder)
    return (folder / "samples.npz").is_file() and (folder / "metric.json").is_file()


def decoder(told: dict[str, Any], folder: Path) -> Decode:
    """The decoding that `metric.json` names: `argmax`, or `ctc_greedy` with the dictionary."""
    if told.get("decode") == "argmax":
        return lambda outputs: outputs[0].argmax(-1)
    if told.get("decode") == "ctc_greedy":
        characters = _characters(folder)
        blank = int(told.get("blank", 0))
        return lambda outputs: np.array(
            [_ctc_text(path, characters, blank) for path in outputs[0].argmax(-1)]
        )
    raise InputError(
        f"{folder}/metric.json asks for decode={told.get('decode')!r}.",
        "Known: argmax, ctc_greedy.",
    )


def _ctc_text(path: np.ndarray, characters: list[str], blank: int) -> str:
    kept = [
        index
        for position, index in enumerate(path)
        if index != blank and (position == 0 or index != path[position - 1])
    ]
    return "".join(characters[index - 1] for index in kept)


def _characters(folder: Path) -> list[str]:
    found = sorted(folder.glob("dict*.txt"))
    if not found:
        raise InputError(f"{folder} has no dictionary (dict.txt) for CTC decoding.")
    return found[0].read_text("utf-8").removesuffix("\n").split("\n")


def _metric_file(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "metric.json").read_text("utf-8"))  # type: ignore[no-any-return]
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{folder}/metric.json cannot be read: {error}.") from error
