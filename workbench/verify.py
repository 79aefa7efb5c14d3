"""Verification: every layer against Paddle, alone and in the chain, and the outputs end to end.

The tolerance of a layer is not a constant. The same layer runs in float64 on the same inputs; the
difference is the rounding noise of the float32 run, and Paddle's result may differ by a few times
that. What rounding may do further down the chain is measured too: a second run of the chain adds to
every layer a random error as large as the one measured there, and shows how far the rest moves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from workbench.mapping import Mapping, Row
from workbench.paddle_side.process import PaddleProcess
from workbench.paddle_side.reference import Reference, record
from workbench.program import ARRAY, Program, Value
from workbench.row_runner import Chain, Change, RowRunner
from workbench.statistics import ErrorStats, error_stats, largest_difference
from workbench.verification import Check, LayerCheck, OutputCheck, Run, Verification
from workbench.weights import as_tensor

#: How many times the rounding noise of our own run Paddle's result may be away.
NOISE_FACTOR = 8.0
#: Rounding that even a single operation is allowed, in units of the dtype's epsilon at full scale.
EPSILONS = 8.0
#: Beyond this many tolerances a difference is *wrong*, below *suspicious*.
WRONG = 10.0

#: A reference whose largest magnitude is below this proves nothing.
VANISHING = 1e-10

#: Operators that turn numbers into decisions: rounding upstream can flip them.
DECISIONS = {
    "argmax", "argmin", "topk", "argsort", "sort", "kthvalue", "mode", "median", "nanmedian",
    "round", "floor", "ceil", "trunc", "sign", "floor_divide", "remainder", "equal", "not_equal",
    "less_than", "less_equal", "greater_than", "greater_equal", "nonzero", "unique", "where",
    "multiclass_nms3", "matrix_nms", "nms", "generate_proposals", "distribute_fpn_proposals",
    "isclose", "searchsorted", "bucketize", "if", "while", "cast", "viterbi_decode",
    "unique_consecutive", "quantize_linear", "fake_quantize_dequantize_moving_average_abs_max",
    "fake_channel_wise_quantize_dequantize_abs_max", "fake_quantize_dequantize_abs_max",
    "max_pool2d_with_index", "yolo_box", "gather_tree",
}  # fmt: skip

#: In-place operators whose first operand is only read.
_STATISTICS = {"pd_op.batch_norm_", "pd_op.sync_batch_norm_"}

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def verify(
    mapping: Mapping,
    module: fx.GraphModule,
    inputs: Sequence[Sequence[np.ndarray]],
    process: PaddleProcess,
    progress: Progress = lambda items, _: items,
) -> tuple[Verification, tuple[Reference, ...]]:
    """Compare the module with Paddle on each set of inputs; returns Paddle's values too.

    `inputs` holds, for each run, one array per model input in feed order. Raises
    `PaddleProcessError` when Paddle cannot run the program on them.
    """
    start = time.perf_counter()
    wanted = [value for row in mapping.rows for value in (*row.values, *row.reads)]
    lost = overwritten(mapping.program) - set(mapping.program.outputs)
    wanted = [*(value for value in wanted if value not in lost), *mapping.program.outputs]
    references = tuple(record(process, mapping.program, arrays, wanted) for arrays in inputs)
    runs = check_references(mapping, module, references, progress)
    return Verification(runs, time.perf_counter() - start), references


def overwritten(program: Program) -> set[Value]:
    """Values whose memory is written to after they were made.

    In-place operators write into their first operand, a loop into the values that it starts from.
    Paddle hands values over at the end of a run, so of these it would hand over what was written
    later. They are computed from the values before them instead.
    """
    found: set[Value] = set()
    for op in program.walk():
        if op.name == "pd_op.while":
            found.update(op.operands)
        elif op.name.endswith("_") and op.name not in _STATISTICS:
            found.update(list(op.operands)[:1])
    return found


def check_references(
    mapping: Mapping,
    module: fx.GraphModule,
    references: Sequence[Reference],
    progress: Progress = lambda items, _: items,
) -> tuple[Run, ...]:
    """Compare the module with values that Paddle computed earlier."""
    runner = RowRunner(module)
    return tuple(_Run(mapping, runner, reference).check(progress) for reference in references)


def check_row(mapping: Mapping, path: str, reference: Reference, module: fx.GraphModule) -> Check:
    """Check one layer alone on recorded values, for instance after an edit."""
    row = mapping[path]
    return _Run(mapping, RowRunner(module), reference).alone(row)


def reference_tensor(reference: Reference, value: Value) -> torch.Tensor | None:
    """Paddle's value as a tensor, or None when it was not recorded."""
    if value not in reference:
        return None
    array = reference.array(value)
    dtype = reference.dtypes[value.id]
    return as_tensor(np.asarray(array), dtype)


