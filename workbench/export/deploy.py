"""Deploy formats made from the converted module: torch.export, TorchScript, ONNX.

Each file is loaded again and compared with the module on inputs of other sizes than those from
which it was made; a file that differs, or takes one size only, is not kept.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.control_flow import For, If, While
from workbench.errors import WorkbenchError
from workbench.export.control import exportable
from workbench.export.recurrent import any_length
from workbench.export.script import traced
from workbench.inputs import is_dynamic, sample_inputs
from workbench.weights import as_tensor

if TYPE_CHECKING:
    from workbench.migration import Migration

Inputs = tuple[Tensor, ...]
Run = Callable[..., Any]

#: Largest difference of a reloaded file, relative to the output's scale: formats may fold layers.
TOLERANCE = 1e-3
#: Share of integers that may differ, where rounding decides between two.
_FLIPPED = 0.01


def candidates(migration: Migration) -> list[Inputs]:
    """Inputs that the model takes: those of the verification; if of one size, samples too."""
    arrays = [list(reference.inputs) for reference in migration.references]
    if len({str([one.shape for one in inputs]) for inputs in arrays}) < 2:
        arrays += [sample_inputs(migration.program, run, seed=run) for run in (0, 1)]
    values = migration.program.inputs
    tried = [
        tuple(as_tensor(a, v.dtype) for a, v in zip(one, values, strict=True)) for one in arrays
    ]
    tried += [_doubled(migration, inputs) for inputs in tried if _fixed(migration, inputs)]
    found: list[Inputs] = []
    for inputs in tried:
        with suppress(Exception), torch.no_grad():  # a sample may not suit the model
            migration.convert()(*_copies(inputs))
            found.append(inputs)
    return found


def example(migration: Migration) -> Inputs:
    """Example inputs for an exporter: no dynamic dimension is 1, which would be kept fixed."""
    found = candidates(migration)
    if not found:
        raise WorkbenchError(
            "The model runs on none of the sample inputs.",
            "Give inputs of your own: m.verify(inputs=...), or --inputs.",
        )
    return next((inputs for inputs in found if not _fixed(migration, inputs)), found[0])


def _fixed(migration: Migration, inputs: Inputs) -> bool:
    return any(
        dim < 0 and size < 2
        for value, tensor in zip(migration.program.inputs, inputs, strict=True)
        for dim, size in zip(value.shape, tensor.shape, strict=True)
    )


def _doubled(migration: Migration, inputs: Inputs) -> Inputs:
    """The inputs twice along each dynamic dimension of size 1, for a batch of one above all."""
    made = []
    for value, tensor in zip(migration.program.inputs, inputs, strict=True):
        for axis, dim in enumerate(value.shape):
            if dim < 0 and tensor.shape[axis] == 1:
                tensor = tensor.repeat_interleave(2, axis)
        made.append(tensor)
    return tuple(made)


def dynamic_shapes(migration: Migration) -> tuple[Any, ...]:
    """For torch.export: which dimensions of each input are dynamic."""
    auto = torch.export.Dim.AUTO  # type: ignore[attr-defined]
    return tuple(
        {axis: auto for axis, dim in enumerate(value.shape) if dim < 0} or None
        for value in migration.program.inputs
    )


def exported_program(migration: Migration) -> torch.export.ExportedProgram:
    """The model through `torch.export`: dynamic dimensions, branches and loops kept."""
    module = exportable(migration.convert())
    with warnings.catch_warnings(), any_length(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(
            module, example(migration), dynamic_shapes=dynamic_shapes(migration), strict=False
        )


def write_pt2(migration: Migration, folder: Path) -> str:
    """`model.pt2`, for `torch.export.load`; returns what was compared."""
    target = folder / "model.pt2"
    with _told("torch.export", migration, target):
        torch.export.save(exported_program(migration), target)
        return _checked(migration, torch.export.load(target).module())


def write_torchscript(migration: Migration, folder: Path) -> str:
    """`model.torchscript`, traced and frozen, for `torch.jit.load`; returns what was compared."""
    target = folder / "model.torchscript"
    with _told("TorchScript", migration, target), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        script = traced(migration.convert(), example(migration))
        torch.jit.save(torch.jit.freeze(script.eval()), target)  # type: ignore[no-untyped-call]
        return _checked(migration, torch.jit.load(target))  # type: ignore[no-untyped-call]


def write_onnx(migration: Migration, folder: Path) -> str:
    """`model.onnx` through `torch.onnx`; needs the extra `onnx`; returns what was compared."""
    from workbench.export import onnx

    target = folder / "model.onnx"
    with _told("ONNX", migration, target), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        with any_length():
            onnx.write(
                exportable(migration.convert()), example(migration), dynamic_shapes(migration),
                [value.name for value in migration.program.inputs], target,
            )  # fmt: skip
        run = onnx.runner(target)
        return "not compared: onnxruntime is not installed" if run is None else _checked(
            migration, run
        )  # fmt: skip


# --- comparing --------------------------------------------------------------------------------


def _checked(migration: Migration, run: Run) -> str:
    """Compare a reloaded file with the module on everything at hand; raises where it differs."""
    worst, count, sizes = 0.0, 0, set()
    for inputs in candidates(migration):
        with torch.no_grad():
            expected = _listed(migration.convert()(*_copies(inputs)))
        found = _listed(run(*_copies(inputs)))
        shapes = [list(tensor.shape) for tensor in inputs]
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            worst = max(worst, _difference(one, other, f"output {number} for inputs {shapes}"))
        count += 1
        sizes.add(str(shapes))
    if is_dynamic(migration.program) and len(sizes) < 2:
        return f"compared on {count} input of one size only, largest difference {worst:.1e}"
    return f"compared on {count} inputs, largest difference {worst:.1e} of the output's scale"


def _difference(found: Tensor, expected: Tensor, where: str) -> float:
    if found.shape != expected.shape:
        raise RuntimeError(
            f"{where} has shape {list(found.shape)}, should have {list(expected.shape)}"
        )
    if found.dtype != expected.dtype:
        raise RuntimeError(f"{where} is {found.dtype}, should be {expected.dtype}")
    if not expected.numel():
        return 0.0
    if not (expected.is_floating_point() or expected.is_complex()):
        share = (found != expected).double().mean().item()
        if share > _FLIPPED:
            raise RuntimeError(f"{where}: {share:.0%} of the elements differ")
        return 0.0
    wide = torch.complex128 if expected.is_complex() else torch.float64
    one, other = found.to(wide).nan_to_num(), expected.to(wide).nan_to_num()
    scale = max(other.abs().max().item(), 1e-30)
    narrow = expected.dtype in (torch.float16, torch.bfloat16)
    error = (one - other).abs().max().item() / scale
    if error > TOLERANCE * (20 if narrow else 1):
        raise RuntimeError(f"{where} differs by {error:.1e} of its scale")
    return error


def _copies(inputs: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.clone() for tensor in inputs]


def _listed(results: Any) -> list[Tensor]:
    return list(results) if isinstance(results, (tuple, list)) else [results]


# --- errors -----------------------------------------------------------------------------------


class _told:  # noqa: N801 - used like a function
    """Turn a failure of an exporter into one clear error, and leave no broken file."""

    def __init__(self, name: str, migration: Migration, target: Path) -> None:
        self.name, self.migration, self.target = name, migration, target

    def __enter__(self) -> None:
        self.level = logging.getLogger("torch").level
        logging.getLogger("torch").setLevel(logging.CRITICAL)  # exporters log whole graphs

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        logging.getLogger("torch").setLevel(self.level)
        if error is None:
            return
        self.target.unlink(missing_ok=True)
        if not isinstance(error, Exception):
            return
        if isinstance(error, ImportError):
            raise WorkbenchError(
                f"{self.name} needs a package that is not installed: {error}.",
                "pip install 'paddle-torch-workbench[onnx]'",
            ) from error
        if isinstance(error, WorkbenchError):
            raise error
        told = _first_line(error)[:300]
        raise WorkbenchError(
            f"{self.name} cannot hold this model: {told}", self._hint(told)
        ) from error

    def _hint(self, told: str) -> str:
        if "tensor array" in told:
            return "Use model.py: only Python takes lists of tensors that a loop fills."
        flow = [
            path
            for path, part in self.migration.convert().named_modules()
            if isinstance(part, (If, While, For))
        ]
        if flow and self.name != "TorchScript":
            return (
                f"The model branches or loops in {', '.join(flow[:3])}. A loop whose values change "
                "their shape works in TorchScript and in model.py."
            )
        return (
            "Use model.py, or another format. If the sample inputs do not suit the model, verify "
            "it with your own of two sizes: m.verify([first, second])."
        )


def _first_line(error: BaseException) -> str:
    """What happened, without the exporters' own advice; the cause where one is given."""
    while error.__cause__ is not None and not str(error).startswith("row "):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
