"""The source of a bundle is run before the bundle is written: it must be what was verified.

A process of its own, with torch only, imports `model.py`, loads the weights, and computes on the
inputs of the verification and on a second size. State, settings and outputs equal those of the
module, bit for bit.
"""

from __future__ import annotations

import copy
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.checks.values.inputs import is_dynamic, sample_inputs
from workbench.core.errors import WorkbenchError
from workbench.export import run_source
from workbench.export.fresh import last_line, run_fresh
from workbench.targets.pytorch.weights import as_tensor

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

#: Seconds that importing torch and the source may take.
PATIENCE = 300.0
#: Targets whose numbers mean nothing: no two runs have the same.
_UNSET = ("torch.empty", "torch.empty_like")
_BITS, _SHAPES = "bit for bit with the module", "weights bit for bit, outputs by shape and dtype"
_REPORT = "This is a fault of the workbench: please report it with the model's program file."


class TrialError(WorkbenchError):
    """The source of a bundle is not what was verified; nothing was written."""


def try_source(migration: Evidence, folder: Path, example: str = "") -> dict[str, Any]:
    """Run `model.py` of `folder` and compare; returns what was compared, for the manifest.

    The `example` that the receiver reads is run, too, where the model takes the sample inputs.
    Raises `TrialError` naming the first difference.
    """
    module = _on_cpu(migration.convert())
    start = time.perf_counter()
    runs, outputs, notes = _computed(migration, module)
    patience = PATIENCE + 20 * (time.perf_counter() - start)
    answer = _asked(folder, runs, patience, example if runs else "")
    labels = [value.label for value in migration.program.outputs]
    unset = [row.path for row in migration.mapping.walk() if row.target in _UNSET]
    numbers = not unset
    told = next(_differences(module, outputs, answer, runs, labels, numbers), "")
    if told:
        raise TrialError(
            f"model.py is not what the module is: {told}. Nothing was written.", _hint(migration)
        )
    if answer["example"]:
        raise TrialError(
            f"The example of README.md fails: {answer['example']}. Nothing was written.", _REPORT
        )
    random = [row.path for row in migration.mapping.walk() if row.is_random]
    return {
        "compared": f"{_BITS if numbers else _SHAPES}, in a process with torch only",
        "runs": [[list(tensor.shape) for tensor in inputs] for inputs in runs],
        "random": f"with equal seeds: {', '.join(random)}" if random else "",
        "example": bool(example and runs),
        "notes": [*notes, *(f"{path} is memory that nothing sets" for path in unset)],
    }


def _hint(migration: Evidence) -> str:
    from workbench.checks.values.integrity import check_integrity

    changes = check_integrity(migration.mapping, migration.convert()).changes
    if not changes:
        return _REPORT
    row, told = next(iter(changes.items()))
    return (
        f"The module was changed after conversion ({row}: {told}), and the source is written from "
        "the mapping: make the change there, with m.mapping.edit(...)."
    )


def _on_cpu(module: torch.nn.Module) -> torch.nn.Module:
    tensors = (*module.parameters(), *module.buffers())
    return module if all(t.is_cpu for t in tensors) else copy.deepcopy(module).cpu()


# --- the module's side ------------------------------------------------------------------------


def _computed(
    migration: Evidence, module: torch.nn.Module
) -> tuple[list[list[torch.Tensor]], list[Any], list[str]]:
    """Inputs, the module's outputs for them, and notes on inputs that did not suit it."""
    runs: list[list[torch.Tensor]] = []
    outputs: list[Any] = []
    notes: list[str] = []
    for arrays, verified in _inputs(migration):
        pairs = zip(arrays, migration.program.inputs, strict=True)
        inputs = [as_tensor(array, value.dtype).clone() for array, value in pairs]
        try:
            # torch.fx prints the source of a module that fails
            with nullcontext() if verified else redirect_stderr(io.StringIO()):
                outputs.append(run_source.run(module, inputs, len(runs)))
            runs.append(inputs)
        except Exception as error:
            if verified:
                raise TrialError(f"The module fails on inputs of the verification: {error}") from (
                    error
                )
            shapes = [list(array.shape) for array in arrays]
            notes.append(f"the module takes no sample inputs {shapes}: {last_line(str(error))}")
    return runs, outputs, notes


