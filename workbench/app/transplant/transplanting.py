"""`wb.transplant`: fill a module of the user's from a model of another framework, and prove it."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.app.migration import load
from workbench.app.transplant.checking import TRAINING, compared, differing
from workbench.app.transplant.filling import Filler, Filling
from workbench.app.transplant.fits import Fit, Piece
from workbench.app.transplant.sides import Side, side_of
from workbench.app.transplant.table import Pairing, Table
from workbench.app.transplant.units import target_units
from workbench.checks.results.verification import Verification
from workbench.checks.values.row_runner import wide_copy
from workbench.core.calls import Weight
from workbench.core.errors import InputError, MappingError
from workbench.editing.weight_steps import with_steps
from workbench.targets.pytorch.weights import WeightStore

TargetCall = Callable[..., Any]
_AGREES = ("exact", "rounding")


def transplant(
    source: Any,
    target: nn.Module,
    inputs: Any = None,
    target_inputs: Any = None,
    target_call: TargetCall | None = None,
) -> Transplant:
    """Pair the weights of a model with the tensors of a module that the user has.

    `source` is a `Migration`, whatever `wb.load` takes, or a file of weights alone (`.pdparams`,
    Paddle's tensors in `.safetensors`), of which nothing can be proven. `inputs` are the source's,
    as for `m.verify`; `target_inputs` what the target gets (a tensor or a list of them, positional,
    or a dict of keywords), by default the same arrays. `target_call(module, *tensors)` calls a
    module that wants to be called otherwise. Both sides run on them in float64. Raises `InputError`
    when the inputs do not fit and `ConversionError` when an operator of the source has no rule.
    """
    side = side_of(source, inputs, load)
    return Transplant(side, target, target_inputs, target_call)


class Transplant:
    """A target with the tensors that fill it.

    `mapping` says which; `load()` fills the target, `verify()` proves it.
    """

    def __init__(
        self,
        source: Side,
        target: nn.Module,
        target_inputs: Any = None,
        target_call: TargetCall | None = None,
    ) -> None:
        self.source, self.target = source, target
        self.tensors = source.tensors
        self.target_inputs, self.target_call = target_inputs, target_call
        self.verification: Verification | None = None
        self.targets = target_units(target)
        self._wide = wide_copy(target).eval()
        self._filling = self._fill()
        self._table = self._made_table(self._filling)

    # --- pairing --------------------------------------------------------------------------------

    def _fill(self) -> Filling:
        units = {
            path: replace_tensors(self._wide, path, unit) for path, unit in self.targets.items()
        }
        filler = Filler(self._wide, units, list(self.source.units.values()))
        if not self.source.outputs:
            return filler.fill_by_name()
        with _plain_attention():
            return filler.fill(self._call)

    def _call(self, module: nn.Module) -> Any:
        """Run the target on its inputs, in float64 where they are floats."""
        args, kwargs = self._given(module)
        wide = [_wide(arg) for arg in args]
        if self.target_call is not None:
            return self.target_call(module, *wide, **{k: _wide(v) for k, v in kwargs.items()})
        return module(*wide, **{name: _wide(value) for name, value in kwargs.items()})

    def _given(self, module: nn.Module) -> tuple[list[Any], dict[str, Any]]:
        given = self.target_inputs
        if isinstance(given, Mapping):
            return [], {name: _tensor(value) for name, value in given.items()}
        if given is not None:
            many = given if isinstance(given, (tuple, list)) else [given]
            return [_tensor(value) for value in many], {}
        names = self.source.input_names
        known = inspect.signature(module.forward).parameters
        if names and all(name in known for name in names):
            return [], dict(zip(names, self.tensors, strict=True))
        return list(self.tensors), {}

    def _made_table(self, filling: Filling) -> Table:
        pieces: dict[str, tuple[Piece, str]] = {}
        origins: dict[str, str] = {}
        for path, fit in filling.fits.items():
            for unit in fit.sources:
                origins |= {f"{unit.path}.{key}": name for key, name in unit.origin.items()}
            for piece in fit.pieces:
                key = f"{path}.{piece.key}" if path else piece.key
                pieces[key] = piece, filling.evidence.get(path, "")
        rows = []
        used: set[str] = set()
        for key, tensor in self.target.state_dict().items():
            shape = tuple(tensor.shape)
            if key.endswith("num_batches_tracked"):
                continue
            if key not in pieces:
                tied = self._tied(key, pieces)
                rows.append(tied or Pairing(key, shape))
                continue
            piece, why = pieces[key]
            names = tuple(origins.get(f"{path}.{part}", path) for path, part in piece.sources)
            used.update(names)
            stored = tuple(name.split(" ")[0] for name in names)
            steps = (*(name.partition(" ")[2] for name in names if " " in name), *piece.steps)
            told = tuple(step for step in steps if step not in ("", "copied"))
            status = "paired" if names else "made"
            rows.append(Pairing(key, shape, stored, told, status, why))
        every = {
            origin.split(" ")[0]
            for unit in self.source.units.values()
            for origin in unit.origin.values()
        }
        left = every - {name for row in rows for name in row.source}
        return Table(tuple(rows), tuple(sorted(left)))

    def _tied(self, key: str, pieces: Mapping[str, Any]) -> Pairing | None:
        """A key whose tensor is that of another key, which is filled."""
        state: dict[str, Any] = self.target.state_dict(keep_vars=True)
        for other in pieces:
            if state[other].data_ptr() == state[key].data_ptr() and state[key].numel():
                return Pairing(key, tuple(state[key].shape), (), (f"tied to {other}",), "paired")
        return None

    # --- edits ----------------------------------------------------------------------------------

    @property
    def mapping(self) -> Table:
        """Which stored tensor fills which key; set an edited one to take its edits."""
        return self._table

    @mapping.setter
    def mapping(self, table: Table) -> None:
        before = self._table.edits
        for key, edit in table.edits.items():
            if edit != before.get(key):
                self._take(table[key])
        self._table, self.verification = table, None

    def _take(self, row: Pairing) -> None:
        """Fill one key as an edit says; raises `MappingError` when it does not fit."""
        stored = self.source.stored
        unknown = [name for name in row.source if name not in stored]
        if unknown:
            raise MappingError(f"The source stores no tensor {unknown[0]!r}.")
        store = WeightStore(stored)
        try:
            plain = [Weight(n, stored[n].shape, stored[n].dtype) for n in row.source]
            weights = [with_steps(weight, row.steps) for weight in plain]
        except ValueError as error:
            raise MappingError(f"{row.key}: {error}") from error
        tensor = torch.cat([store.get(weight, buffer=True).double() for weight in weights])
        if tuple(tensor.shape) != row.shape:
            raise MappingError(
                f"{row.key} is {list(row.shape)}, but {' + '.join(row.source)} gives "
                f"{list(tensor.shape)}.",
                "Add steps, such as 'transposed' or 'reshaped to 8 8 1 1'.",
            )
        with torch.no_grad():
            self._wide.state_dict(keep_vars=True)[row.key].copy_(tensor)
        self._point(row)

    def _point(self, row: Pairing) -> None:
        """Compare the layer of an edited key with the source's layer that holds its tensor."""
        path = max((p for p in self.targets if row.key.startswith(f"{p}.") or not p), key=len)
        units = tuple(
            unit
            for unit in self.source.units.values()
            if any(one.split(" ")[0] in row.source for one in unit.origin.values())
        )
        fit = self._filling.fits.get(path)
        pieces = fit.pieces if fit is not None else ()
        self._filling.fits[path] = Fit(self.targets[path], units[: len(row.source)], pieces)

    # --- results --------------------------------------------------------------------------------

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """Layers of the target that several layers of the source could fill, and no run settled."""
        found = self.verification or self._compared()
        proven = {layer.path for layer in found.layers if layer.chain.verdict in _AGREES}
        settled = found.passed
        many = (one.path for one in self._filling.decisions if one.options > 1)
        return tuple(path for path in many if not settled and path not in proven)

    def load(self) -> nn.Module:
        """Fill the target in its own dtypes and return it; what nothing fills stays as it is."""
        state = self.target.state_dict(keep_vars=True)
        wide = self._wide.state_dict(keep_vars=True)
        filled = {row.key for row in self.mapping.rows if row.status != "missing"}
        with torch.no_grad():
            for key in filled:
                state[key].copy_(wide[key].to(state[key].dtype))
        return self.target

    def verify(self) -> Verification:
        """Prove it: the source's conversion against its framework, then the target against that.

        Every layer of the target is compared on the numbers that its source read and in its own
        run, in float64, and the outputs end to end. What nothing fills is *not proven*.
        """
        before = self.source.proven()
        found = self._compared()
        notes = [*self._notes()]
        if before is None:
            notes.insert(0, "Nothing ran: a file of weights shows no numbers to compare.")
        elif not before.passed:
            notes.insert(0, f"The source itself is not proven: {before.summary}")
        runs = found.runs if before is None or before.passed else (*found.runs, *before.runs)
        self.verification = replace(found, runs=runs, notes=tuple(notes))
        return self.verification

    def _compared(self) -> Verification:
        described = tuple(
            f"{name} {list(tensor.shape)}"
            for name, tensor in zip(self.source.input_names, self.tensors, strict=True)
        )
        with _plain_attention():
            given = self._wide, self._call, self.targets, self._filling, self.source.outputs
            return compared(*given, described)

    def _notes(self) -> list[str]:
        notes = []
        if self.mapping.missing:
            notes.append(f"Nothing fills {', '.join(self.mapping.missing)}.")
        if self.mapping.unused:
            notes.append(f"Stored and not used: {', '.join(self.mapping.unused)}.")
        for path, fit in self._filling.fits.items():
            told = [
                line for one in fit.sources for line in differing(self.targets[path], one, TRAINING)
            ]
            if told:
                notes.append(f"In training {path} differs: {'; '.join(told)}.")
        return notes

    @property
    def passed(self) -> bool:
        """True when everything in the target is filled and proven."""
        found = self.verification or self.verify()
        return found.passed and not self.mapping.missing

    def export(self, folder: str | Path) -> Path:
        """Write the filled tensors as `model.safetensors`, in the target's own keys.

        A module with `save_pretrained` writes itself. Returns the folder.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        filled = self.load()
        if hasattr(filled, "save_pretrained"):
            filled.save_pretrained(folder)  # type: ignore[operator]
            return folder
        from safetensors.torch import save_model

        save_model(filled, str(folder / "model.safetensors"))
        self.mapping.frame().to_csv(folder / "mapping.csv", index=False)
        return folder

    def report(self, path: str | Path) -> Path:
        """Write the pairing and its proof as one HTML page that opens offline."""
        from workbench.app.transplant.page import page

        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = self.verification or self.verify()
        names = self.source.name, type(self.target).__name__
        path.write_text(page(names, self.passed, self.mapping, found), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        told = f"; {self.verification.summary}" if self.verification else ""
        names = f"{self.source.name} → {type(self.target).__name__}"
        return f"Transplant({names}: {self.mapping!r}{told})"


def replace_tensors(wide: nn.Module, path: str, unit: Any) -> Any:
    """The unit with the float64 tensors of the copy that runs."""
    own = wide.get_submodule(path).state_dict(keep_vars=True)
    made = copy.copy(unit)
    made.tensors = {key: own[key] for key in unit.tensors}
    return made


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, (str, os.PathLike)):
        raise InputError("target_inputs are tensors or arrays, not files.")
    return value


def _wide(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.double()
    return value


@contextmanager
def _plain_attention() -> Iterator[None]:
    """The fused encoder of torch skips the layers inside, which are to be seen."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
