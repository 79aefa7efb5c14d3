"""Progress bars for notebooks and terminals."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm


def progress(items: Iterable[Any], label: str) -> Iterable[Any]:
    """The items, with a bar that appears when they take longer than a second."""
    hidden = not sys.stderr.isatty() and "ipykernel" not in sys.modules
    return tqdm(items, desc=label, leave=False, delay=1.0, disable=hidden)
