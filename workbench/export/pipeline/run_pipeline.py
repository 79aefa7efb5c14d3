"""Runs in a process of its own, with torch only: a bundle's `pipeline.py` on pictures and arrays.

    python -P run_pipeline.py BUNDLE REQUEST ANSWER FOLDER_OF_TORCH

Imports nothing of the workbench: see `trial.py` for the other side.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(sys.argv[-1])

import numpy as np
import torch


def main(bundle: Path, request: Path, answer: Path) -> None:
    """Answer one request: for each picture its inputs and answer, for each batch its answers."""
    sys.modules["workbench"] = sys.modules["paddle"] = None  # type: ignore[assignment]
    sys.path.insert(0, str(bundle))
    asked = torch.load(request, weights_only=True)
    torch.set_num_threads(asked["threads"])
    torch.set_float32_matmul_precision(asked["precision"])
    pipeline = importlib.import_module("pipeline")
    pictures = [_seen(pipeline, path) for path in asked["pictures"]]
    batches = [_answers(pipeline, batch) for batch in asked["batches"]]
    torch.save({"pictures": pictures, "batches": batches}, answer)


def _seen(pipeline: Any, path: str) -> tuple[list[Any], Any]:
    found = pipeline.predict(path)
    with tempfile.TemporaryDirectory() as folder:
        pipeline.draw(path, found, Path(folder, "drawn.png"))
    return pipeline.inputs(pipeline.prepared(path)), _plain(found)


def _answers(pipeline: Any, batch: list[torch.Tensor]) -> list[Any]:
    """What the model's outputs for stored inputs mean, sample by sample."""
    with torch.no_grad():
        outputs = pipeline.model()(*batch)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    count = len(batch[0])
    return [
        _plain(pipeline.answer([part[row : row + 1].numpy() for part in outputs], None))
        for row in range(count)
    ]


def _plain(found: Any) -> Any:
    return torch.from_numpy(np.array(found)) if isinstance(found, np.ndarray) else found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
