"""Numbers as a person would write them."""

from __future__ import annotations

import numpy as np


def shortest(value: float) -> float:
    """The shortest decimal that rounds to the same float32: 9.999999747378752e-06 → 1e-05.

    Paddle keeps float attributes in float32. In computations up to float32 both spellings give the
    same bits, since torch rounds a Python scalar to float32 first.
    """
    short = float(str(np.float32(value)))
    if abs(short) > float(
        np.finfo(np.float32).max
    ):  # 3.4028235e+38 is more than torch takes for float32
        return value
    return short if np.float32(short) == np.float32(value) else value
