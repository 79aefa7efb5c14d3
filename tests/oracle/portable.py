"""What can be done with a converted case afterwards: export, trace, move to an accelerator.

Each check takes the second sizes of the case's dynamic dimensions after an example of the first
ones, and compares with the module itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.oracle.accelerator import moved
from tests.oracle.case import Case
from tests.oracle.check import ask, feed
from tests.small_programs import mapped
from workbench.export.formats.culprit import reason
from workbench.export.formats.deploy import FORMATS, tried
from workbench.export.formats.sizes import Sizes, copies
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.files.pdiparams import bind_parameters
from workbench.sources.paddle.files.pir_json import read_program
from workbench.sources.paddle.passes import run_passes
from workbench.targets.pytorch.builder import build

SIZES = Case.__dataclass_fields__["sizes"].default
AUTO = torch.export.Dim.AUTO  # type: ignore[attr-defined]


def write_program(case: Case, oracle: PaddleProcess, folder: Path) -> None:
    """Let Paddle export a case; nothing is run."""
    ask(oracle, {
        "expression": case.expression, "layers": case.layers, "setup": case.setup,
        "inputs": {name: [spec.declared, spec.dtype] for name, spec in case.inputs.items()},
        "grad": False, "runs": 0, "scale": case.scale,
    }, folder)  # fmt: skip


def converted(folder: Path) -> nn.Module:
    """The module for what `write_program` wrote."""
    program = read_program(folder / "inference.json")
    program = run_passes(bind_parameters(program, folder / "inference.pdiparams"))
    return build(mapped(program))


def _sizes(case: Case, example: list[Tensor]) -> Sizes:
    """The example, and which dimensions torch.export shall keep dynamic."""
    dynamic = tuple(
        {axis: AUTO for axis, dim in enumerate(spec.dims) if isinstance(dim, str)} or None
        for spec in case.inputs.values()
    )
    return Sizes(tuple(case.inputs), tuple(example), dynamic, ())


#: The formats by the names in docs/portability.json.
_FORMATS = {"export": "pt2", "trace": "torchscript", "onnx": "onnx"}


def failure(case: Case, module: nn.Module, name: str) -> str:
    """Why one check fails, in a line; empty when it holds.

    Where the small sizes of the cases lead to a size of 1 or 0 inside, torch.export fixes that; a
    person's example is larger, so a larger one is tried too.
    """
    told = _attempt(case, module, name)
    if told and name in ("export", "onnx") and case.sizes == SIZES:
        larger = {letter: size + 6 for letter, size in case.sizes[1].items()}
        told = _attempt(replace(case, sizes=(larger, case.sizes[1])), module, name)
    return told


def _attempt(case: Case, module: nn.Module, name: str) -> str:
    first, last = feed(case, 0), feed(case, 1 if case.dynamic else 0)
    with torch.no_grad():
        expected = module(*copies(last))

    def check(run: Callable[..., Any]) -> None:
        _compare(case, run(*last), expected)

    try:
        if name == "device":
            check(lambda *inputs: moved(module, list(inputs)))
        else:
            form = FORMATS[_FORMATS[name]]
            with tempfile.TemporaryDirectory() as folder:
                tried(form, module, _sizes(case, first), Path(folder) / form.file, check)
    except Exception as error:  # noqa: BLE001 - exporters raise anything
        return reason(error)
    return ""


def _compare(case: Case, found: Any, expected: Any) -> None:
    pairs = zip(_listed(found), _listed(expected), strict=True)
    for number, (one, other) in enumerate(pairs):
        where = f"output {number}"
        assert one.dtype == other.dtype, f"{where}: {one.dtype}, should be {other.dtype}"
        shapes = tuple(one.shape), tuple(other.shape)
        assert shapes[0] == shapes[1], f"{where}: shape {shapes[0]}, should be {shapes[1]}"
        if case.compare == "values" and not np.isin("empty", case.ops):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def _listed(results: Any) -> list[Tensor]:
    return list(results) if isinstance(results, (tuple, list)) else [results]
