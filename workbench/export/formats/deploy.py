"""Deploy formats made from the converted module: torch.export, TorchScript, ONNX.

Each file is loaded again and compared with the module on inputs of other sizes than those from
which it was made; a file that differs, or that cannot be run here, is not kept.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from workbench.core.errors import WorkbenchError
from workbench.export.formats.compared import Run, compare, orders, random_values
from workbench.export.formats.control import exportable
from workbench.export.formats.culprit import explained
from workbench.export.formats.recurrent import any_length
from workbench.export.formats.script import traced
from workbench.export.formats.sizes import Sizes, sizes_of

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Format:
    """A deploy format: its name to people, its file, and what writes and loads that."""

    title: str
    file: str
    make: Callable[[nn.Module, Sizes, Path], Run]
    #: In what it may be made; the first one that works is taken.
    modes: tuple[Callable[[], AbstractContextManager[None]], ...]


def write_formats(
    migration: Evidence, folder: Path, names: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, WorkbenchError]]:
    """Write the formats into a folder; what was compared for each, and why others failed."""
    compared: dict[str, str] = {}
    failed: dict[str, WorkbenchError] = {}
    sizes: Sizes | None = None
    for name in names:
        try:
            sizes = sizes or sizes_of(migration)
            compared[name] = _write(FORMATS[name], migration, sizes, folder / FORMATS[name].file)
        except WorkbenchError as error:
            failed[name] = error
    return compared, failed


def _write(form: Format, migration: Evidence, sizes: Sizes, target: Path) -> str:
    """Write one format; raises `WorkbenchError` and leaves no file where it fails."""
    module = migration.convert()
    drawn, ordering = random_values(migration.mapping), orders(migration.mapping)

    def attempt(part: nn.Module, file: Path) -> str:
        return tried(
            form, part, sizes, file, lambda run: compare(run, part, sizes, drawn, ordering)
        )

    def in_part(part: nn.Module) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return attempt(part, Path(folder) / form.file)

    try:
        return attempt(module, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, WorkbenchError) or not isinstance(error, Exception):
            raise
        raise explained(form.title, error, migration.mapping, module, in_part) from error


def tried(
    form: Format, module: nn.Module, sizes: Sizes, file: Path, check: Callable[[Run], T]
) -> T:
    """What `check` says of the file made of a module; raises whatever fails in the last mode."""
    for number, mode in enumerate(form.modes, 1):
        try:
            with _quiet(), mode():
                return check(form.make(module, sizes, file))
        except Exception:
            if number == len(form.modes):
                raise
    raise AssertionError("a format has a mode")


def exported_program(
    module: nn.Module, sizes: Sizes, onnx: bool = False
) -> torch.export.ExportedProgram:
    """The module through `torch.export`: dynamic dimensions, branches and loops kept."""
    program = torch.export.export(
        exportable(module, onnx), sizes.example, dynamic_shapes=sizes.dynamic, strict=False
    )
    _name_types(program.graph_module)
    return program


def _name_types(module: torch.fx.GraphModule) -> None:
    """Classes by their names, as torch's own file format wants them: it leaves them in blocks."""
    for part in module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            stack = node.meta.get("nn_module_stack", {})
            for key, (path, kind) in stack.items():
                stack[key] = (path, kind if isinstance(kind, str) else kind.__qualname__)


def _pt2(module: nn.Module, sizes: Sizes, target: Path) -> Run:
    """For `torch.export.load`."""
    torch.export.save(exported_program(module, sizes), target)
    return torch.export.load(target).module()


def _torchscript(module: nn.Module, sizes: Sizes, target: Path) -> Run:
    """Traced and frozen, for `torch.jit.load`."""
    script = traced(module, sizes.example)
    torch.jit.save(torch.jit.freeze(script.eval()), target)  # type: ignore[no-untyped-call]
    return torch.jit.load(target)  # type: ignore[no-untyped-call, no-any-return]


def _onnx(module: nn.Module, sizes: Sizes, target: Path) -> Run:
    """Through `torch.onnx`, for ONNX Runtime and others; needs the extra `onnx`."""
    from workbench.export.formats import onnx

    onnx.require()
    onnx.write(exported_program(module, sizes, onnx=True), sizes.names, target)
    return onnx.runner(target)


@contextmanager
def any_size() -> Iterator[None]:
    """Inside, `torch.export` keeps lengths dynamic, and a size of 1 is as good as any other.

    Torch alone takes a size of 1 as another case, so that a file refuses small images, whose last
    map has one column; but some branches it can only export so.
    """
    with any_length(), torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' warnings and logs of whole graphs; no gradients."""
    log = logging.getLogger("torch")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


#: Deploy formats by the name that `--format` takes.
FORMATS = {
    "pt2": Format("torch.export", "model.pt2", _pt2, (any_size, any_length)),
    "torchscript": Format("TorchScript", "model.torchscript", _torchscript, (nullcontext,)),
    "onnx": Format("ONNX", "model.onnx", _onnx, (any_size, any_length)),
}
