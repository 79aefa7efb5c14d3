"""Gradient parity: one backward pass in both frameworks, every gradient compared.

The outputs are weighted by fixed random numbers and differentiated. The forward values of our run
are replaced by Paddle's, so that both take the same side of every kink; the gradients differ by the
rounding of the backward pass only, and the tolerance comes from the same pass in float64. Each
layer is compared *alone* (given Paddle's gradients of its outputs) and *in the chain* (given ours).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import fx

from workbench.checks.gradients.batch_norm import check_batch_norm, in_training
from workbench.checks.gradients.comparison import Comparison, float_values
from workbench.checks.gradients.passes import Passes
from workbench.checks.gradients.pieces import Piece, parameter_pieces
from workbench.checks.gradients.roots import Roots, find_roots
from workbench.checks.results.gradients import GradientParity
from workbench.checks.values.source_values import reference_tensor
from workbench.core.calls import Sliced
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference


def gradient_parity(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    runtime: Runtime,
    seed: int = 0,
    batch_norm: str = "stored",
) -> GradientParity:
    """Compare the gradients of every float input, value and parameter with Paddle's.

    `inputs` holds one array per model input in feed order; `seed` picks the random weights of the
    outputs; `batch_norm` is "stored" or "train" (statistics of the batch).

    Raises `InputError` when no output is a float tensor, `RuntimeFailedError` when Paddle cannot
    differentiate the program.
    """
    check_batch_norm(batch_norm)
    if batch_norm == "stored":
        return _parity(mapping, module, inputs, runtime, seed)
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        mapping, module, _ = in_training(mapping, module, Path(folder))
        return _parity(mapping, module, inputs, runtime, seed)


def _parity(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[np.ndarray],
    runtime: Runtime,
    seed: int,
) -> GradientParity:
    start = time.perf_counter()
    program = mapping.program
    lost = _overwritten(program)
    read = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    roots = find_roots(runtime, program, read)
    reference = runtime.values(program, inputs, [*read, *program.outputs, *roots.values])
    cotangents = {
        value: _cotangent(reference, value, seed + number)
        for number, value in enumerate(roots.values)
    }
    pieces = parameter_pieces(mapping, module)
    theirs = runtime.gradients(
        program,
        inputs,
        {value: _stored(tensor) for value, tensor in cotangents.items()},
        [value for value in float_values(mapping) if value not in lost],
        list(dict.fromkeys(piece.weight.parameter for piece in pieces)),
    )
    passes = Passes(module, program, reference, theirs, cotangents, roots)
    comparison = Comparison(mapping, passes, pieces)
    checks = comparison.checks()
    described = tuple(
        f"{value.label} {list(array.shape)}"
        for value, array in zip(program.inputs, inputs, strict=True)
    )
    seconds = time.perf_counter() - start
    notes = (*_notes(roots, pieces), *comparison.notes)
    return GradientParity(described, seed, checks, notes, seconds)


def _cotangent(reference: Reference, value: Value, seed: int) -> torch.Tensor:
    output = reference_tensor(reference, value)
    assert output is not None  # outputs are always recorded
    random = np.random.default_rng(seed).normal(size=tuple(output.shape))
    return torch.from_numpy(random).to(output.dtype)


def _stored(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def _notes(roots: Roots, pieces: Iterable[Piece]) -> tuple[str, ...]:
    notes = list(roots.notes)
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


def _overwritten(program: Program) -> set[Value]:
    """Values whose memory is written to after they were made: their gradients are not asked for.

    In-place operators write into their first operand, a loop into the values that it starts from.
    """
    found: set[Value] = set()
    for op in program.walk():
        if Trait.LOOP in op.traits:
            found.update(op.operands)
        elif Trait.IN_PLACE in op.traits:
            found.update(list(op.operands)[:1])
    return found
