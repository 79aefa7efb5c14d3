"""Convert one case and compare it with what Paddle computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.oracle.case import Case
from workbench.builder import build
from workbench.codegen.source import generate
from workbench.errors import ConversionError, PaddleProcessError
from workbench.mapping import Mapping
from workbench.paddle_side.process import PaddleProcess
from workbench.passes import run_passes
from workbench.readers.pdiparams import bind_parameters
from workbench.readers.pir_json import read_program
from workbench.rules.apply import make_mapping

#: Ends of the names of the files of Paddle 2, by the translator's argument.
FILES = (("program", "pdmodel"), ("params", "pdiparams"))


def check(
    case: Case, oracle: PaddleProcess, folder: Path, translator: PaddleProcess | None = None
) -> torch.nn.Module | None:
    """Raise AssertionError when the converted case differs from Paddle; None for a refused one.

    A `translator` means that the oracle writes Paddle 2's format.
    """
    runs = 2 if case.dynamic else 1
    for run in range(runs):
        np.savez(folder / f"feed{run}.npz", **case.arrays(run))
    request = {
        "expression": case.expression, "layers": case.layers, "setup": case.setup,
        "inputs": {name: [spec.declared, spec.dtype] for name, spec in case.inputs.items()},
        "grad": case.grad, "runs": runs, "scale": case.scale,
    }  # fmt: skip
    told = ask(oracle, request, folder)
    saved = _translated(translator, folder) if translator else folder
    program = read_program(saved / "inference.json")
    present = {op.name for op in program.walk()}
    assert present & {name for op in case.ops for name in (op, f"{op}_")}, (
        f"none of {case.ops} is in the exported program, which has {sorted(present)}"
    )
    program = run_passes(bind_parameters(program, saved / "inference.pdiparams"))
    mapping = make_mapping(program)
    if case.refused:
        try:
            build(mapping)
        except ConversionError as error:
            assert case.refused in str(error), error
            return None
        raise AssertionError(f"converted, but should be refused with: {case.refused}")
    module = build(mapping)
    for run in range(runs):
        _compare_run(case, module, folder, run, told["dtypes"])
    if case.compare == "values":
        _compare_source(case, mapping, module, runs)
    return module


def _translated(translator: PaddleProcess, folder: Path) -> Path:
    target = folder / "translated"
    target.mkdir()
    files = {name: str(folder / f"inference.{end}") for name, end in FILES}
    translator.ask("translate", **files, target=str(target))
    return target


def _compare_source(case: Case, mapping: Mapping, module: torch.nn.Module, runs: int) -> None:
    """The generated source computes the same bits."""
    scope: dict[str, Any] = {"__file__": "model.py", "__name__": "model"}
    exec(compile(generate(mapping, "Case"), "model.py", "exec"), scope)
    written = scope["Model"]().eval()
    written.load_state_dict(module.state_dict())
    for run in range(runs):
        results = [one(*feed(case, run)) for one in (module, written)]
        torch.testing.assert_close(*results, rtol=0, atol=0, equal_nan=True)


def ask(oracle: PaddleProcess, request: dict[str, Any], folder: Path) -> Any:
    """Ask the oracle; again in a new process, since Paddle's tracer crashes now and then."""
    for _ in range(2):
        try:
            return oracle.ask("export", case=request, folder=str(folder))
        except PaddleProcessError:
            oracle.close()
    return oracle.ask("export", case=request, folder=str(folder))


def _compare_run(
    case: Case, module: torch.nn.Module, folder: Path, run: int, dtypes: list[str]
) -> None:
    inputs = feed(case, run)
    for tensor in inputs:
        if case.grad and tensor.is_floating_point():
            tensor.requires_grad_(True)
    results = module(*inputs)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    expected = np.load(folder / f"run{run}.npz")
    assert len(results) == len(dtypes), f"{len(results)} outputs, Paddle has {len(dtypes)}"
    for number, (result, dtype) in enumerate(zip(results, dtypes, strict=True)):
        where = f"run {run}, output {number}"
        reference = expected[f"out_{number}"]
        assert str(result.dtype) == f"torch.{dtype}", f"{where}: {result.dtype}, Paddle {dtype}"
        assert tuple(result.shape) == reference.shape, (
            f"{where}: shape {tuple(result.shape)}, Paddle {reference.shape}"
        )
        if case.compare == "values":
            compare(result.detach(), reference, case.rtol, case.atol, where)
    if case.grad:
        _compare_gradients(case, inputs, results, expected)


def compare(
    result: torch.Tensor, reference: np.ndarray, rtol: float, atol: float, where: str
) -> None:
    """Values agree, scale-relative, NaN equal to NaN."""
    array = (result.float() if result.dtype == torch.bfloat16 else result).numpy()
    if array.dtype.kind in "bui":
        np.testing.assert_array_equal(array, reference, err_msg=where)
        return
    if result.dtype in (torch.float16, torch.bfloat16):
        rtol, atol = max(rtol, 1e-2), max(atol, 1e-2)
    finite = np.abs(reference[np.isfinite(reference)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    np.testing.assert_allclose(array, reference, rtol=rtol, atol=atol * scale, err_msg=where)


def _compare_gradients(
    case: Case, inputs: list[torch.Tensor], results: list[torch.Tensor], expected: Any
) -> None:
    loss = sum(
        (
            result
            * torch.cos(torch.arange(result.numel(), dtype=result.dtype)).reshape(result.shape)
        ).sum()
        for result in results
        if result.is_floating_point()
    )
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    grads = torch.autograd.grad(loss, wanted, allow_unused=True)  # type: ignore[arg-type]
    for number, (tensor, grad) in enumerate(zip(wanted, grads, strict=True)):
        found = torch.zeros_like(tensor) if grad is None else grad
        compare(
            found, expected[f"grad_{number}"], max(case.rtol, 1e-4), max(case.atol, 1e-4),
            f"gradient of input {number}",
        )  # fmt: skip


def feed(case: Case, run: int) -> list[torch.Tensor]:
    """The inputs of one run as tensors of their own."""
    pairs = zip(case.arrays(run).values(), case.inputs.values(), strict=True)
    return [_tensor(array, spec.dtype) for array, spec in pairs]


def _tensor(array: np.ndarray, dtype: str) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor.to(torch.bfloat16) if dtype == "bfloat16" else tensor
