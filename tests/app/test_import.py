"""What an import costs: nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_importing_and_loading_need_neither_torch_nor_pandas_nor_paddle() -> None:
    told = (
        "import sys, workbench as wb\n"
        "wb.load('data/digits_classifier').program\n"
        "heavy = {'torch', 'pandas', 'paddle', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