def _inputs(migration: Evidence) -> Iterator[tuple[list[np.ndarray], bool]]:
    """Inputs, and whether they were verified: all of these, and a second size if there is one."""
    program = migration.program
    references = migration.references if migration.verification is not None else ()
    yield from ((reference.inputs, True) for reference in references)
    seen = {_sizes(reference.inputs) for reference in references}
    for number in (0, 1) if is_dynamic(program) else (0,):
        arrays = sample_inputs(program, number)
        if len(seen) < (2 if is_dynamic(program) else 1) and _sizes(arrays) not in seen:
            seen.add(_sizes(arrays))
            yield arrays, False


def _sizes(arrays: list[np.ndarray]) -> tuple[tuple[int, ...], ...]:
    return tuple(array.shape for array in arrays)


# --- the source's side ------------------------------------------------------------------------


def _asked(
    folder: Path, runs: list[list[torch.Tensor]], patience: float, example: str
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="workbench-") as place:
        request, answer = Path(place, "request.pt"), Path(place, "answer.pt")
        asked = {
            "runs": runs,
            "example": example,
            "threads": torch.get_num_threads(),
            "precision": torch.get_float32_matmul_precision(),
        }
        torch.save(asked, request)
        try:
            code, _, error = run_fresh(
                Path(run_source.__file__), folder, request, answer, timeout=patience
            )
        except TimeoutError as late:
            raise TrialError(f"model.py cannot be used: {late}.", _REPORT) from late
        if code:
            raise TrialError(
                f"model.py cannot be used where only torch is: {last_line(error)}. "
                "Nothing was written.",
                _REPORT,
            )
        found: dict[str, Any] = torch.load(answer, weights_only=True)
    return found


# --- comparison -------------------------------------------------------------------------------


def _differences(
    module: torch.nn.Module,
    outputs: list[Any],
    answer: dict[str, Any],
    runs: list[list[torch.Tensor]],
    labels: list[str],
    numbers: bool,
) -> Iterator[str]:
    yield from _unequal(run_source.state_of(module), answer["state"], "tensor")
    yield from _unequal(run_source.settings_of(module), answer["settings"], "layer")
    for inputs, ours, theirs in zip(runs, outputs, answer["outputs"], strict=True):
        where = f"on inputs {[list(tensor.shape) for tensor in inputs]}"
        if (ours[0], len(ours[1])) != (theirs[0], len(theirs[1])):
            yield f"{where} it gives {len(theirs[1])} outputs, the module {len(ours[1])}"
            return
        for number, (expected, found) in enumerate(zip(ours[1], theirs[1], strict=True)):
            told = difference(expected, found, numbers)
            if told:
                name = labels[number] if number < len(labels) else str(number)
                yield f"output {number} ({name}) {where} {told}"


def _unequal(ours: dict[str, Any], theirs: dict[str, Any], word: str) -> Iterator[str]:
    for key in {**ours, **theirs}:
        if key not in theirs:
            yield f"it has no {word} {key}"
        elif key not in ours:
            yield f"it has a {word} {key} that the module does not have"
        elif ours[key] != theirs[key]:
            told = "" if word == "tensor" else f": {theirs[key]}, not {ours[key]}"
            yield f"{word} {key} differs{told}"


def difference(expected: torch.Tensor, found: torch.Tensor, numbers: bool = True) -> str:
    """How two tensors differ, in words; empty where they are equal bit for bit, NaN as NaN.

    Without `numbers` only dtype and shape count.
    """
    for what, ours, theirs in (
        ("dtype", expected.dtype, found.dtype),
        ("shape", list(expected.shape), list(found.shape)),
    ):
        if ours != theirs:
            return f"has {what} {theirs}, not {ours}"
    if not numbers:
        return ""
    apart = (_bits(expected) != _bits(found)).any(-1)
    if expected.is_floating_point() or expected.is_complex():
        apart &= ~(_real(expected).isnan() & _real(found).isnan())
    if not apart.any():
        return ""
    place = tuple(apart.nonzero()[0].tolist())[: expected.dim()]
    told = f"{found[place].tolist()}, not {expected[place].tolist()}"
    return f"differs in {int(apart.sum())} numbers, first at {list(place)}: {told}"


def _real(tensor: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of each number along a last axis."""
    return _real(tensor.detach()).contiguous().unsqueeze(-1).view(torch.uint8)
