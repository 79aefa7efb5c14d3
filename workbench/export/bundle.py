"""The bundle: source, weights, mapping, manifest, and a parity test that runs without Paddle."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from workbench.checks.values.source_values import PaddleValues
from workbench.core import shown
from workbench.core.errors import (
    InputError,
    RefusedProgramError,
    RuntimeFailedError,
    WorkbenchError,
)
from workbench.core.files import LARGEST_TEXT, belongs, read_bytes
from workbench.editing.edits import apply_changes, changes_of
from workbench.editing.file import EditFile
from workbench.export import shipped_parity
from workbench.export.card import write_config, write_readme
from workbench.export.example import example
from workbench.export.formats.deploy import FORMATS, write_formats
from workbench.export.manifest import (
    digests,
    make_manifest,
    read_manifest,
    sha256,
    source_files,
    write_manifest,
)
from workbench.export.pipeline.bundled import add_pipeline
from workbench.export.place import examine, placed
from workbench.export.trial import try_source
from workbench.export.verdict import verdict_now
from workbench.export.weights_files import SHARD, save_weights
from workbench.targets.pytorch.codegen.source import generate, tied_keys

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

_LARGEST_COMPANION = 1_000_000
#: Ships with every bundle; it imports what only a bundle has.
_HUB = Path(__file__).with_name("shipped_hub.py")


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
        return shown.html(self)


def export_bundle(
    migration: Evidence, folder: Path, formats: tuple[str, ...] = (), shard: int = SHARD
) -> Bundle:
    """Write the bundle; the folder appears whole or not at all.

    An earlier bundle at the same place is replaced, and what others put there stays. `model.py` is
    run in a process of its own first, and must equal the module. Weights of more than `shard` bytes
    become several files. Raises `InputError` for an unknown
    format, a folder that holds something else, or edits in its mapping that this model lacks,
    `ConversionError` when the model cannot be converted, `TrialError` when the source is not what
    the module is. Where a format fails, everything else is written first; then `FormatError` tells
    why.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            f"Unknown format {', '.join(unknown)}.", f"Choose from {', '.join(FORMATS)}."
        )
    folder = folder.expanduser()
    _keep_edits(migration, examine(folder))
    migration.convert()
    if migration.verification is None:
        _try_to_verify(migration)
    verification = verdict_now(migration)
    with placed(folder) as staging:
        compared, failed = _write(migration, staging, formats, shard)
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    verified = verification is not None and verification.passed
    bundle = Bundle(folder, files, verified, compared)
    if failed:
        raise FormatError(bundle, failed)
    return bundle


def _keep_edits(migration: Evidence, folder: Path) -> None:
    """Raise `InputError` when the bundle's mapping has edits by hand that would be lost."""
    file = folder / "mapping.yaml"
    if not file.is_file() or read_manifest(folder)["sha256"].get(file.name) == sha256(file):
        return
    changed = f"{file} was changed since it was exported"
    hint = f"Apply it with --mapping {file} (m.mapping.apply), or move it away to export without."
    try:
        found = apply_changes(migration.mapping, EditFile(file).read())
    except WorkbenchError as error:
        raise InputError(f"{changed}, and it cannot be read: {error.message}", hint) from error
    if found.refused or changes_of(found.mapping) != changes_of(migration.mapping):
        raise InputError(f"{changed}, and this export would lose what it says.", hint)


class FormatError(WorkbenchError):
    """Some deploy formats could not be written; `bundle` is what was written without them."""

    def __init__(self, bundle: Bundle, failed: dict[str, WorkbenchError]) -> None:
        told = "\n".join(f"{name}: {error}" for name, error in failed.items())
        super().__init__(f"{bundle.folder} was written without {', '.join(failed)}.\n{told}")
        self.bundle = bundle
        self.failed = failed


def _try_to_verify(migration: Evidence) -> None:
    """Verify where Paddle is there and may run the program; else the manifest says: nothing was."""
    try:
        migration.verify()
    except (RuntimeFailedError, RefusedProgramError):
        migration.verification = None


def _write(
    migration: Evidence, folder: Path, formats: tuple[str, ...], shard: int
) -> tuple[dict[str, str], dict[str, WorkbenchError]]:
    """Write everything; returns what was compared for each format, and which formats failed."""
    weights = save_weights(_stored_state(migration, migration.convert()), folder, shard)
    source = generate(migration.mapping, _header(migration, weights), "Model", weights)
    (folder / "model.py").write_text(source, "utf-8")
    _write_parity(migration, folder)
    shown_use = example(migration.program, folder)
    tried = try_source(migration, folder, shown_use)
    migration.mapping.save(folder / "mapping.yaml")
    shutil.copy(_HUB, folder / "hub.py")
    for companion in _companions(migration):
        (folder / companion.name).write_bytes(read_bytes(companion, LARGEST_TEXT))
    compared, failed = write_formats(migration, folder, formats)
    facts = make_manifest(migration, tried, compared)
    facts["pipeline"] = add_pipeline(migration, folder)
    write_config(folder, facts)
    write_readme(folder, facts, migration.mapping, shown_use)
    write_manifest(folder, {**facts, "sha256": digests(folder)})
    return compared, failed


def _header(migration: Evidence, weights: str) -> str:
    source = source_files(migration)
    name, digest = next(iter(source.items()), (migration.origin, ""))
    told = f" (sha256 {digest[:16]}…)" if digest else ""
    return (
        f"PyTorch model converted from the Paddle program {name}{told}.\n\n"
        f"The weights are in {weights} beside this file:\n\n"
        "    from model import load\n"
        "    model = load()\n"
    )


def _stored_state(migration: Evidence, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict without what `load` ties; every tensor in memory of its own."""
    tied = tied_keys(migration.mapping)
    seen: set[int] = set()
    state = {}
    for key, tensor in module.state_dict().items():
        if key in tied:
            continue
        plain = tensor.cpu().contiguous()
        state[key] = plain.clone() if plain.data_ptr() in seen else plain
        seen.add(plain.data_ptr())
    return state


def _write_parity(migration: Evidence, folder: Path) -> None:
    """Inputs with Paddle's outputs, and a test that compares them."""
    if not migration.references or migration.verification is None:
        return
    (folder / "parity").mkdir()
    for number, reference in enumerate(migration.references):
        inputs = {f"in_{i}": array for i, array in enumerate(reference.inputs)}
        np.savez_compressed(folder / "parity" / f"inputs_{number}.npz", **inputs)  # type: ignore[arg-type]
        values = PaddleValues(migration.program, reference)
        outputs = {}
        for i, value in enumerate(migration.program.outputs):
            tensor = values.get(value)
            if tensor is not None:
                outputs[f"out_{i}"] = _stored(tensor, values.is_wider(value))
        np.savez_compressed(folder / "parity" / f"outputs_{number}.npz", **outputs)  # type: ignore[arg-type]
    shutil.copy(shipped_parity.__file__, folder / "test_parity.py")


def _stored(tensor: torch.Tensor, wider: bool) -> np.ndarray:
    """An array that `npz` can hold: bfloat16 as its bits; `wider`: Paddle kept float32."""
    tensor = tensor.bfloat16() if wider else tensor
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _companions(migration: Evidence) -> list[Path]:
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
