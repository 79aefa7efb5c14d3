"""Files of other people are read with care, our own are replaced whole or not at all.

Which links are followed: a file that a person names, and the program and weights of a model that a
person names, may be links to anywhere, as the caches of model hubs make them. A file that is found
beside a model or among samples without being named (`inference.yml`, labels, dictionaries,
`.pdparams`) counts only when it really lies in that folder: see `belongs`.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

#: Bytes of a program, a stored verification, a list of labels. Weights are mapped, without limit.
LARGEST_DOCUMENT = 1 << 30
#: Bytes of a mapping file, a configuration, a dictionary.
LARGEST_TEXT = 16 << 20

_KINDS = (
    (stat.S_ISDIR, "it is a folder"), (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"), (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)  # fmt: skip


def is_regular(path: Path) -> bool:
    """True for a regular file or a link to one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def belongs(path: Path, folder: Path) -> bool:
    """True for a regular file that lies in the folder, links resolved.

    The folder itself may be reached by a link. A snapshot in a cache of Hugging Face keeps its
    files as links to `blobs` of the same cache, which counts as the folder.
    """
    return is_regular(path) and inside(path, folder)


def inside(path: Path, folder: Path) -> bool:
    """True when the path leads to somewhere in the folder, or in the blobs of its cache."""
    try:
        real, home = path.resolve(), folder.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    snapshots = (place for place in home.parents if place.name == "snapshots")
    return any(real.is_relative_to(one) for one in (home, *(p.parent / "blobs" for p in snapshots)))


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file, or a link to one, for reading.

    Raises `OSError`, whose `strerror` says why, for anything else: a pipe would wait for ever, a
    device may never end.
    """
    _refuse_other(os.stat(path).st_mode)  # first: to open a device may already do something
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        _refuse_other(os.fstat(handle).st_mode)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: str | Path, limit: int) -> bytes:
    """The content of a regular file; raises `OSError` when it is none, or larger than `limit`."""
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit / 1e6:.0f} MB")
    return content


def read_text(path: str | Path, limit: int = LARGEST_TEXT, encoding: str = "utf-8") -> str:
    """As `read_bytes`, decoded; raises `UnicodeDecodeError`, too. Line ends become newlines."""
    text = read_bytes(path, limit).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_other(mode: int) -> None:
    if not stat.S_ISREG(mode):
        what = next((told for test, told in _KINDS if test(mode)), "it is something else")
        raise OSError(errno.EINVAL, f"{what}, not a regular file")


def write_whole(path: Path, text: str) -> None:
    """Write a text atomically: a reader sees the old file or the new one.

    An existing file keeps its permissions. Raises OSError when the file cannot be written.
    """
    path = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def umask() -> int:
    """The permissions that new files of this process do not get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
