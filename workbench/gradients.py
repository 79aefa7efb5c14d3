"""Gradient parity: one backward pass in both frameworks, every gradient compared.

The outputs are weighted by fixed random numbers and differentiated. The forward values of our run
are replaced by Paddle's, so that both take the same side of every kink; the gradients differ by the
rounding of the backward pass only, and the tolerance comes from the same pass in float64. Each
layer is compared *alone* (given Paddle's gradients of its outputs) and *in the chain* (given ours).
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import fx

from workbench.backward import Backward, backward
from workbench.batch_norm import check_batch_norm, in_training
from workbench.calls import Sliced
from workbench.errors import InputError
from workbench.gradient_parity import GradientCheck, GradientParity
from workbench.judging import compare, health_of
from workbench.mapping import Mapping
from workbench.paddle_side.gradient_reference import (
    GradientReference,
    record_gradients,
    value_stem,
)
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import Reference, record
from workbench.paddle_values import reference_tensor
from workbench.parameter_pieces import Piece, parameter_pieces, total
from workbench.program import Value, is_float
from workbench.row_runner import RowRunner, wide_copy
from workbench.verification import Check
from workbench.verify import overwritten
from workbench.weights import as_tensor

#: To find kinks, values are moved by up to this share of their scale, there and back.
MOVE = 1e-4


def gradient_parity(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    process: PaddleProcess,
    seed: int = 0,
    batch_norm: str = "stored",
) -> GradientParity:
    """Compare the gradients of every float input, value and parameter with Paddle's.

    `inputs` holds one array per model input in feed order; `seed` picks the random weights of the
    outputs; `batch_norm` is "stored" or "train" (statistics of the batch).

    Raises `InputError` when no output is a float tensor, `PaddleProcessError` when Paddle cannot
    differentiate the program.
    """
    check_batch_norm(batch_norm)
    if batch_norm == "stored":
        return _parity(mapping, module, inputs, process, seed)
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        mapping, module, _ = in_training(mapping, module, Path(folder))
        return _parity(mapping, module, inputs, process, seed)


def _parity(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    process: PaddleProcess,
    seed: int,
) -> GradientParity:
    start = time.perf_counter()
    program = mapping.program
    outputs = [value for value in dict.fromkeys(program.outputs) if is_float(value.dtype)]
    outputs = [value for value in outputs if value not in program.inputs and not value.parameter]
    if not outputs:
        raise InputError("The model has no float output, so there is nothing to differentiate.")
    lost = overwritten(program)
    read = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    kept = [value for value in read if value not in lost]
    reference = record(process, program, inputs, [*kept, *program.outputs])
    cotangents = {
        value: _cotangent(reference, value, seed + number) for number, value in enumerate(outputs)
    }
    pieces = parameter_pieces(mapping, module)
    theirs = record_gradients(
        process,
        program,
        inputs,
        {value: _stored(tensor) for value, tensor in cotangents.items()},
        _float_values(mapping, lost),
        list(dict.fromkeys(piece.weight.parameter for piece in pieces)),
    )
    checks = _Comparison(mapping, module, reference, theirs, cotangents, pieces).checks()
    described = tuple(
        f"{value.label} {list(array.shape)}"
        for value, array in zip(program.inputs, inputs, strict=True)
    )
    seconds = time.perf_counter() - start
    return GradientParity(described, seed, tuple(checks), _notes(theirs, pieces), seconds)


def _float_values(mapping: Mapping, lost: set[Value]) -> list[Value]:
    made = [value for row in mapping.rows if not row.is_parameter for value in row.values]
    found = dict.fromkeys([*mapping.program.inputs, *made])
    return [value for value in found if is_float(value.dtype) and value not in lost]


def _cotangent(reference: Reference, value: Value, seed: int) -> torch.Tensor:
    output = reference_tensor(reference, value)
    assert output is not None  # outputs are always recorded
    random = np.random.default_rng(seed).normal(size=tuple(output.shape))
    return torch.from_numpy(random).to(output.dtype)


def _stored(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def _notes(theirs: GradientReference, pieces: Iterable[Piece]) -> tuple[str, ...]:
    notes = []
    if theirs.stopped:
        notes.append(f"{_without(theirs)}: what lies before cannot be compared in full.")
    if theirs.detached:
        notes.append(
            f"Paddle stops gradients at {theirs.detached} place(s) (Tensor.detach), where the "
            "converted model passes them on; add .detach() there before you train it."
        )
    untied: dict[str, list[str]] = {}
    for piece in pieces:
        untied.setdefault(piece.weight.parameter, []).append(piece.key)
    notes += [
        f"{name} is one parameter in Paddle and {len(keys)} in PyTorch ({', '.join(keys)}): "
        "their gradients were added up here, but training would let them drift apart."
        for name, keys in untied.items()
        if len(keys) > 1 and not _parts(name, pieces)
    ]
    return tuple(notes)


def _parts(name: str, pieces: Iterable[Piece]) -> bool:
    """True when the pieces of a parameter are different parts of it."""
    weights = [piece.weight for piece in pieces if piece.weight.parameter == name]
    return all(any(isinstance(step, Sliced) for step in weight.steps) for weight in weights)


# --- comparison ---------------------------------------------------------------------------------


class _Comparison:
    """Four passes of ours, alone and in the chain, in float32 and float64, against Paddle's."""

    def __init__(
        self,
        mapping: Mapping,
        module: fx.GraphModule,
        reference: Reference,
        theirs: GradientReference,
        cotangents: dict[Value, torch.Tensor],
        pieces: list[Piece],
    ) -> None:
        self.mapping = mapping
        self.reference = reference
        self.theirs = theirs
        self.cotangents = cotangents
        self.pieces: dict[str, list[Piece]] = {}
        for piece in pieces:
            self.pieces.setdefault(piece.weight.parameter, []).append(piece)
        self.readers = _readers(mapping)
        self.stopped = set(theirs.stopped)
        self.excuse = _without(theirs) if theirs.stopped else ""
        self.moved: list[Backward] = []
        self.narrow, wide = RowRunner(module), RowRunner(wide_module(module))
        self.alone = self._pass(self.narrow, True), self._pass(wide, True)
        self.chain = self._pass(self.narrow, False), self._pass(wide, False)

    def _pass(self, runner: RowRunner, alone: bool, seed: int = 0) -> Backward:
        """One pass; with a seed, every value is moved a little; its sign says which way."""
        program = self.mapping.program
        double = next(runner.module.parameters(), torch.empty(0)).dtype == torch.float64
        inputs = []
        for value in program.inputs:
            tensor = reference_tensor(self.reference, value)
            assert tensor is not None  # inputs are always recorded
            wide = double and tensor.is_floating_point()
            inputs.append(tensor.double() if wide else tensor)
        return backward(
            runner,
            inputs,
            program.outputs,
            self.cotangents,
            lambda value: _moved(reference_tensor(self.reference, value), seed),
            self._paddles if alone else None,
        )

    def _paddles(self, value: Value) -> torch.Tensor | None:
        """Paddle's gradient of a value, zeros where Paddle has none; None when not asked for."""
        stem = value_stem(value)
        if stem not in self.theirs.asked:
            return None
        found = self._gradient(stem)
        if found is not None:
            return found
        forward = reference_tensor(self.reference, value)
        return None if forward is None else torch.zeros_like(forward)

    def _gradient(self, stem: str) -> torch.Tensor | None:
        array = self.theirs.array(stem)
        if array is None:
            return None
        return as_tensor(np.asarray(array), self.theirs.dtypes[stem])

    def checks(self) -> tuple[GradientCheck, ...]:
        """Inputs and values in program order, then parameters."""
        program = self.mapping.program
        found = []
        for value in reversed(_float_values(self.mapping, set())):
            paths = self.readers.get(value, ())
            asked = value_stem(value) in self.theirs.asked
            if paths and asked and value in self.alone[0].reached:
                kind = "input" if value in program.inputs else "value"
                ours = [one.values.get(value) for one in (*self.alone, *self.chain)]
                check = self._check(value.label, kind, paths, value_stem(value), ours)
                found.append(self._on_kink(check, value))
        found.reverse()
        for number, (name, pieces) in enumerate(self.pieces.items()):
            ours = [total(pieces, one.parameters) for one in (*self.alone, *self.chain)]
            paths = tuple(dict.fromkeys(piece.row for piece in pieces))
            found.append(self._check(name, "parameter", paths, f"p{number}", ours))
        return tuple(self._excused(check) for check in found)

    def _check(
        self,
        name: str,
        kind: str,
        paths: tuple[str, ...],
        stem: str,
        ours: Sequence[torch.Tensor | None],
    ) -> GradientCheck:
        theirs = self._gradient(stem)
        narrow, wide, chained, chained_wide = ours
        alone = self._judged(narrow, wide, theirs)
        chain = self._judged(chained, chained_wide, theirs)
        if theirs is not None and not torch.isfinite(theirs).all() and alone.failed:
            alone = Check("unchecked", alone.error, problem="Paddle's gradient is not finite")
            self.excuse = f"Paddle's gradient of {name} is not finite"
        without = [op for path in paths for op in self.mapping[path].ops if op in self.stopped]
        if alone.failed and self.stopped and (without or theirs is None):
            alone = Check("unchecked", alone.error, problem=self.excuse)
        known = theirs if theirs is not None else ours[0]
        shape = tuple(known.shape) if known is not None else ()
        health = _health(theirs, alone) if theirs is not None else ()
        return GradientCheck(name, kind, paths, shape, alone, chain, health)

    def _on_kink(self, check: GradientCheck, value: Value) -> GradientCheck:
        """The check, unless the value lies where a function has several gradients.

        At such a place (a bound of a clip, equal maxima) frameworks choose as they like: Paddle's
        choice must lie among the gradients that ours takes when the value moves a little.
        """
        theirs, ours = self._gradient(value_stem(value)), self.alone[0].values.get(value)
        if not check.failed or theirs is None or ours is None or ours.shape != theirs.shape:
            return check
        if not self.moved:
            self.moved = [self._pass(self.narrow, True, seed) for seed in (1, -1, 2, -2)]
        around = torch.stack([ours, *(one.values.get(value, ours) for one in self.moved)])
        low, high = around.amin(0), around.amax(0)
        slack = check.alone.tolerance
        if bool(((theirs >= low - slack) & (theirs <= high + slack)).all()):
            told = "at a kink, where either gradient is right"
            self.excuse = self.excuse or f"the gradient of {check.name} was taken at a kink"
            return replace(check, alone=replace(check.alone, verdict="unchecked", problem=told))
        return check

    def _excused(self, check: GradientCheck) -> GradientCheck:
        """In the chain nothing is blamed for what came from Paddle's side or from a kink."""
        if not self.excuse or not check.chain.failed or check.failed:
            return check
        told = Check("unchecked", check.chain.error, problem=self.excuse)
        return replace(check, chain=told)

    def _judged(
        self,
        ours: torch.Tensor | None,
        wide: torch.Tensor | None,
        theirs: torch.Tensor | None,
    ) -> Check:
        if theirs is None and (ours is None or not ours.any()):
            return Check("unchecked")  # neither framework passes a gradient here
        if theirs is None:
            return Check("wrong", problem="PyTorch has a gradient here, Paddle has none")
        if ours is None:
            if not theirs.any():
                return Check("unchecked")
            return Check("wrong", problem="Paddle has a gradient here, PyTorch has none")
        return compare(ours, theirs, wide)


