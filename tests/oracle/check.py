"""Convert one case and compare it with what Paddle computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.oracle.case import Case
from tests.oracle.compare import compare
from tests.oracle.gradients import compare_gradients, reference_gradients
from tests.small_programs import mapped
from workbench.core.errors import ConversionError, PaddleProcessError
from workbench.core.mapping import Mapping
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.files.pdiparams import bind_parameters
from workbench.sources.paddle.files.pir_json import read_program
from workbench.sources.paddle.passes import run_passes
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.codegen.source import generate

#: What is told when a kernel of Paddle (bfloat16 in oneDNN, a fused one) meets an older processor.
NO_SUCH_INSTRUCTION = ("SIGILL", "std::exception")
#: Ends of the names of the files of Paddle 2, by the translator's argument.
FILES = (("program", "pdmodel"), ("params", "pdiparams"))


def check(
    case: Case, oracle: PaddleProcess, folder: Path, translator: PaddleProcess | None = None
) -> torch.nn.Module | None:
    """Raise AssertionError when the converted case differs from Paddle; None for a refused one.

    A `translator` means that the oracle writes Paddle 2's format.
    """
    try:
        told = run_paddle(case, oracle, folder)
    except PaddleProcessError as error:
        if any(sign in error.message for sign in NO_SUCH_INSTRUCTION):
            pytest.skip("Paddle's kernel needs instructions that this processor lacks")
        raise
    if case.grad:
        assert told["grad"], f"Paddle computes no gradient: {told['why']}"
    saved = _translated(translator, folder) if translator else folder
    try:
        mapping = mapping_of(case, saved)
    except AssertionError:  # now and then Paddle writes half a program
        oracle.close()
        told = run_paddle(case, oracle, folder)
        mapping = mapping_of(case, _translated(translator, folder) if translator else folder)
    if case.refused:
        try:
            build(mapping)
        except ConversionError as error:
            assert case.refused in str(error), error
            return None
        raise AssertionError(f"converted, but should be refused with: {case.refused}")
    return agree(case, mapping, folder, told)


def agree(case: Case, mapping: Mapping, folder: Path, told: dict[str, Any]) -> torch.nn.Module:
    """The module; raises AssertionError when it or the source differs from what Paddle `told`.

    Raises ConversionError when a rule refuses.
    """
    module = build(mapping)
    for run in range(case.runs):
        _compare_run(case, module, folder, run, told)
    if case.compare == "values":
        _compare_source(case, mapping, module)
    return module


def mapping_of(case: Case, saved: Path) -> Mapping:
    """The mapping of the exported program, which must hold one of the operators under test."""
    program = read_program(saved / "inference.json")
    present = {op.name for op in program.walk()}
    wanted = {name for op in case.ops for name in (op, f"{op}_")}
    assert not case.ops or present & wanted, (
        f"none of {case.ops} is in the exported program, which has {sorted(present)}"
    )
    return mapped(run_passes(bind_parameters(program, saved / "inference.pdiparams")))


def _translated(translator: PaddleProcess, folder: Path) -> Path:
    target = folder / "translated"
    target.mkdir(exist_ok=True)
    files = {name: str(folder / f"inference.{end}") for name, end in FILES}
    translator.ask("translate", **files, target=str(target))
    return target


def _compare_source(case: Case, mapping: Mapping, module: torch.nn.Module) -> None:
    """The generated source computes the same, but for where its weights lie in memory."""
    scope: dict[str, Any] = {"__file__": "model.py", "__name__": "model"}
    exec(compile(generate(mapping, "Case"), "model.py", "exec"), scope)
    written = scope["Model"]().eval()
    written.load_state_dict(module.state_dict())
    for run in range(case.runs):
        results = [one(*feed(case, run)) for one in (module, written)]
        torch.testing.assert_close(*results, rtol=1e-6, atol=1e-6, equal_nan=True)


def run_paddle(case: Case, oracle: PaddleProcess, folder: Path, tries: int = 3) -> Any:
    """What Paddle tells about a case; the exported program and the results are in `folder`."""
    for run in range(case.runs):
        np.savez(folder / f"feed{run}.npz", **case.arrays(run))
    request = {
        "expression": case.expression, "layers": case.layers, "setup": case.setup,
        "inputs": {name: [spec.declared, spec.dtype] for name, spec in case.inputs.items()},
        "grad": case.differentiable, "runs": case.runs, "scale": case.scale,
    }  # fmt: skip
    return ask(oracle, request, folder, tries)


def ask(oracle: PaddleProcess, request: dict[str, Any], folder: Path, tries: int = 3) -> Any:
    """Ask the oracle; again in a new process, since Paddle's tracer crashes now and then."""
    for _ in range(tries - 1):
        try:
            return oracle.ask("export", case=request, folder=str(folder))
        except PaddleProcessError:
            oracle.close()
    return oracle.ask("export", case=request, folder=str(folder))


def _compare_run(
    case: Case, module: torch.nn.Module, folder: Path, run: int, told: dict[str, Any]
) -> None:
    dtypes = told["dtypes"]
    expected = np.load(folder / f"run{run}.npz")
    inputs = feed(case, run)
    grads = reference_gradients(inputs, expected) if told["grad"] else {}
    for number in grads:
        inputs[number].requires_grad_(True)
    results = module(*inputs)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
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
    if grads:
        compare_gradients(case, module, inputs, results, grads)


def feed(case: Case, run: int) -> list[torch.Tensor]:
    """The inputs of one run as tensors of their own."""
    pairs = zip(case.arrays(run).values(), case.inputs.values(), strict=True)
    return [_tensor(array, spec.dtype) for array, spec in pairs]


def _tensor(array: np.ndarray, dtype: str) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor.to(torch.bfloat16) if dtype == "bfloat16" else tensor
