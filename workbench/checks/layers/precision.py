"""What TF32, bfloat16 or float16 make of a model, layer by layer, and how far that may go.

Tensor cores round the operands of convolutions, linear layers and matrix products and add up in
float32; under autocast the result is rounded too. That is computed here as it stands, so no GPU is
needed. A layer's tolerance comes from moving its operands at random by up to one rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from workbench.checks.results.checks import Check, LayerCheck, OutputCheck, Run
from workbench.checks.results.statistics import largest_difference
from workbench.checks.results.verification import Verification
from workbench.checks.rounding.judging import amplified, compare, first_line, worst
from workbench.checks.values.row_runner import Mover, NotRecordedError, RowRunner, untouched
from workbench.checks.values.source_values import PaddleValues
from workbench.core.errors import InputError
from workbench.core.mapping import Mapping, Row
from workbench.core.traits import Trait
from workbench.core.values import ARRAY, Value
from workbench.sources.reference import Reference

_UNCHECKED = Check("unchecked")
#: Bits of float32's significand that TF32 drops.
_DROPPED = 13

_MODULES = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.Linear, nn.Bilinear, nn.RNNBase, nn.RNNCellBase,
)  # fmt: skip
_WEIGHTED = {
    nn.functional.linear, torch.conv1d, torch.conv2d, torch.conv3d,
    torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}  # fmt: skip
_ATTENTION = nn.functional.scaled_dot_product_attention
_PRODUCTS = {torch.matmul, torch.bmm, torch.mm, torch.einsum, _ATTENTION}

Transform = Callable[[torch.Tensor], torch.Tensor]
Made = dict[Value, Any]


@dataclass(frozen=True, slots=True)
class Precision:
    """A number format of tensor cores.

    `unit` is the largest relative rounding error, `dtype` that of the results of autocast; TF32
    leaves them in float32.
    """

    name: str
    unit: float
    dtype: torch.dtype | None

    def round(self, tensor: torch.Tensor) -> torch.Tensor:
        """Round float32 to the nearest number of the format, ties to even; others stay."""
        if tensor.dtype != torch.float32:
            return tensor
        if self.dtype is not None:
            return tensor.to(self.dtype).float()
        bits = tensor.contiguous().view(torch.int32)
        odd = (bits >> _DROPPED) & 1
        kept = (bits + odd + ((1 << (_DROPPED - 1)) - 1)) & -(1 << _DROPPED)
        return torch.where(torch.isfinite(tensor), kept.view(torch.float32), tensor)


#: TF32 has 10 bits behind the point, bfloat16 7, float16 10.
PRECISIONS = {
    "tf32": Precision("tf32", 2.0**-11, None),
    "bfloat16": Precision("bfloat16", 2.0**-8, torch.bfloat16),
    "float16": Precision("float16", 2.0**-11, torch.float16),
}


def verify_reduced(
    mapping: Mapping,
    module: fx.GraphModule,
    references: Sequence[Reference],
    checked: Sequence[Run],
    precision: str,
) -> Verification:
    """Every layer in a reduced precision beside Paddle's float32 values, alone and in the chain.

    `checked` are the runs in full precision on the same references: what the format does not touch
    is judged as there. The outputs are those of the chain. Raises `InputError` for an unknown
    precision.
    """
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise InputError(f"There is no precision {precision!r}.", f"Choose one of {known}.")
    start = time.perf_counter()
    kind = PRECISIONS[precision]
    runner = RowRunner(module)
    with untouched(module):
        runs = tuple(
            _Reduced(mapping, runner, reference, run, kind).check()
            for reference, run in zip(references, checked, strict=True)
        )
    told = (
        f"Products in {precision}, computed on the CPU as tensor cores do: operands rounded to a "
        f"relative error of {kind.unit:.1g}, sums in float32"
        + (", results rounded." if kind.dtype else ".")
    )
    return Verification(runs, time.perf_counter() - start, (told,))


class _Reduced:
    """One set of inputs."""

    def __init__(
        self,
        mapping: Mapping,
        runner: RowRunner,
        reference: Reference,
        checked: Run,
        precision: Precision,
    ) -> None:
        self.checked = {layer.path: layer.alone for layer in checked.layers}
        self.mapping, self.runner, self.reference = mapping, runner, reference
        self.precision = precision
        self.paddles = PaddleValues(mapping.program, reference)
        self.reduced = products_with(precision.round, precision.round if precision.dtype else None)
        generator = torch.Generator().manual_seed(0)

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.dtype != torch.float32:
                return tensor
            shift = torch.rand(tensor.shape, generator=generator) * 2 - 1
            return tensor * (1 + shift * precision.unit)

        self.moved = products_with(moved, moved if precision.dtype else None)

    def check(self) -> Run:
        """Every row alone and in the chain; the outputs are those of the chain."""
        inputs = [self.paddles.get(value) for value in self.mapping.program.inputs]
        tensors = [tensor for tensor in inputs if tensor is not None]
        chain, full, moved = (self.runner.chain(tensors) for _ in range(3))
        layers: list[LayerCheck] = []
        ends: dict[int, Check] = {}
        excuse = ""
        for row in self.mapping.rows:
            if row.path not in self.runner.rows:
                continue
            alone, checks = self._alone(row), [_UNCHECKED]
            if not chain.failed:
                try:
                    made = chain.step(row.path, mover=self.reduced)
                    noise = full.step(row.path), moved.step(row.path, mover=self.moved)
                    checks = self._checks(row, made, *noise)
                except Exception as error:  # noqa: BLE001 - e.g. a decision flipped
                    chain.failed = row.path
                    checks = [Check("unchecked", problem=first_line(error))]
            if not excuse and not alone.failed and worst(checks).failed and row.has(Trait.DECIDES):
                excuse = f"a decision in {row.path} flipped"
            if excuse:
                checks = [
                    Check("unchecked", c.error, problem=excuse) if c.failed else c for c in checks
                ]
            ends |= {v.id: c for v, c in zip(row.values, checks, strict=False)}
            if not row.is_parameter:
                layers.append(self._layer(row, alone, worst(checks)))
        outputs = tuple(
            OutputCheck(v.label, v.shape, v.dtype, self._end(v, ends.get(v.id, _UNCHECKED)))
            for v in self.mapping.program.outputs
        )
        described = self.reference.described(self.mapping.program)
        return Run(described, tuple(layers), outputs)

    def _alone(self, row: Row) -> Check:
        recorded = any(self.paddles.is_recorded(value) for value in row.values)
        if not row.is_comparable or not recorded or any(v.dtype == ARRAY for v in row.reads):
            return _UNCHECKED
        try:
            made, full, moved = (
                self.runner.alone(row.path, self.paddles.get, mover=mover)
                for mover in (self.reduced, None, self.moved)
            )
        except NotRecordedError:
            return _UNCHECKED
        except Exception as error:  # noqa: BLE001 - a layer that cannot run is a finding
            return Check("wrong", problem=first_line(error))
        if all(_same(made.get(value), full.get(value)) for value in row.values):
            return self.checked.get(row.path, _UNCHECKED)
        return worst(self._checks(row, made, full, moved))

    def _checks(self, row: Row, made: Made, full: Made, moved: Made) -> list[Check]:
        """Ours beside Paddle's; rounding may go as far as the moved run is from the full one."""
        checks = []
        for value in row.values:
            ours = made.get(value)
            one, other = full.get(value), moved.get(value)
            least = 0.0
            if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
                least = largest_difference(one, other) if one.shape == other.shape else 0.0
            theirs = self.paddles.beside(value, ours)
            check = compare(ours, theirs, None, least, self.paddles.size(value))
            checks.append(self._out_of_range(check) if check.failed else check)
        return checks

    def _out_of_range(self, check: Check) -> Check:
        """With the reason where the format cannot hold the numbers of a layer."""
        if self.precision.dtype is None or check.error is None:
            return check
        limits = torch.finfo(self.precision.dtype)
        small, large = check.error.scale < limits.tiny, check.error.scale > limits.max
        if not small and not large and math.isfinite(check.error.max_abs):
            return check
        told = f"its numbers are too {'small' if small else 'large'} for {self.precision.name}"
        return replace(check, problem=told)

    def _end(self, value: Value, check: Check) -> Check:
        theirs = self.paddles.get(value)
        return check if theirs is None else amplified(check, theirs.dtype)

    def _layer(self, row: Row, alone: Check, chain: Check) -> LayerCheck:
        main = row.values[0]
        return LayerCheck(row.path, row.ops, row.target, main.shape, main.dtype, alone, chain)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, torch.Tensor) and torch.equal(one, other)


