"""Code of one's own as a target, and whole scopes replaced by it, up to the exported source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name
from torch import nn

import workbench as wb
from workbench.app.migration import Migration
from workbench.core.errors import ConversionError, MappingError
from workbench.targets.pytorch import custom
from workbench.targets.pytorch.codegen.source import generate

SIX = 6.0
TABLE = torch.ones(3)


def gate(x: torch.Tensor) -> torch.Tensor:
    return F.relu6(x + 3) / SIX


class OwnSwish(nn.Module):
    """x times its gate."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One tensor in, one out."""
        return x * gate(x)


class SwishFunction(torch.autograd.Function):
    """The same with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, divisor: float = 6.0) -> torch.Tensor:
        """Input times its gate."""
        ctx.save_for_backward(x)
        return x * F.relu6(x + 3) / divisor

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        """The gradient for x."""
        (x,) = ctx.saved_tensors
        return grad * ((x > -3) * (x < 3) * (2 * x + 3) / 6 + (x >= 3)), None


class Squeeze(nn.Module):
    """Squeeze and excitation, as one module."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.register_buffer("table", torch.arange(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Input times a factor for each channel."""
        scale = self.expand(self.conv(x.mean((2, 3), keepdim=True)).relu())
        return x * (scale * 0.2 + 0.5).clamp(0, 1)


EXPAND = {"expand.weight": "conv_1.weight", "expand.bias": "conv_1.bias"}
SCOPE = "sequential.inverted_residual_3.squeeze_excitation"


@pytest.fixture
def migration(data: Path) -> Iterator[Migration]:
    known = dict(custom._codes)
    with wb.load(data / "digits_classifier") as found:
        yield found
    custom._codes.clear()
    custom._codes.update(known)


def swishes(migration: Migration) -> list[str]:
    """Rows that are a hardswish."""
    return [row.path for row in migration.mapping.walk() if row.target == "nn.Hardswish"]


def same_as_converted(migration: Migration, expected: nn.Module, tmp_path: Path) -> str:
    """The built module equals the one before; its source equals it bit for bit."""
    x = torch.randn(2, 3, 32, 32)
    module = migration.convert()
    source = generate(migration.mapping, "test")
    made = ModuleType("generated")
    made.__file__ = str(tmp_path / "model.py")
    exec(compile(source, "model.py", "exec"), made.__dict__)
    again = made.Model().eval()
    again.load_state_dict(module.state_dict(), assign=True, strict=True)
    with torch.no_grad():
        assert torch.allclose(module(x), expected(x), atol=1e-4)
        assert torch.equal(module(x), again(x))
    return source


def test_a_class_and_a_function_become_targets_and_travel_with_the_source(
    migration: Migration, tmp_path: Path
) -> None:
    before = migration.convert()
    one, two, *_ = swishes(migration)
    assert migration.custom(OwnSwish) is OwnSwish
    migration.custom(SwishFunction)
    migration.mapping = migration.mapping.edit(one, target="custom.OwnSwish")
    migration.mapping = migration.mapping.edit(
        two, target="custom.SwishFunction", arguments={"divisor": 6.0}, note="ours"
    )
    row = migration.mapping[one]
    assert row.status == "custom"
    assert "test_custom.py:" in row.rule
    assert row.doc == "x times its gate."
    source = same_as_converted(migration, before, tmp_path)
    assert "SIX = 6.0" in source
    assert "def gate(x: torch.Tensor)" in source
    assert "SwishFunction.apply(" in source
    migration.mapping = migration.mapping.edit(one, reset=True)
    assert migration.mapping[one].status == "converted"


def test_a_scope_becomes_one_module_with_the_old_weights(
    migration: Migration, tmp_path: Path
) -> None:
    before = migration.convert()
    rows = len(migration.mapping)
    migration.replace(SCOPE, Squeeze, {"channels": 72, "squeezed": 18}, EXPAND)
    assert len(migration.mapping) == rows - 5
    row = migration.mapping[SCOPE]
    assert (row.status, row.target, row.notes) == ("custom", "custom.Squeeze", ("replaces 6 rows",))
    assert set(row.weights) == {"conv.weight", "conv.bias", "expand.weight", "expand.bias"}
    source = same_as_converted(migration, before, tmp_path)
    assert "self.squeeze_excitation = Squeeze(72, 18)" in source
    state = migration.convert().state_dict()
    assert torch.equal(state[f"{SCOPE}.table"], torch.arange(3.0))


def test_a_replaced_scope_keeps_edits_made_elsewhere_and_can_be_edited(
    migration: Migration,
) -> None:
    path = swishes(migration)[0]
    migration.mapping = migration.mapping.edit(path, note="mine")
    migration.replace(SCOPE, Squeeze, {"channels": 72, "squeezed": 18}, EXPAND)
    assert migration.mapping[path].edited == {"note": "mine"}
    migration.mapping = migration.mapping.edit(SCOPE, note="also mine")
    assert migration.mapping[SCOPE].notes[-1] == "also mine"
    migration.rule("pd_op.nothing")(lambda op: None)
    assert migration.mapping[SCOPE].edited == {"note": "also mine"}


