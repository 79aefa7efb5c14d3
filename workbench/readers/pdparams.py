"""Read `.pdparams`, a pickled state dict, without running anything that the pickle may contain."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import ModelFileError

_NAMES_KEY = "StructuredToParameterName@@"
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_pdparams(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by attribute path, and parameter names → attribute paths.

    Only numpy arrays and plain containers are allowed; anything else in the pickle is refused
    before it runs. Raises `ModelFileError`.
    """
    path = Path(path)
    try:
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        raise ModelFileError(
            f"{path} is not a plain .pdparams file: {error}.",
            "Only numpy arrays are read from it, since a pickle can run any code. If you trust the "
            "file, load it with paddle.load and save it again with paddle.save.",
        ) from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} holds a {type(content).__name__}, not a state dict.")
    names = content.pop(_NAMES_KEY, {})
    arrays = {key: value for key, value in content.items() if isinstance(value, np.ndarray)}
    return arrays, {parameter: key for key, parameter in reversed(list(names.items()))}
