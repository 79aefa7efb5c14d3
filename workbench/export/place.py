"""The place of a bundle: a reader sees the old one or the new one, and nothing of others is lost.

The new bundle is made in a hidden folder beside its place and then takes it at once. Only files
that the old manifest lists, and that are as it says, are replaced; all else moves along. What an
export that was killed left behind is found by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.core.errors import InputError
from workbench.core.files import umask
from workbench.export.manifest import NAME, is_bundle, read_manifest, sha256

try:
    import fcntl
except ImportError:  # only POSIX has it: elsewhere leftovers stay
    fcntl = None  # type: ignore[assignment]

_MARK = ".workbench-"
_OLD = ".old"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def examine(folder: Path) -> Path:
    """Where a bundle for `folder` goes: its real path; what a killed export hid is put back.

    Raises `InputError` when something else is there.
    """
    real = Path(os.path.realpath(folder.expanduser()))
    try:
        _recover(real)
        occupied = real.exists() and (not real.is_dir() or any(real.iterdir()))
    except OSError as error:
        raise _unwritable(real, error) from error
    if occupied and not is_bundle(real):
        raise InputError(
            f"{folder} exists and is not a bundle.",
            "Choose another folder, or empty this one. Only a folder whose manifest.json this "
            "tool wrote is replaced.",
        )
    return real


@contextmanager
def placed(folder: Path) -> Iterator[Path]:
    """A staging folder that takes the place of `folder` when all went well.

    `folder` may be a link to a folder, and stays one. Raises `InputError` when something else is
    there, another export is at work, or the place cannot be written.
    """
    real = examine(folder)
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{real.name}{_MARK}", dir=real.parent))
    except OSError as error:
        raise _unwritable(real, error) from error
    try:
        with _held(staging), _held(real):
            yield staging
            old = _take_place(staging, real)
            if old is not None:
                _retire(old, real)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _take_place(staging: Path, real: Path) -> Path | None:
    """Put the new bundle in its place; returns where the old one is now."""
    try:
        staging.chmod(real.stat().st_mode & 0o7777 if real.exists() else 0o777 & ~umask())
        if not real.exists():
            os.rename(staging, real)
            return None
        _keep(real, staging)
        return _exchange(staging, real)
    except OSError as error:
        raise _unwritable(real, error) from error


def _exchange(staging: Path, real: Path) -> Path:
    """Both folders change places, at once where the system can."""
    if _swapped(staging, real):
        return staging
    old = staging.with_name(staging.name + _OLD)
    os.rename(real, old)
    try:
        os.rename(staging, real)
    except BaseException:
        os.rename(old, real)
        raise
    return old


def _swapped(one: Path, other: Path) -> bool:
    """Linux's `renameat2`; False where the system or the file system has no such thing."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return int(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)) == 0


# --- files of others --------------------------------------------------------------------------


def _keep(real: Path, staging: Path) -> None:
    """Link everything into the new folder that is not as we wrote it.

    Where the new bundle has a file of that name, the old one gets another: `model.py.kept`.
    """
    listed = _listed(real)
    for path in _entries(real):
        name = path.relative_to(real)
        digest = listed.get(name.as_posix())
        if digest and path.is_file() and not path.is_symlink() and sha256(path) == digest:
            continue
        if name != Path(NAME):
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            _link(path, staging / _free_name(name, staging, real))
    for path in _empty_folders(real):
        (staging / path.relative_to(real)).mkdir(parents=True, exist_ok=True)


def _listed(folder: Path) -> dict[str, str]:
    try:
        return dict(read_manifest(folder)["sha256"])
    except InputError:
        return {}


def _empty_folders(folder: Path) -> list[Path]:
    return [Path(where) for where, folders, files in os.walk(folder) if not (folders or files)]


def _entries(folder: Path) -> list[Path]:
    """Everything inside that is no folder, links to folders too."""
    found = []
    for where, folders, files in os.walk(folder):
        links = [name for name in folders if Path(where, name).is_symlink()]
        found += [Path(where, name) for name in sorted([*links, *files])]
    return found


def _link(path: Path, target: Path) -> None:
    """A second name for a file, so that it is never gone; a copy where there is no such thing."""
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        if not (path.is_symlink() or path.is_file()):
            raise
        shutil.copy2(path, target, follow_symlinks=False)


def _free_name(name: Path, staging: Path, real: Path) -> Path:
    """The name, or where the new bundle has such a file one that neither folder has."""
    candidate, count = name, 1
    while os.path.lexists(staging / candidate) or (count > 1 and os.path.lexists(real / candidate)):
        candidate = name.with_name(f"{name.name}.kept{count if count > 1 else ''}")
        count += 1
    return candidate


def _retire(old: Path, new: Path) -> None:
    """Remove an old bundle; what somebody put into it meanwhile moves to the new one."""
    listed = {*_listed(old), NAME}
    for path in _entries(old):
        name = path.relative_to(old)
        if name.as_posix() not in listed and not os.path.lexists(new / name):
            with contextlib.suppress(OSError):
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                os.rename(path, new / name)
    shutil.rmtree(old, ignore_errors=True)


# --- after a kill -----------------------------------------------------------------------------


def _recover(real: Path) -> None:
    """Put a hidden bundle back where its place is empty, and remove half exports."""
    if not real.parent.is_dir():
        return
    for path in _leftovers(real):
        if not _is_free(path):
            continue
        if not is_bundle(path):
            if _MARK in path.name:
                shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(real):
            _retire(path, real)
        else:
            os.rename(path, real)


def _leftovers(real: Path) -> list[Path]:
    """Hidden folders of earlier exports to this place, old bundles first."""
    ours = rf"\.{re.escape(real.name)}({re.escape(_MARK)}|-)[a-z0-9_]{{8}}([.-]old)?"
    with os.scandir(real.parent) as entries:
        names = [e.name for e in entries if re.fullmatch(ours, e.name) and e.is_dir()]
    paths = [real.parent / name for name in names]
    return sorted(paths, key=lambda path: (not path.name.endswith("old"), path.name))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A lock on a folder that the system releases when this process ends."""
    handle = _lock(folder) if folder.is_dir() else None
    if handle == _TAKEN:
        raise InputError(f"Another export is writing to {folder}.", "Wait until it is done.")
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


_TAKEN = -1


def _is_free(folder: Path) -> bool:
    """True when no living export holds the folder."""
    handle = _lock(folder)
    if handle is None or handle == _TAKEN:
        return False
    os.close(handle)
    return True


def _lock(folder: Path) -> int | None:
    """An open handle that locks the folder; `_TAKEN`, or None where there are no locks."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return _TAKEN
    except OSError:
        os.close(handle)
        return None
    return handle


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"The bundle cannot be written to {folder}: {error.strerror or error}.",
        "Choose a folder where you may write, inside one that is not mounted by itself.",
    )
