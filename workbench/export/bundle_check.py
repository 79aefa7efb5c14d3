"""Check a bundle: its files against its manifest, its model against Paddle's stored values."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from workbench.core.errors import InputError
from workbench.export import shipped_parity
from workbench.export.fresh import last_line, run_fresh
from workbench.export.manifest import FORMAT, NAME, is_bundle, read_manifest, sha256
from workbench.export.trial import PATIENCE
from workbench.export.weights_files import INDEX, WEIGHTS

_SOURCE = "model.py"
_DIFFERS, _CANNOT_RUN = 1, 2


@dataclass(frozen=True, slots=True)
class BundleCheck:
    """What was found: `problems` is empty when all holds; `compared` tells each output."""

    problems: tuple[str, ...]
    compared: tuple[str, ...] = ()
    files: int = 0
    added: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True when every file is as recorded and every output agrees with Paddle's."""
        return not self.problems


def looks_like_bundle(path: Path) -> bool:
    """True for a bundle, and for a folder that is what is left of one."""
    if not path.is_dir():
        return False
    return is_bundle(path) or not _missing([p.name for p in path.iterdir() if p.is_file()])


def check_bundle(folder: Path) -> BundleCheck:
    """Compare every file with the manifest, then run `model.py` on Paddle's stored inputs.

    It runs in a process of its own with torch only, and only when no file differs: the bundle's
    code is executed. Raises `InputError` for a bundle that is damaged: a file is missing or cannot
    be read.
    """
    manifest = read_manifest(folder)
    if manifest["format"] != FORMAT:
        raise InputError(
            f"{folder} was written by an earlier version ({manifest['tool']}).", "Export it again."
        )
    changed = _changed(folder, manifest["sha256"])
    if changed:
        return BundleCheck(tuple(f"{name} is not as it was written" for name in changed))
    verification = manifest["verification"]
    if not verification:
        return BundleCheck(("the model was not compared with Paddle when it was exported",))
    problems, compared = _run(folder)
    if not verification["passed"]:
        problems.insert(0, f"it did not pass when it was exported: {verification['summary']}")
    known = set(manifest["sha256"]) | {NAME}
    added = sorted(_names(folder) - known)
    return BundleCheck(tuple(problems), tuple(compared), len(manifest["sha256"]), tuple(added))


def _changed(folder: Path, listed: dict[str, str]) -> list[str]:
    missing = _missing(listed)
    missing += [name for name in listed if not (folder / name).is_file()]
    outside = [name for name in listed if not _inside(folder, name)]
    if missing or outside:
        told = [f"{name} is missing" for name in missing]
        told += [f"{name} is outside" for name in outside]
        raise InputError(f"{folder} is damaged: {', '.join(told)}.", "Export it again.")
    try:
        return [name for name, digest in listed.items() if sha256(folder / name) != digest]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error}.") from error


def _missing(names: Collection[str]) -> list[str]:
    """What no bundle is without: the source, and weights in one file or several."""
    missing = [] if _SOURCE in names else [_SOURCE]
    return missing if WEIGHTS in names or INDEX in names else [*missing, WEIGHTS]


def _inside(folder: Path, name: str) -> bool:
    return not os.path.isabs(name) and ".." not in Path(name).parts


def _run(folder: Path) -> tuple[list[str], list[str]]:
    """What differs from Paddle, and what was compared."""
    try:
        code, out, error = run_fresh(
            Path(shipped_parity.__file__), folder.resolve(), timeout=PATIENCE
        )
    except TimeoutError as late:
        return [f"model.py cannot be run: {late}"], []
    lines = [line for line in out.splitlines() if line.startswith("run ")]
    if code == _DIFFERS and "Traceback" not in error:
        return [last_line(error)], lines
    if code:
        return [f"model.py cannot be run: {last_line(error)}"], lines
    if not lines:
        return ["nothing was compared"], lines
    return [], lines


def _names(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
