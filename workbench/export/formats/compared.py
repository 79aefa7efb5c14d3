"""A deploy format against the module that it was made of, on every trial."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from workbench.core.mapping import Mapping, walk_rows
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.export.formats.equal_scores import in_order_of
from workbench.export.formats.sizes import Inputs, Sizes, copies, shapes

Run = Callable[..., Any]

#: Largest difference relative to an output's scale: formats may fold layers.
TOLERANCE = 1e-4
#: The same for outputs of half precision.
_NARROW = 2e-2
#: A difference up to here may be rounding, if weights moved by so much make one as large.
_MOST, _ROUNDING = 1e-2, 1e-6
#: Share of integers that may differ, where rounding decides between two.
_FLIPPED = 1e-3
#: Numbers so many times as large as most say nothing on an output's scale: those of masks.
_FAR = 1e4


class DiffersError(Exception):
    """A format gives something else than the module; the message says where and how much."""


def compare(
    run: Run, module: nn.Module, sizes: Sizes, drawn: frozenset[Value], ordering: bool = False
) -> str:
    """Run both on every trial; returns what was compared, raises `DiffersError` otherwise.

    Values `drawn` depend on random numbers: of these only shapes and dtypes count. With
    `ordering`, rows of equal scores may stand in another order.
    """
    worst, random = 0.0, _outputs_of(module, drawn)
    for inputs in sizes.trials:
        expected = _listed(_called(module, inputs))
        again = _listed(_called(module, inputs)) if random else expected
        found = _listed(_called(run, inputs))
        found = in_order_of(found, expected, TOLERANCE) if ordering else found
        if len(found) != len(expected):
            raise DiffersError(f"there are {len(found)} outputs instead of {len(expected)}")
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            where = f"output {number} for inputs {shapes(inputs)}"
            if number in random:
                _check_kind(one, other, where, again[number])
            else:
                worst = max(worst, _apart(one, other, where, module, inputs, number))
    return _told(sizes, worst, random)


def _told(sizes: Sizes, worst: float, random: frozenset[int]) -> str:
    count = len(sizes.trials)
    dynamic = any(sizes.dynamic) and not sizes.varied
    told = f"compared on {count} input{'s' * (count > 1)}{' of one size only' if dynamic else ''}"
    told += f", largest difference {worst:.1e} of the output's scale"
    return told + "; random outputs, so only their shapes and dtypes" if random else told


def _apart(
    found: Tensor, expected: Tensor, where: str, module: nn.Module, inputs: Inputs, number: int
) -> float:
    """The difference of an output, which may be as large as what rounding makes of it."""
    error = difference(found, expected, where)
    narrow = expected.dtype in (torch.float16, torch.bfloat16)
    limit = _NARROW if narrow else TOLERANCE
    if limit < error <= _MOST:
        moved = _listed(_called(_shaken(module), inputs))[number]
        limit = max(limit, 4 * difference(moved, expected, where))
    if error > limit:
        raise DiffersError(f"{where} differs by {error:.1e} of its scale")
    return error


def _shaken(module: nn.Module) -> nn.Module:
    """A copy whose weights are moved by what folding layers and another order of sums make."""
    copied = copy.deepcopy(module)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*copied.parameters(), *copied.buffers()):
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=random, dtype=torch.float64)
                tensor.mul_((1 + _ROUNDING * noise).to(tensor.device))
    return copied


def difference(found: Tensor, expected: Tensor, where: str) -> float:
    """The largest difference in parts of the scale; raises `DiffersError` where no size tells."""
    _check_kind(found, expected, where)
    if not expected.numel():
        return 0.0
    if not (expected.is_floating_point() or expected.is_complex()):
        share = (found != expected).double().mean().item()
        if share > _FLIPPED:
            raise DiffersError(f"{where}: {share:.0%} of the elements differ")
        return 0.0
    if expected.is_complex():
        found, expected = torch.view_as_real(found), torch.view_as_real(expected)
    one, other = found.double(), expected.double()
    finite = other.isfinite()
    if not torch.equal(one[~finite].nan_to_num(), other[~finite].nan_to_num()) or not torch.equal(
        one.isfinite(), finite
    ):
        raise DiffersError(f"{where}: NaN or infinity stands in other places")
    return _relative(one[finite], other[finite])


def _relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference of an element, in parts of itself or of the scale of most."""
    sizes = expected.abs()
    usual = sizes[sizes > 0]
    if not usual.numel():
        return float(found.abs().max()) if found.numel() else 0.0
    scale = usual[usual <= _FAR * usual.median()].max()
    return float(((found - expected).abs() / torch.maximum(sizes, scale)).max())


def _check_kind(found: Tensor, expected: Tensor, where: str, again: Tensor | None = None) -> None:
    """Raise where dtype or shape differs; of sizes that are random themselves any will do."""
    if found.dtype != expected.dtype:
        raise DiffersError(f"{where} is {found.dtype}, should be {expected.dtype}")
    other = expected.shape if again is None else again.shape
    pairs = zip(found.shape, expected.shape, other, strict=False)
    if found.dim() != expected.dim() or any(a != b and b == c for a, b, c in pairs):
        wanted = list(expected.shape)
        raise DiffersError(f"{where} has shape {list(found.shape)}, should have {wanted}")


def _called(run: Run, inputs: tuple[Tensor, ...]) -> Any:
    with torch.no_grad():
        return run(*copies(inputs))


def _listed(results: Any) -> list[Tensor]:
    return list(results) if isinstance(results, (tuple, list)) else [results]


# --- random outputs -----------------------------------------------------------------------------


def random_values(mapping: Mapping) -> frozenset[Value]:
    """The values that depend on random numbers."""
    reached: set[Value] = set()
    for row in mapping.rows:
        inner = [part for block in row.blocks for part in walk_rows(block.rows)]
        if any(part.is_random for part in (row, *inner)) or reached.intersection(row.reads):
            reached.update(row.values)
    return frozenset(reached)


def _outputs_of(module: nn.Module, values: frozenset[Value]) -> frozenset[int]:
    """Numbers of the outputs that are among the values."""
    if not values or not isinstance(module, fx.GraphModule):
        return frozenset()
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    given = output.args[0] if isinstance(output.args[0], tuple) else output.args
    return frozenset(
        number for number, node in enumerate(given)
        if isinstance(node, fx.Node) and node.meta.get("value") in values
    )  # fmt: skip


def orders(mapping: Mapping) -> bool:
    """True when the model sorts what it finds by scores."""
    return any(row.has(Trait.ORDERS) for row in mapping.walk())