class _Run:
    """Checks of one set of inputs."""

    def __init__(self, mapping: Mapping, runner: RowRunner, reference: Reference) -> None:
        self.mapping = mapping
        self.runner = runner
        self.reference = reference
        self.flipped = ""

    def get(self, value: Value) -> torch.Tensor | None:
        return reference_tensor(self.reference, value)

    def check(self, progress: Progress) -> Run:
        """Every row, then the outputs."""
        inputs = [self.get(value) for value in self.mapping.program.inputs]
        tensors = [tensor for tensor in inputs if tensor is not None]
        chain, shaken = self.runner.chain(tensors), self.runner.chain(tensors)
        layers: list[LayerCheck] = []
        outputs = dict.fromkeys(self.mapping.program.outputs)
        checks: dict[Value, Check] = {}
        for row in progress(self.mapping.rows, "verifying"):
            if row.path not in self.runner.rows:
                continue
            alone = self.alone(row)
            in_chain = self._in_chain(row, chain, shaken, alone)
            if not row.is_parameter:
                layers.append(self._layer(row, alone, _worst(in_chain.values())))
            checks.update({value: check for value, check in in_chain.items() if value in outputs})
        found = tuple(self._output(value, checks) for value in self.mapping.program.outputs)
        described = tuple(
            f"{value.name} {list(array.shape)}"
            for value, array in zip(self.mapping.program.inputs, self.reference.inputs, strict=True)
        )
        return Run(described, tuple(layers), found)

    # --- alone ----------------------------------------------------------------------------------

    def alone(self, row: Row) -> Check:
        """The row fed Paddle's own inputs."""
        if row.is_parameter or _random(row):
            return Check("unchecked")
        if any(value.dtype == ARRAY for value in row.reads):
            return Check("unchecked")  # what earlier rows put into the array cannot be had
        if not any(value in self.reference for value in row.values):
            return Check("unchecked")
        try:
            made = self.runner.alone(row.path, self.get)
        except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
            return Check("wrong", problem=f"{type(error).__name__}: {_first_line(error)}")
        try:
            wide = self.runner.alone(row.path, self.get, double=True)
        except Exception:  # noqa: BLE001 - no float64 form: judged by epsilon alone
            wide = {}
        return _worst(self._judge(value, made.get(value), wide.get(value)) for value in row.values)

    def _judge(self, value: Value, ours: Any, other: Any) -> Check:
        """Our value against Paddle's; `other` is what rounding may make of ours."""
        theirs = self.get(value)
        if theirs is None or not isinstance(ours, torch.Tensor):
            return Check("unchecked")
        problem = _misfit(ours, theirs)
        if problem:
            return Check("wrong", problem=problem)
        error = error_stats(ours, theirs)
        noise = _noise(ours, other)
        if noise is None:
            return Check("unchecked", error, problem="rounding flips a decision here")
        return judge(error, noise, ours.dtype)

    # --- in the chain ---------------------------------------------------------------------------

    def _in_chain(self, row: Row, chain: Chain, shaken: Chain, alone: Check) -> dict[Value, Check]:
        """The row fed our own values; after a random one the chain goes on with Paddle's."""
        if chain.failed:
            return {value: Check("unchecked") for value in row.values}
        random = _random(row)
        try:
            made = chain.step(row.path, self._paddles if random else None)
        except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
            chain.failed = row.path
            problem = f"{type(error).__name__}: {_first_line(error)}"
            return {value: Check("wrong", problem=problem) for value in row.values}
        moved: dict[Value, Any] = {}
        if not shaken.failed:
            try:
                moved = shaken.step(row.path, self._paddles if random else _shake(alone))
            except Exception:  # noqa: BLE001 - a decision flipped into what cannot run
                shaken.failed = row.path
        if random or row.is_parameter:
            return {}
        checks = {
            value: self._judge(value, made.get(value), moved.get(value)) for value in row.values
        }
        flips = _decides(row) and any(check.failed for check in checks.values())
        if flips and not alone.failed and not self.flipped:
            self.flipped = row.path
        if not self.flipped or alone.failed:
            return checks
        told = f"a decision in {self.flipped} flipped"
        return {
            value: Check("unchecked", check.error, problem=told) if check.failed else check
            for value, check in checks.items()
        }

    def _paddles(self, value: Value, ours: Any) -> Any:
        theirs = self.get(value)
        return ours if theirs is None else theirs

    # --- results --------------------------------------------------------------------------------

    def _layer(self, row: Row, alone: Check, chain: Check) -> LayerCheck:
        main = row.values[0] if row.values else None
        theirs = self.get(main) if main is not None else None
        shape = tuple(theirs.shape) if theirs is not None else (main.shape if main else ())
        health = health_of(theirs) if theirs is not None else ()
        dtype = main.dtype if main else ""
        return LayerCheck(row.path, row.ops, row.target, shape, dtype, alone, chain, health)

    def _output(self, value: Value, checks: dict[Value, Check]) -> OutputCheck:
        theirs = self.get(value)
        shape = tuple(theirs.shape) if theirs is not None else value.shape
        health = health_of(theirs) if theirs is not None else ()
        check = checks.get(value, Check("unchecked"))
        if check.verdict == "unchecked" and value in self.mapping.program.inputs:
            check = Check("exact")
        return OutputCheck(value.label, shape, value.dtype, check, health)


