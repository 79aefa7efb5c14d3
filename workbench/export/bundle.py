"""The bundle: source, weights, mapping, manifest, and a parity test that runs without Paddle."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file

import workbench
from workbench.codegen.source import generate
from workbench.errors import InputError, PaddleProcessError, RefusedProgramError, WorkbenchError
from workbench.export import deploy
from workbench.export.parity import PARITY_TEST
from workbench.files import LARGEST_TEXT, belongs, read_bytes

if TYPE_CHECKING:
    from workbench.migration import Migration

_LARGEST_COMPANION = 1_000_000

Writer = Callable[["Migration", Path], str]

#: Deploy formats by the name that `--format` takes.
FORMATS: dict[str, Writer] = {
    "pt2": deploy.write_pt2,
    "torchscript": deploy.write_torchscript,
    "onnx": deploy.write_onnx,
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported model: its folder and what is in it, with sizes in bytes."""

    folder: Path
    files: dict[str, int]
    verified: bool
    #: What was compared for each deploy format, by its name.
    formats: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        listed = ", ".join(f"{name} ({size / 1e6:.2f} MB)" for name, size in self.files.items())
        return f"Bundle({self.folder}: {listed})"

    def _repr_html_(self) -> str:
        from workbench.report.fragments import bundle_html

        return bundle_html(self)


def export_bundle(migration: Migration, folder: Path, formats: tuple[str, ...] = ()) -> Bundle:
    """Write the bundle; the folder appears whole or not at all.

    An earlier bundle at the same place is replaced. Raises `InputError` for an unknown format or a
    folder that holds something else, `ConversionError` when the model cannot be converted. Where
    a format fails, everything else is written first; then `FormatError` tells why.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            f"Unknown format {', '.join(unknown)}.", f"Choose from {', '.join(FORMATS)}."
        )
    migration.convert()
    if migration.verification is None:
        _try_to_verify(migration)
    with _replacing(folder) as staging:
        compared, failed = _write(migration, staging, formats)
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    verified = migration.verification is not None and migration.verification.passed
    bundle = Bundle(folder, files, verified, compared)
    if failed:
        raise FormatError(bundle, failed)
    return bundle


class FormatError(WorkbenchError):
    """Some deploy formats could not be written; `bundle` is what was written without them."""

    def __init__(self, bundle: Bundle, failed: dict[str, WorkbenchError]) -> None:
        told = "\n".join(f"{name}: {error}" for name, error in failed.items())
        super().__init__(f"{bundle.folder} was written without {', '.join(failed)}.\n{told}")
        self.bundle = bundle
        self.failed = failed


def _try_to_verify(migration: Migration) -> None:
    """Verify where Paddle is there and may run the program; else the manifest says: nothing was."""
    try:
        migration.verify()
    except (PaddleProcessError, RefusedProgramError):
        migration.verification = None


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A staging folder that takes the place of `folder` when all went well."""
    occupied = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if occupied and not (folder / "manifest.json").is_file():
        raise InputError(
            f"{folder} exists and is not a bundle.", "Choose another folder, or empty this one."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        old = staging.with_name(f"{staging.name}-old")
        if folder.exists():
            os.replace(folder, old)
        os.replace(staging, folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _write(
    migration: Migration, folder: Path, formats: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, WorkbenchError]]:
    """Write everything; returns what was compared for each format, and which formats failed."""
    module = migration.convert()
    (folder / "model.py").write_text(generate(migration.mapping, _header(migration)), "utf-8")
    weights = folder / "model.safetensors"
    save_file(_stored_state(module), weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors makes it readable by its owner only
    migration.mapping.save(folder / "mapping.yaml")
    _write_parity(migration, folder)
    for companion in _companions(migration):
        (folder / companion.name).write_bytes(read_bytes(companion, LARGEST_TEXT))
    compared: dict[str, str] = {}
    failed: dict[str, WorkbenchError] = {}
    for name in formats:
        try:
            compared[name] = FORMATS[name](migration, folder)
        except WorkbenchError as error:
            failed[name] = error
    manifest = _manifest(migration, folder) | {"formats": compared}
    (folder / "manifest.json").write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False), "utf-8"
    )
    return compared, failed