def wide_module(module: fx.GraphModule) -> fx.GraphModule:
    """A float64 copy, in which layers share the buffers that they shared before."""
    wide = wide_copy(module)
    assert isinstance(wide, fx.GraphModule)
    kept: dict[int, torch.Tensor] = {}
    for key, buffer in module.named_buffers(remove_duplicate=False):
        holder, _, leaf = key.rpartition(".")
        owner = wide.get_submodule(holder)
        owner._buffers[leaf] = kept.setdefault(id(buffer), owner.get_buffer(leaf))
    return wide


def _moved(tensor: torch.Tensor | None, seed: int) -> torch.Tensor | None:
    if tensor is None or not seed or not tensor.is_floating_point() or not tensor.numel():
        return tensor
    generator = torch.Generator().manual_seed(abs(seed))
    shift = (torch.rand(tensor.shape, generator=generator) * 2 - 1) * float(tensor.abs().max())
    moved: torch.Tensor = tensor + (math.copysign(MOVE, seed) * shift).to(tensor.dtype)
    return moved


def _without(theirs: GradientReference) -> str:
    return f"Paddle has no gradient for {', '.join(theirs.stopped)}"


def _health(theirs: torch.Tensor, check: Check) -> tuple[str, ...]:
    """Why a gradient proves little; one that is zero but for rounding among it."""
    if check.error is not None and 0 < check.error.scale <= check.tolerance:
        return ("rounding only",)
    return health_of(theirs)


def _readers(mapping: Mapping) -> dict[Value, tuple[str, ...]]:
    found: dict[Value, list[str]] = {}
    for row in mapping.rows:
        for value in row.reads:
            found.setdefault(value, []).append(row.path)
    return {value: tuple(dict.fromkeys(paths)) for value, paths in found.items()}