def products_with(operand: Transform, result: Transform | None) -> Mover:
    """Computes convolutions, linear layers and matrix products again, from changed operands.

    `operand` changes both factors (not the bias), `result` what comes out.
    """

    def mover(
        node: Any, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any], module: Any
    ) -> Any:
        again = _again(node, args, kwargs, module, operand)
        if again is None:
            return made
        return result(again) if result is not None and isinstance(again, torch.Tensor) else again

    return mover


def _again(
    node: Any, args: tuple[Any, ...], kwargs: dict[str, Any], module: Any, operand: Transform
) -> Any:
    if isinstance(module, _MODULES):
        state = {
            name: operand(tensor) if "bias" not in name else tensor
            for name, tensor in module.named_parameters()
        }
        return torch.func.functional_call(module, state, _each(args, operand), kwargs)
    target = node.target if node.op == "call_function" else None
    if target in _WEIGHTED:
        return target(*_each(args[:2], operand), *args[2:], **kwargs)
    if target in _PRODUCTS:
        count = 3 if target is _ATTENTION else len(args)
        return target(*_each(args[:count], operand), *args[count:], **kwargs)
    return None


def _each(arguments: Any, operand: Transform) -> Any:
    """The arguments with every tensor changed."""
    if isinstance(arguments, torch.Tensor):
        return operand(arguments)
    if isinstance(arguments, (tuple, list)):
        return type(arguments)(_each(item, operand) for item in arguments)
    return arguments