def _header(migration: Migration) -> str:
    source = source_files(migration)
    name, digest = next(iter(source.items()), (migration.origin, ""))
    told = f" (sha256 {digest[:16]}…)" if digest else ""
    return (
        f"PyTorch model converted from the Paddle program {name}{told}.\n\n"
        "The weights are in model.safetensors beside this file:\n\n"
        "    from model import load\n"
        "    model = load()\n"
    )


def _stored_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict without tensors that repeat an earlier one."""
    seen: set[int] = set()
    state = {}
    for key, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            state[key] = tensor.detach().contiguous()
    return state


def _write_parity(migration: Migration, folder: Path) -> None:
    """Inputs with Paddle's outputs, and a test that compares them."""
    if not migration.references or migration.verification is None:
        return
    (folder / "parity").mkdir()
    for number, reference in enumerate(migration.references):
        inputs = {f"in_{i}": array for i, array in enumerate(reference.inputs)}
        np.savez_compressed(folder / "parity" / f"inputs_{number}.npz", **inputs)  # type: ignore[arg-type]
        outputs = {
            f"out_{i}": np.asarray(reference.array(value))
            for i, value in enumerate(migration.program.outputs)
            if value in reference
        }
        np.savez_compressed(folder / "parity" / f"outputs_{number}.npz", **outputs)  # type: ignore[arg-type]
    (folder / "test_parity.py").write_text(PARITY_TEST, "utf-8")


def _companions(migration: Migration) -> list[Path]:
    """Preprocessing and dictionaries that must travel with the weights.

    A link that leads out of the model's folder is left out, with a warning: what lies there is
    perhaps not meant for those who get the bundle.
    """
    files = migration.files
    if files is None:
        return []
    found = [files.config] if files.config else []
    home = files.program.parent
    for path in sorted(home.glob("*.txt")):
        if not belongs(path, home):
            warnings.warn(f"{path} was left out: it is no regular file there.", stacklevel=2)
        elif path.stat().st_size < _LARGEST_COMPANION:
            found.append(path)
    return found


def _manifest(migration: Migration, folder: Path) -> dict[str, Any]:
    verification = migration.verification
    program = migration.program
    return {
        "format": 1,
        "tool": f"paddle-torch-workbench {workbench.__version__}",
        "source": {
            "origin": Path(migration.origin).name,
            "sha256": source_files(migration),
        },
        "inputs": [_described(value) for value in program.inputs],
        "outputs": [_described(value) for value in program.outputs],
        "parameters": sum(int(np.prod(p.shape)) for p in program.parameters.values()),
        "rewrites": list(migration.rewrites),
        "versions": versions(migration),
        "verification": None
        if verification is None
        else {
            "passed": verification.passed,
            "outcome": verification.outcome,
            "summary": verification.summary,
            "runs": [list(run.inputs) for run in verification.runs],
            "tolerances": [
                {o.name: o.check.tolerance for o in run.outputs} for run in verification.runs
            ],
        },
        "sha256": {
            str(path.relative_to(folder)): sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def _described(value: Any) -> dict[str, Any]:
    return {"name": value.label, "dtype": value.dtype, "shape": list(value.shape)}


def source_files(migration: Migration) -> dict[str, str]:
    """The model's own files with their sha256."""
    files = migration.files
    if files is None:
        return {}
    return {path.name: sha256(path) for path in (files.program, files.params) if path.is_file()}


def versions(migration: Migration) -> dict[str, str]:
    """Versions of what took part."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    if migration.verification is not None:
        try:
            found["paddle"] = migration.paddle.ask("version")
        except PaddleProcessError:
            found["paddle"] = "not available"
    return found


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
