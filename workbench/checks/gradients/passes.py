"""Backward passes of ours: alone and in the chain, and those that show what rounding does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import fx

from workbench.checks.gradients.backward import Backward, Change, backward
from workbench.checks.gradients.roots import Roots, without_gradient
from workbench.checks.values.row_runner import RowRunner, wide_copy
from workbench.checks.values.source_values import reference_tensor
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.reference import GradientReference, Reference, value_stem
from workbench.targets.pytorch.weights import as_tensor

#: To find kinks, values are moved by up to this share of their scale, there and back.
MOVE = 1e-4
#: Passes with random signs, which measure how large the terms of a sum are.
SIGNS = 6
#: Passes in the chain with random errors, where a difference is not explained without.
SHAKES = 5


class Passes:
    """Passes on Paddle's forward values; those that few models need are run when asked for.

    `alone` and `chain` are pairs: as converted, and in float64.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        program: Program,
        reference: Reference,
        theirs: GradientReference,
        cotangents: Mapping[Value, torch.Tensor],
        roots: Roots,
    ) -> None:
        self.program = program
        self.reference = reference
        self.theirs = theirs
        self.cotangents = cotangents
        self.roots = roots
        self.runner, self._wide = RowRunner(module), RowRunner(wide_module(module))
        self.alone = self._run(change=self.paddles), self._run(True, change=self.paddles)
        self.chain = self._run(), self._run(True)
        self._moved: list[Backward] = []
        self._signed: list[Backward] = []
        self._shaken: list[Backward] = []

    @property
    def moved(self) -> list[Backward]:
        """Alone, every value moved a little, both ways: either side of a kink."""
        if not self._moved:
            for seed in (1, -1, 2, -2):
                self._moved.append(self._run(change=self.paddles, seed=seed))
        return self._moved

    @property
    def signed(self) -> list[Backward]:
        """Alone, the elements of Paddle's gradients with random signs."""
        if not self._signed:
            self._signed = [self._run(change=self._with_signs(n)) for n in range(SIGNS)]
        return self._signed

    def shaken(self, noise: Mapping[Value, float]) -> list[Backward]:
        """In the chain, every gradient with a random error of the size that was measured alone."""
        if not self._shaken:
            self._shaken = [self._run(change=_shake(noise, n)) for n in range(SHAKES)]
        return self._shaken

    def gradient(self, stem: str) -> torch.Tensor | None:
        """Paddle's gradient; None where there is none."""
        array = self.theirs.array(stem)
        if array is None:
            return None
        return as_tensor(np.asarray(array), self.theirs.dtypes[stem])

    def _run(self, double: bool = False, change: Change | None = None, seed: int = 0) -> Backward:
        runner = self._wide if double else self.runner
        inputs = []
        for value in self.program.inputs:
            tensor = reference_tensor(self.reference, value)
            assert tensor is not None  # inputs are always recorded
            wide = double and tensor.is_floating_point()
            inputs.append(tensor.double() if wide else tensor)
        return backward(
            runner,
            inputs,
            self.cotangents,
            lambda value: _moved(reference_tensor(self.reference, value), seed),
            change,
            self.roots.stops,
            double,
            without_gradient(runner.module, self.roots),
        )

    def paddles(self, value: Value, gradient: torch.Tensor) -> torch.Tensor:
        """Paddle's gradient of a value, zeros where Paddle has none; ours when not asked for."""
        stem = value_stem(value)
        if stem not in self.theirs.asked:
            return gradient
        found = self.gradient(stem)
        return torch.zeros_like(gradient) if found is None else found

    def _with_signs(self, seed: int) -> Change:
        def change(value: Value, gradient: torch.Tensor) -> torch.Tensor:
            generator = torch.Generator().manual_seed(value.id + 1_000_003 * seed)
            signs = torch.randint(0, 2, gradient.shape, generator=generator) * 2 - 1
            return self.paddles(value, gradient) * signs

        return change


def _shake(noise: Mapping[Value, float], seed: int) -> Change:
    def change(value: Value, gradient: torch.Tensor) -> torch.Tensor:
        size = noise.get(value, 0.0)
        if not size:
            return gradient
        generator = torch.Generator().manual_seed(value.id + 1_000_003 * seed)
        shift = torch.rand(gradient.shape, generator=generator) * 2 - 1
        return gradient + (shift * size).to(gradient.dtype)

    return change


def _moved(tensor: torch.Tensor | None, seed: int) -> torch.Tensor | None:
    """A value moved a little; the sign of the seed says which way."""
    if tensor is None or not seed or not tensor.is_floating_point() or not tensor.numel():
        return tensor
    generator = torch.Generator().manual_seed(abs(seed))
    shift = (torch.rand(tensor.shape, generator=generator) * 2 - 1) * float(tensor.abs().max())
    moved: torch.Tensor = tensor + (math.copysign(MOVE, seed) * shift).to(tensor.dtype)
    return moved


def sum_noise(found: torch.Tensor, signed: list[torch.Tensor], terms: float) -> float:
    """What adding up `terms` terms one after another may do to a gradient.

    Paddle's kernels add so where torch adds in pairs and loses almost nothing. The sum of squared
    terms is the mean square of the same sum with random signs.
    """
    if terms < 2 or not signed or not found.is_floating_point() or not found.numel():
        return 0.0
    squares = torch.stack([one.double() ** 2 for one in signed]).mean(0)
    noise = float(accumulated(found.double(), squares, terms, found.dtype).max())
    return noise if math.isfinite(noise) else 0.0


def accumulated(
    sums: torch.Tensor, squares: torch.Tensor, terms: float, dtype: torch.dtype
) -> torch.Tensor:
    """The rounding of sums whose K terms are added one after another in `dtype`.

    Every partial sum is rounded. With the final sum Y and the sum of squared terms Q, partial sums
    have the mean square Y²/3 + Q/2, so that their roundings add up to about
    eps · √(K / 12) · √(Y²/3 + Q/2).
    """
    size = torch.sqrt(sums.square() / 3 + squares.abs() / 2)
    return size * (torch.finfo(dtype).eps * math.sqrt(terms / 12))


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


Pick = Callable[[Backward], "torch.Tensor | None"]
