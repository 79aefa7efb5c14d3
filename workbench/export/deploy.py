"""Deploy formats made from the converted module: torch.export, TorchScript, ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from workbench.errors import WorkbenchError
from workbench.inputs import sample_inputs
from workbench.weights import as_tensor

if TYPE_CHECKING:
    from workbench.migration import Migration


def example(migration: Migration) -> tuple[torch.Tensor, ...]:
    """Example inputs: those of the last verification, else sample inputs."""
    arrays = (
        migration.references[0].inputs if migration.references else sample_inputs(migration.program)
    )
    values = migration.program.inputs
    return tuple(as_tensor(a, v.dtype) for a, v in zip(arrays, values, strict=True))


def dynamic_shapes(migration: Migration) -> tuple[Any, ...]:
    """For torch.export: which dimensions of each input are dynamic."""
    auto = torch.export.Dim.AUTO  # type: ignore[attr-defined]
    return tuple(
        {axis: auto for axis, dim in enumerate(value.shape) if dim < 0} or None
        for value in migration.program.inputs
    )


def exported_program(migration: Migration) -> torch.export.ExportedProgram:
    """The model through `torch.export`, dynamic dimensions kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(
            migration.convert(), example(migration), dynamic_shapes=dynamic_shapes(migration)
        )


def write_pt2(migration: Migration, folder: Path) -> list[Path]:
    """`model.pt2`, for `torch.export.load`."""
    target = folder / "model.pt2"
    with _told("torch.export"):
        torch.export.save(exported_program(migration), target)
    return [target]


def write_torchscript(migration: Migration, folder: Path) -> list[Path]:
    """`model.torchscript`: traced and frozen, for `torch.jit.load`."""
    target = folder / "model.torchscript"
    with _told("TorchScript"), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            migration.convert(), example(migration), check_trace=False
        )
        torch.jit.save(torch.jit.freeze(traced), target)  # type: ignore[no-untyped-call]
    return [target]


def write_onnx(migration: Migration, folder: Path) -> list[Path]:
    """`model.onnx` through `torch.onnx`; needs the extra `onnx`."""
    target = folder / "model.onnx"
    names = [value.name for value in migration.program.inputs]
    with _told("ONNX"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            migration.convert(),
            example(migration),
            target,
            input_names=names,
            dynamo=True,
            dynamic_shapes=dynamic_shapes(migration),
            custom_translation_table=_translations(),
            verbose=False,
        )
    return [target]


def _translations() -> dict[Any, Any]:
    """ONNX forms of operators that torch's exporter lacks."""
    from onnxscript import opset18

    onnx: Any = opset18

    def sort(self: Any, *, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:
        # TopK keeps the order of equal elements
        size = onnx.Gather(onnx.Shape(self), onnx.Constant(value_ints=[dim]))
        return onnx.TopK(self, size, axis=dim, largest=int(descending), sorted=1)

    return {torch.ops.aten.sort.stable: sort}


class _told:  # noqa: N801 - used like a function
    """Turn a failure of an exporter into one clear error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception):
            return
        if isinstance(error, ImportError):
            raise WorkbenchError(
                f"{self.name} needs a package that is not installed: {error}.",
                "pip install 'paddle-torch-workbench[onnx]'",
            ) from error
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorkbenchError(
            f"{self.name} could not export this model: {first[:300]}",
            "The bundle without this format works; leave --format out.",
        ) from error