@pytest.mark.parametrize(
    ("scope", "weights", "told"),
    [
        ("nowhere", {}, "no scope is called 'nowhere'"),
        (SCOPE, {}, "the scope has no 'expand.weight'"),
        (SCOPE, {**EXPAND, "fc": "conv.weight"}, "has no weight 'fc'"),
        (SCOPE, {**EXPAND, "expand.bias": "conv.bias"}, "conv2d_.* gives \\(18,\\)"),
        (f"{SCOPE}*", EXPAND, ""),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    migration: Migration, scope: str, weights: dict[str, str], told: str
) -> None:
    before = migration.mapping
    arguments = {"channels": 72, "squeezed": 18}
    if not told:
        migration.replace(scope, Squeeze, arguments, weights)
        assert migration.mapping[SCOPE].target == "custom.Squeeze"
        return
    with pytest.raises(MappingError, match=told):
        migration.replace(scope, Squeeze, arguments, weights)
    assert migration.mapping is before


def test_rows_that_cannot_run_as_one_are_refused(migration: Migration) -> None:
    """Two scopes side by side, of which the second needs the first, are no scope of their own."""
    from workbench.editing.replacing import _check_order

    rows = [row for row in migration.mapping.rows if not row.is_parameter]
    with pytest.raises(MappingError, match="cannot run as one"):
        _check_order(migration.mapping, "both", [rows[0], rows[2]], set(rows[0].values))


def test_own_parameters_must_come_from_the_model(migration: Migration) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.randn(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    migration.custom(Scaled)
    with pytest.raises(MappingError, match="needs a weight for 'scale'"):
        migration.mapping.edit(swishes(migration)[0], target="custom.Scaled")


def test_what_a_constructor_raises_is_shown(migration: Migration) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            raise KeyError("nothing here")

    migration.custom(Broken)
    with pytest.raises(MappingError, match="Broken cannot be made: KeyError: 'nothing here'"):
        migration.mapping.edit(swishes(migration)[0], target="custom.Broken")


def test_defining_a_class_again_replaces_it(migration: Migration) -> None:
    def version(factor: float) -> type[nn.Module]:
        class Twice(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * factor

        return Twice

    path = swishes(migration)[0]
    migration.custom(version(1.0))
    migration.mapping = migration.mapping.edit(path, target="custom.Twice")
    x = torch.randn(1, 3, 32, 32)
    one = migration.convert()(x)
    migration.custom(version(2.0))
    assert not torch.equal(migration.convert()(x), one)


@pytest.mark.parametrize("name", ["load", "Model", "nn", "x", "swiglu"])
def test_names_that_the_source_uses_are_refused(name: str) -> None:
    with pytest.raises(MappingError, match="cannot be a target"):
        custom.register(type(name, (nn.Module,), {}))


@pytest.mark.parametrize("thing", [3, nn.ReLU(), int, len])
def test_only_code_can_be_registered(thing: Any) -> None:
    with pytest.raises(MappingError, match="neither a module class"):
        custom.register(thing)


def test_an_unknown_name_says_which_cell_to_run(migration: Migration) -> None:
    with pytest.raises(MappingError) as told:
        migration.mapping.edit(swishes(migration)[0], target="custom.NotYet")
    assert "@m.custom" in told.value.hint


def test_a_tensor_of_the_notebook_cannot_be_carried_into_the_source(migration: Migration) -> None:
    class WithTable(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + TABLE.sum()

    migration.custom(WithTable)
    migration.mapping = migration.mapping.edit(swishes(migration)[0], target="custom.WithTable")
    with pytest.raises(ConversionError, match="uses 'TABLE', a Tensor that cannot be written"):
        generate(migration.mapping, "test")


def test_a_bundle_with_own_code_stands_alone(migration: Migration, tmp_path: Path) -> None:
    """Every format, and a Python that knows neither this file nor the workbench."""
    one, two, *_ = swishes(migration)
    migration.custom(OwnSwish)
    migration.custom(SwishFunction)
    migration.mapping = migration.mapping.edit(one, target="custom.OwnSwish")
    migration.mapping = migration.mapping.edit(two, target="custom.SwishFunction")
    migration.replace(SCOPE, Squeeze, {"channels": 72, "squeezed": 18}, EXPAND)
    bundle = migration.export(tmp_path / "out", formats=["pt2", "torchscript"])
    assert bundle.verified
    done = subprocess.run(
        [sys.executable, "-I", "test_parity.py"], cwd=bundle.folder, capture_output=True, text=True
    )
    assert "parity holds" in done.stdout, done.stderr
