"""Read `.npz` files."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from workbench.core.errors import InputError
from workbench.core.files import open_regular

_HINT = "Write one with numpy.savez(path, **{input_name: array})."


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a regular file by name; objects are never unpickled.

    Raises `InputError` when it is no complete `.npz` file.
    """
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as found:
            if not isinstance(found, np.lib.npyio.NpzFile):
                raise InputError(f"{path} holds one array, it is no .npz file.", _HINT)
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError,
            MemoryError, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        told = getattr(error, "strerror", None) or error
        raise InputError(f"{path} is not a readable .npz file ({told}).", _HINT) from error
