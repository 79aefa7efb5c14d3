"""Does a fault show? Faulty and correct modules on the same numbers, in float32 and in float64.

A fault is *plain* when an output, or a faulty row alone on the correct row's inputs, differs by
much more than float32 rounding; *fine* when a faulty row differs in float64 only, else *hidden*.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

#: Relative differences of an element from which a fault is plain in float32, plain and fine in
#: float64. Elements below a hundredth of the root mean square count as that large.
PLAIN_32, PLAIN_64, FINE_64 = 1e-3, 1e-5, 1e-9
#: Numbers from here on are masks, which say nothing of the scale.
_MASK = 1e6
_WIDE = {torch.float32: torch.float64}


@dataclass(frozen=True)
class Shown:
    """How a fault shows ("plain", "fine", "hidden"), where, and by how much."""

    level: str
    how: str
    size: float


class Widened(TorchFunctionMode):
    """float64 wherever the code says float32."""

    def __torch_function__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        named = {name: _wide(value) for name, value in (kwargs or {}).items()}
        return function(*(_wide(arg) for arg in args), **named)


def _wide(item: Any) -> Any:
    return _WIDE.get(item, item) if isinstance(item, torch.dtype) else item


@contextmanager
def widened(on: bool) -> Iterator[None]:
    """All that is computed inside is float64 in place of float32, if `on`."""
    if not on:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Widened():
            yield
    finally:
        torch.set_default_dtype(before)


class _Recorder(fx.Interpreter):
    """Keeps every value of the program."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[Any, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        """The node's result; kept where it is a value of the program."""
        found = super().run_node(node)
        if "value" in node.meta:
            self.values[node.meta["value"]] = found
        return found


class _Alone(fx.Interpreter):
    """Runs the faulty rows only, each on the correct values, and keeps the largest difference."""

    def __init__(
        self, module: fx.GraphModule, right: dict[Any, Any], paths: Collection[str]
    ) -> None:
        super().__init__(module)
        self.right, self.paths, self.worst = right, paths, 0.0

    def run_node(self, node: fx.Node) -> Any:
        """The correct value; a faulty row is run and compared first."""
        value = node.meta.get("value")
        known = value is not None and value in self.right
        row = str(node.meta.get("row", ""))
        faulty = any(path == row or path.startswith(f"{row}.") for path in self.paths if row)
        if known and not faulty:
            return self.right[value]
        found = super().run_node(node)
        if known:
            self.worst = max(self.worst, difference(found, self.right[value]))
        return self.right[value] if known else found


def difference(found: Any, right: Any) -> float:
    """Largest relative difference of elements; infinite for another shape, dtype or NaN."""
    if not isinstance(found, torch.Tensor) or not isinstance(right, torch.Tensor):
        both = isinstance(found, (list, tuple)) and isinstance(right, (list, tuple))
        if not both:
            return 0.0
        pairs = zip(found, right, strict=False)
        return (
            math.inf
            if len(found) != len(right)
            else max((difference(*p) for p in pairs), default=0.0)
        )
    if found.shape != right.shape or found.dtype != right.dtype:
        return math.inf
    if not right.numel():
        return 0.0
    if not right.is_floating_point():
        return 0.0 if torch.equal(found, right) else math.inf
    a, b = found.detach().double(), right.detach().double()
    same = (a == b) | (a.isnan() & b.isnan())
    if bool((a.isnan() != b.isnan()).any()) or bool((~same & (a.isinf() | b.isinf())).any()):
        return math.inf
    usual = b[(b.abs() < _MASK) & ~b.isnan()]
    floor = 0.01 * float(usual.square().mean().sqrt()) if usual.numel() else 0.0
    size = torch.maximum(a.abs(), b.abs()).clamp(min=floor)
    return float(torch.where(same, 0.0, (a - b).abs() / size).max())


class Looker:
    """The correct module of a program with its values on several inputs."""

    def __init__(self, module: fx.GraphModule, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.feeds = feeds
        self.outputs = [_run(module, feed) for feed in feeds]
        self.values = {False: [_values(module, feed) for feed in feeds]}
        try:
            with widened(True):
                wide = wide_module(module)
                self.values[True] = [_values(wide, _double(feed)) for feed in feeds]
        except Exception:  # noqa: BLE001 - not every program runs in float64
            self.values[True] = []

    def look(self, module: nn.Module, paths: Collection[str]) -> Shown:
        """How a faulty module shows on these inputs; its rows too if it is one that we built."""
        try:
            outputs = [_run(module, feed) for feed in self.feeds]
        except TimeoutError:
            raise
        except Exception as error:  # noqa: BLE001 - that shows
            return Shown("plain", f"cannot run: {type(error).__name__}", math.inf)
        size = max(difference(*pair) for pair in zip(outputs, self.outputs, strict=True))
        if size > PLAIN_32:
            return Shown("plain", "output", size)
        for wide in (True, False):
            if not self.values[wide] or not isinstance(module, fx.GraphModule):
                continue
            try:
                size = self._rows(module, paths, wide)
            except TimeoutError:
                raise
            except Exception:  # noqa: BLE001 - the faulty row does not run in float64
                continue
            if size > (PLAIN_64 if wide else PLAIN_32):
                return Shown("plain", "row in float64" if wide else "row", size)
            if wide:
                return Shown("fine" if size > FINE_64 else "hidden", "row in float64", size)
        return Shown("hidden", "", size)

    def _rows(self, module: fx.GraphModule, paths: Collection[str], wide: bool) -> float:
        worst = 0.0
        with widened(wide):
            used = wide_module(module) if wide else module
            for feed, right in zip(self.feeds, self.values[wide], strict=True):
                runner = _Alone(used, right, paths)
                with torch.no_grad():
                    torch.manual_seed(0)
                    runner.run(*_tensors(_double(feed) if wide else feed))
                worst = max(worst, runner.worst)
        return worst


def wide_module(module: fx.GraphModule) -> fx.GraphModule:
    """A copy whose float32 parameters and buffers are float64."""
    import copy

    made = copy.deepcopy(module)
    for part in made.modules():
        for store in (part._parameters, part._buffers):
            for name, tensor in store.items():
                if tensor is not None and tensor.dtype == torch.float32:
                    wide: Any = tensor.detach().double()
                    store[name] = nn.Parameter(wide, False) if store is part._parameters else wide
        if isinstance(part, nn.RNNBase):
            part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
    return made


def _run(module: nn.Module, feed: Sequence[np.ndarray]) -> Any:
    with torch.no_grad():
        torch.manual_seed(0)
        found = module(*_tensors(feed))
    return found if isinstance(found, tuple) else (found,)


def _values(module: fx.GraphModule, feed: Sequence[np.ndarray]) -> dict[Any, Any]:
    recorder = _Recorder(module)
    with torch.no_grad():
        torch.manual_seed(0)
        recorder.run(*_tensors(feed))
    return recorder.values


def _tensors(feed: Sequence[np.ndarray]) -> list[torch.Tensor]:
    return [torch.from_numpy(array.copy()) for array in feed]


def _double(feed: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [a.astype(np.float64) if a.dtype == np.float32 else a for a in feed]
