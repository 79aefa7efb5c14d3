"""The models that a benchmark runs on: those given, or the samples and nets that Paddle exports."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def chosen_models(given: Sequence[Path], script: str) -> Iterator[list[Path]]:
    """Folders of the models given, else of the samples in data/ and of what `script` exports."""
    with tempfile.TemporaryDirectory() as made:
        folders = list(given)
        if not folders:
            maker = Path(__file__).with_name(script)
            subprocess.run([sys.executable, str(maker), made], check=True, capture_output=True)
            samples = [path.parent for path in sorted((ROOT / "data").glob("*/metric.json"))]
            folders = [*samples, *sorted(Path(made).iterdir())]
        yield folders