def judge(error: ErrorStats, noise: float, dtype: torch.dtype) -> Check:
    """Verdict on an error, given what rounding does to our own value.

    `noise` is the largest absolute difference to the float64 run (alone) or to the shaken run (in
    the chain).
    """
    if not (dtype.is_floating_point or dtype.is_complex):
        return Check("exact" if error.exact else "wrong", error)
    epsilon = torch.finfo(dtype).eps
    tolerance = NOISE_FACTOR * noise + EPSILONS * epsilon * error.scale
    if error.exact:
        return Check("exact", error, tolerance, noise)
    if error.max_abs <= tolerance:
        return Check("rounding", error, tolerance, noise)
    verdict = "suspicious" if error.max_abs <= WRONG * tolerance else "wrong"
    return Check(verdict, error, tolerance, noise)


def health_of(reference: torch.Tensor) -> tuple[str, ...]:
    """Why a reference proves little: constant, vanishing, not finite."""
    if reference.numel() == 0:
        return ("empty",)
    if not (reference.is_floating_point() or reference.is_complex()):
        return ()
    plain = torch.view_as_real(reference) if reference.is_complex() else reference
    low, high = (float(bound) for bound in torch.aminmax(plain))
    if math.isnan(low):
        return ("NaN",)
    if math.isinf(low) or math.isinf(high):
        return ("infinite",)
    if low == high and reference.numel() > 1:
        return ("constant",)
    if max(abs(low), abs(high)) < VANISHING:
        return (f"vanishing scale {max(abs(low), abs(high)):.0e}",)
    return ()


def _shake(alone: Check) -> Change | None:
    """Add a random error as large as rounding was measured to be in this layer."""
    size = alone.noise
    if alone.error is not None:
        size = max(size, min(alone.error.max_abs, alone.tolerance))
    if not size:
        return None

    def change(value: Value, result: Any) -> Any:
        if not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        generator = torch.Generator().manual_seed(value.id)
        shift = torch.rand(result.shape, generator=generator) * 2 - 1
        return result + (shift * size).to(result.dtype)

    return change


def _misfit(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"shape {list(ours.shape)}, Paddle has {list(theirs.shape)}"
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype}, Paddle has {theirs.dtype}"
    return ""


def _noise(ours: torch.Tensor, other: Any) -> float | None:
    """Largest difference to the other run; None when that one took another decision."""
    if not isinstance(other, torch.Tensor):
        return 0.0
    if other.shape != ours.shape:
        return None
    if not (ours.is_floating_point() or ours.is_complex()):
        return 0.0
    return largest_difference(ours, other)


def _worst(checks: Iterable[Check]) -> Check:
    order = ("unchecked", "exact", "rounding", "suspicious", "wrong")
    return max(
        checks,
        key=lambda check: (order.index(check.verdict), check.ratio),
        default=Check("unchecked"),
    )


def _random(row: Row) -> bool:
    return any(note.startswith("random") for note in row.notes)


def _decides(row: Row) -> bool:
    return any(name.partition(".")[2].rstrip("_") in DECISIONS for name in row.ops)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
