"""The manifest of a bundle: what is in it, where it came from, and what was shown of it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.checks.results.checks import OutputCheck
from workbench.checks.results.proof import told_of
from workbench.checks.results.verification import Verification
from workbench.checks.values.sizes import kinds_of
from workbench.core.dtypes import is_float
from workbench.core.errors import InputError, RuntimeFailedError
from workbench.core.files import write_whole
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.core.version import __version__

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

NAME = "manifest.json"
FORMAT = "workbench-bundle/2"
_TOOL = "paddle-torch-workbench "
#: Formats that earlier versions wrote; such bundles are ours and may be replaced.
_EARLIER = (1,)
_LARGEST = 64 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def make_manifest(
    migration: Evidence, tried: dict[str, Any], formats: dict[str, str]
) -> dict[str, Any]:
    """What a manifest says of the model, without the files' digests.

    `tried` says what was compared of the source.
    """
    program = migration.program
    return {
        "format": FORMAT,
        "name": migration.name,
        "tool": f"{_TOOL}{__version__}",
        "source": {
            "origin": Path(migration.origin).name,
            "sha256": source_files(migration),
        },
        "inputs": [_described(value) for value in program.inputs],
        "outputs": [_described(value, "output_") for value in program.outputs],
        "parameters": sum(int(np.prod(p.shape)) for p in program.parameters.values()),
        "dtype": _dtype(program),
        "rewrites": list(migration.rewrites),
        "versions": versions(migration),
        "verification": _told(migration.verification),
        "model_py": tried,
        "formats": formats,
    }


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file in a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def _dtype(program: Program) -> str:
    """The dtype of most of the weights' numbers."""
    sizes: dict[str, int] = {}
    for parameter in program.parameters.values():
        size = int(np.prod(parameter.shape))
        sizes[parameter.dtype] = sizes.get(parameter.dtype, 0) + size
    return max(sizes, key=lambda dtype: (is_float(dtype), sizes[dtype]), default="float32")


def _told(verification: Verification | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "passed": verification.passed,
        "outcome": verification.outcome,
        "summary": verification.summary,
        "not_proven": told_of(verification.unproven),
        "notes": list(verification.notes),
        "runs": [list(run.inputs) for run in verification.runs],
        "outputs": [[_told_output(output) for output in run.outputs] for run in verification.runs],
    }


def _told_output(output: OutputCheck) -> dict[str, Any]:
    check = output.check
    return {
        "name": output.name,
        "verdict": check.verdict,
        "tolerance": check.tolerance,
        "largest_difference": check.error.max_abs if check.error else None,
    }


def _described(value: Value, prefix: str = "") -> dict[str, Any]:
    return {
        "name": value.label,
        "dtype": value.dtype,
        "shape": list(value.shape),
        "dimensions": dimensions(value, prefix),
    }


def dimensions(value: Value, prefix: str = "") -> list[int | str]:
    """The shape with names for what is dynamic: `["batch", 3, "height", "width"]`.

    A second dimension of a name gets a number. Of an output only the batch is that of the inputs;
    the other names get the `prefix`.
    """
    found: list[int | str] = []
    for dim, kind in zip(value.shape, kinds_of(value), strict=True):
        name = kind if kind == "batch" else f"{prefix}{kind}"
        same = sum(str(other).rstrip("0123456789") == name for other in found)
        found.append(dim if dim >= 0 else f"{name}{same + 1}" if same else name)
    return found


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    write_whole(folder / NAME, json.dumps(manifest, indent=2, ensure_ascii=False))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle; raises `InputError` when there is none that we wrote."""
    path = folder / NAME
    hint = "A bundle is what `workbench migrate` or `workbench export` writes."
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise InputError(f"{folder} has no {NAME} of a bundle.", hint)
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}.", hint) from error
    if not _is_ours(found):
        raise InputError(f"{path} is not the manifest of a bundle.", hint)
    return dict(found)


def is_bundle(folder: Path) -> bool:
    """True for a folder with a manifest that we wrote."""
    try:
        read_manifest(folder)
    except InputError:
        return False
    return True


def _is_ours(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and str(found.get("tool", "")).startswith(_TOOL)
        and found.get("format") in (FORMAT, *_EARLIER)
        and isinstance(found.get("sha256"), dict)
        and all(isinstance(d, str) and _DIGEST.fullmatch(d) for d in found["sha256"].values())
    )


def note_files(folder: Path, *names: str) -> None:
    """Add files that were written into a bundle later; nothing happens where there is none."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return
    manifest["sha256"] |= {name: sha256(folder / name) for name in names}
    write_manifest(folder, manifest)


def source_files(migration: Evidence) -> dict[str, str]:
    """The model's own files with their sha256."""
    files = migration.files
    if files is None:
        return {}
    return {path.name: sha256(path) for path in (files.program, files.params) if path.is_file()}


def versions(migration: Evidence) -> dict[str, str]:
    """Versions of what took part."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    if migration.verification is not None:
        try:
            found["paddle"] = migration.runtime.version()
        except RuntimeFailedError:
            found["paddle"] = "not available"
    return found


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
