"""Non-maximum suppression of all images at once."""

from collections.abc import Callable
from typing import Any

FORMS: dict[Callable[..., Any], Callable[..., Any]] = {}
