"""What adding term after term, as many of Paddle's kernels do, makes of a layer's result.

Torch adds in pairs or in a wider type and loses almost nothing, so that its own noise tells nothing
about them. Nearly equal terms are rounded to the same side each time: the error then grows with
their number, not with its root. So it is measured: the terms of Paddle's own inputs are added in
their dtype and compared with float64. Looked at only where nothing else explains a difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.mapping import Row

#: Sums in which the kernels of normalisations add at the same time.
LANES = 8


@dataclass(frozen=True, slots=True)
class Case:
    """A row, the float arrays that it reads, and shape and scale of what it makes."""

    row: Row
    reads: tuple[np.ndarray, ...]
    shape: tuple[int, ...]
    scale: float

    def setting(self, name: str, default: Any) -> Any:
        """An attribute of the operator."""
        op = self.row.op
        return default if op is None else op.attributes.get(name, default)

    @property
    def along(self) -> np.ndarray:
        """The first array with the axis of the operator last; one axis where it flattens."""
        array = self.reads[0]
        axis = self.setting("axis", self.setting("dim", None))
        axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        if self.setting("flatten", False) or self.setting("asvector", False):
            return array.reshape(1, -1)
        numbers = [part for part in (axis, *self._numbers()) if isinstance(part, int)]
        place = numbers[0] if numbers and -array.ndim <= numbers[0] < array.ndim else -1
        return np.moveaxis(array, place, -1)

    def _numbers(self) -> list[Any]:
        return list(self.row.call.args) if self.row.call is not None else []


def measured(row: Row, reads: Sequence[Any], made: Any, scale: float) -> float | None:
    """The noise of one value of a row; None for operators that are not known here.

    `reads` are Paddle's values, `made` ours, of which only the shape counts, so that a fault does
    not excuse itself; `scale` is that of Paddle's value.
    """
    name = row.op.short_name.rstrip("_") if row.op is not None and len(row.ops) == 1 else ""
    if "avgpool" in row.target.lower().replace("_", ""):
        name = "mean"
    wanted = (torch.float32, torch.float64)
    arrays = tuple(
        read.detach().numpy()
        for read in reads
        if isinstance(read, torch.Tensor) and read.dtype in wanted
    )
    if name not in _KNOWN or not arrays or not arrays[0].size or not isinstance(made, torch.Tensor):
        return None
    if not made.numel() or made.dtype not in wanted:
        return None
    with np.errstate(all="ignore"):
        noise = float(_KNOWN[name](Case(row, arrays, tuple(made.shape), scale)))
    return noise if math.isfinite(noise) else 0.0


# --- sums -----------------------------------------------------------------------------------------


def _sum(case: Case) -> float:
    terms = _summed(case.reads[0], case.shape, case.row.arguments.get("dim"))
    return 0.0 if terms is None else _largest(_added(terms) - _exact(terms))


def _mean(case: Case) -> float:
    terms = _summed(case.reads[0], case.shape, case.row.arguments.get("dim"))
    return 0.0 if terms is None else _largest(_added(terms) - _exact(terms)) / terms.shape[-1]


def _dot(case: Case) -> float:
    terms = np.multiply(*case.reads[:2]) if len(case.reads) > 1 else case.reads[0]
    return _largest(_added(terms) - _exact(terms))


def _summed(array: np.ndarray, shape: tuple[int, ...], dim: Any) -> np.ndarray | None:
    """The terms of each sum along the last axis; None where the axes cannot be told."""
    if array.ndim == len(shape):
        pairs = enumerate(zip(array.shape, shape, strict=True))
        axes = [axis for axis, (old, new) in pairs if new == 1 != old]
    elif not shape:
        axes = list(range(array.ndim))
    else:
        axes = list(dim) if isinstance(dim, (tuple, list)) else [dim]
    if not axes or not all(isinstance(axis, int) for axis in axes):
        return None
    axes = [axis % array.ndim for axis in axes]
    kept = [axis for axis in range(array.ndim) if axis not in axes]
    terms = array.transpose(*kept, *axes).reshape(*(array.shape[axis] for axis in kept), -1)
    return terms if terms.size == math.prod(shape) * terms.shape[-1] else None


# --- running sums and products --------------------------------------------------------------------


def _cumsum(case: Case) -> float:
    terms = case.along
    return _largest(np.add.accumulate(terms, -1) - np.cumsum(terms, -1, dtype=np.float64))


def _cumprod(case: Case) -> float:
    terms = case.along
    return _largest(np.multiply.accumulate(terms, -1) - np.cumprod(terms, -1, dtype=np.float64))


def _logcumsumexp(case: Case) -> float:
    terms = case.along
    return _largest(
        np.logaddexp.accumulate(terms, -1) - np.logaddexp.accumulate(terms.astype(np.float64), -1)
    )


# --- norms and exponentials: a relative error of one sum ------------------------------------------


def _p_norm(case: Case) -> float:
    order = float(case.setting("porder", 2.0))
    if not 0 < abs(order) < math.inf:
        return 0.0
    return case.scale * _relative(np.abs(case.along) ** order) / abs(order)


def _softmax(case: Case) -> float:
    return case.scale * _relative(_exponentials(case.along))


def _logarithm(case: Case) -> float:
    return _relative(_exponentials(case.along))


def _exponentials(array: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.exp(array - array.max(-1, keepdims=True))
    return found


# --- normalisations: errors of mean and variance --------------------------------------------------


def _normalised(case: Case) -> float:
    """The error of the mean counts in standard deviations, that of the variance half."""
    array, terms = case.reads[0], _group(case)
    if terms < 2 or array.size % terms:
        return 0.0
    groups = np.ascontiguousarray(array).reshape(-1, terms)
    mean = groups.mean(-1, keepdims=True, dtype=np.float64)
    variance = groups.var(-1, keepdims=True, dtype=np.float64)
    epsilon = float(case.setting("epsilon", 1e-5))
    found = _lanes(groups) / terms
    if case.setting("groups", None):  # Paddle's group norm: mean of squares less squared mean
        spread = _lanes(groups**2) / terms - found**2
    else:
        spread = _lanes((groups - mean.astype(groups.dtype)) ** 2) / terms
    apart, wider = found - mean, spread - variance
    relative = (
        np.abs(apart) / np.sqrt(variance + epsilon) + np.abs(wider) / (variance + epsilon) / 2
    )
    return case.scale * _largest(relative)


def _group(case: Case) -> int:
    """How many elements one mean is taken of."""
    shape = case.reads[0].shape
    name = case.row.op.short_name if case.row.op is not None else ""
    if name == "layer_norm":
        return math.prod(shape[int(case.setting("begin_norm_axis", 1)) :])
    if name == "group_norm":
        return math.prod(shape[1:]) // max(int(case.setting("groups", 1)), 1)
    return math.prod(shape[2:])


# --- adding ---------------------------------------------------------------------------------------


def _added(terms: np.ndarray) -> np.ndarray:
    """Sums along the last axis, one term after another in the dtype of the terms."""
    found: np.ndarray = np.add.accumulate(terms, -1)[..., -1]
    return found


def _lanes(groups: np.ndarray) -> np.ndarray:
    """Sums of rows, added in several lanes."""
    whole = groups.shape[-1] // LANES * LANES
    rest: np.ndarray = groups[:, whole:].sum(-1, keepdims=True)
    if not whole:
        return rest
    parts = np.add.accumulate(groups[:, :whole].reshape(len(groups), -1, LANES), 1)[:, -1]
    found: np.ndarray = parts.sum(-1, keepdims=True) + rest
    return found


def _exact(terms: np.ndarray) -> np.ndarray:
    found: np.ndarray = terms.sum(-1, dtype=np.float64)
    return found


def _relative(terms: np.ndarray) -> float:
    """Largest relative error of sums of positive terms."""
    exact = _exact(terms)
    return _largest((_added(terms) - exact) / np.where(exact == 0, 1.0, exact))


def _largest(errors: np.ndarray) -> float:
    return float(np.abs(errors).max()) if errors.size else 0.0


_KNOWN: dict[str, Callable[[Case], float]] = {
    "mean": _mean, "mean_all": _mean, "sum": _sum, "reduce_as": _sum, "dot": _dot,
    "cumsum": _cumsum, "cumprod": _cumprod, "logcumsumexp": _logcumsumexp, "p_norm": _p_norm,
    "softmax": _softmax, "log_softmax": _logarithm, "logsumexp": _logarithm,
    "instance_norm": _normalised, "layer_norm": _normalised, "group_norm": _normalised,
}  # fmt: skip
