"""The dtypes of a program, by name: their sizes, their kinds, how numpy stores them."""

from __future__ import annotations

import numpy as np

_SIZES = {
    "bool": 1, "uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "float16": 2,
    "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip


def item_size(dtype: str) -> int:
    """Bytes of one element."""
    return _SIZES[dtype]


def is_float(dtype: str) -> bool:
    """True for real floating-point dtypes."""
    return dtype.startswith(("float", "bfloat"))


def is_integer(dtype: str) -> bool:
    """True for signed and unsigned integers, not bool."""
    return dtype.startswith(("int", "uint"))


_NUMPY = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}


def numpy_dtype(dtype: str) -> np.dtype:
    """Storage dtype: numpy has no bfloat16, so its bits are held as uint16."""
    return np.dtype(_NUMPY.get(dtype, dtype))


#: Dtypes by name, and the wider ones that take their place.
WIDER = {
    "float32": "float64", "float16": "float64", "bfloat16": "float64", "complex64": "complex128",
}  # fmt: skip
