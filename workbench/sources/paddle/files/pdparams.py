"""Read `.pdparams`, a pickled state dict, without running anything that the pickle may contain."""

from __future__ import annotations

import math
import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.errors import ModelFileError
from workbench.core.files import open_regular
from workbench.sources.paddle.files.plain_pickle import (
    Known,
    PickleRefusedError,
    Stateful,
    load_plain,
)

_NAMES_KEY = "StructuredToParameterName@@"
_NUMBER = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)")
_MOST_DIMENSIONS = 32


def read_pdparams(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by attribute path (views of the file), and parameter names → attribute paths.

    Only arrays of numbers and plain containers are allowed; anything else in the pickle is refused
    before it runs. Raises `ModelFileError`.
    """
    path = Path(path)
    try:
        content = _load(path)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except PickleRefusedError as error:
        raise ModelFileError(
            f"{path} is not a plain .pdparams file: {error}.",
            "Only numpy arrays are read from it, since a pickle can run any code. If you trust the "
            "file, load it with paddle.load and save it again with paddle.save.",
        ) from error
    if type(content) is not dict:
        raise ModelFileError(f"{path} holds no state dict.")
    names = content.get(_NAMES_KEY)
    pairs = reversed(names.items()) if type(names) is dict else ()
    arrays = {key: one.array for key, one in content.items() if isinstance(one, _Array)}
    return arrays, {p: key for key, p in pairs if type(key) is str and type(p) is str}


def _load(path: Path) -> Any:
    with open_regular(path) as file:
        if not file.seek(0, 2):
            raise PickleRefusedError("it is empty")
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return load_plain(content, _known(len(content)))


def _known(size: int) -> dict[tuple[str, str], Known]:
    """What a state dict may name. Old files hold bytes as text, of which each is decoded once."""
    left = size

    def encode(text: Any, encoding: Any) -> bytes:
        nonlocal left
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise PickleRefusedError("it encodes a text")
        left -= len(text)
        if left < 0:
            raise PickleRefusedError("it needs more memory than its size explains")
        return text.encode("latin-1")

    found = {
        ("collections", "OrderedDict"): Known(_ordered),
        ("_codecs", "encode"): Known(encode),
        ("__builtin__", "bytes"): Known(lambda: b""),  # how protocol 2 writes no bytes
        ("numpy", "ndarray"): Known(),
        ("numpy", "dtype"): Known(_Dtype),
    }
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray", "_reconstruct"] = Known(lambda *_: _Array())
        found[f"{core}.multiarray", "scalar"] = Known(lambda *_: None)
        found[f"{core}.numeric", "_frombuffer"] = Known(_from_buffer)
    return found


def _ordered(*pairs: Any) -> dict[str, Any]:
    """An OrderedDict, from Python 2 with its items."""
    items = pairs[0] if pairs else []
    if not all(type(pair) in (list, tuple) and type(pair[0]) is str for pair in items):
        raise PickleRefusedError("it holds no simple dict")
    return dict(items)


class _Dtype(Stateful):
    """An element type; `set_state` gives its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        if type(code) is not str or not _NUMBER.fullmatch(code):
            raise PickleRefusedError("it holds an array that is not of numbers")
        self.code = code
        self.order = "="

    def set_state(self, state: Any) -> None:
        """(version, byte order, then what only structured types have)."""
        if type(state) is not tuple or len(state) < 5 or any(one is not None for one in state[2:5]):
            raise PickleRefusedError("it holds an array that is not of numbers")
        if state[1] not in ("<", ">", "|", "="):
            raise PickleRefusedError("it holds an unknown byte order")
        self.order = state[1]


class _Array(Stateful):
    """An array, made from shape, element type and bytes once all are known."""

    def __init__(self) -> None:
        self.array = np.empty(0)

    def set_state(self, state: Any) -> None:
        """(version, shape, element type, whether columns come first, bytes)."""
        if type(state) is not tuple or len(state) != 5:
            raise PickleRefusedError("it holds an array of unknown form")
        _, shape, dtype, columns_first, data = state
        self.array = _array(data, dtype, shape, "F" if columns_first is True else "C")


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    made = _Array()
    made.array = _array(data, dtype, shape, "F" if order == "F" else "C")
    if axes is not None:
        if type(axes) is not tuple or sorted(axes) != list(range(made.array.ndim)):
            raise PickleRefusedError("it holds an array of unknown form")
        made.array = made.array.transpose(axes)
    return made


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """A view of the bytes; they must be as many as shape and element type say."""
    if isinstance(data, str):
        data = data.encode("latin-1")  # a byte string of Python 2
    sizes = shape if type(shape) is tuple and len(shape) <= _MOST_DIMENSIONS else (-1,)
    if (
        not isinstance(data, (bytes, bytearray, memoryview))
        or not isinstance(dtype, _Dtype)
        or not all(type(size) is int and 0 <= size < 1 << 48 for size in sizes)
    ):
        raise PickleRefusedError("it holds an array of unknown form")
    kind = np.dtype(dtype.order + dtype.code)
    if math.prod(sizes) * kind.itemsize != len(data):
        raise PickleRefusedError("it holds an array whose bytes do not fit its shape")
    return np.ndarray(sizes, kind, data, order=order)
