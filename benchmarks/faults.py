"""Fault injection: plant realistic faults one at a time and see whether verification finds them.

Usage: python -m benchmarks.faults [--most N] [MODEL ...]

Without models: the samples in data/ and nets that Paddle exports here. Faults are planted in the
module (weights, settings, calls of the graph) and in rows of the mapping, at most N of a kind in
each model. A fault has an *effect* when it changes its own layer's output, fed Paddle's inputs, by
more than rounding does. It is *detected* when verification fails, and *blamed* when the first
mismatch is the faulty layer; the cause is *named* when the first finding of the diagnosis says what
was planted, for rows without asking the rules what the row should be.

Only the faulty row is run again, with the code that `verify` uses; every 25th fault is also
verified as a whole, and both must agree.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

import workbench as wb
from benchmarks.fault_kinds import ModuleFault, RowFault, module_faults, row_faults
from benchmarks.models import chosen_models
from workbench.block_rows import blocks_inside
from workbench.builder import build, build_row
from workbench.diagnosis import diagnose, diagnose_all
from workbench.errors import WorkbenchError
from workbench.integrity import check_integrity
from workbench.judging import compare
from workbench.paddle_values import reference_tensor
from workbench.probes import probed
from workbench.probes.check import Probing
from workbench.row_runner import RowRunner, untouched
from workbench.verification import Run, Verification
from workbench.verify import check_references, check_row

_EVERY = 25
_T = TypeVar("_T", ModuleFault, RowFault)


@dataclass
class Figures:
    """What was counted, for module faults ("module") and row faults ("row")."""

    counts: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def add(self, level: str, name: str, value: int = 1) -> None:
        """Count one more."""
        self.counts[f"{level} {name}"] += int(value)


def chosen(faults: Iterable[_T], most: int) -> list[_T]:
    """At most so many of a kind, spread over the model."""
    kinds: dict[str, list[_T]] = {}
    for fault in faults:
        kinds.setdefault(fault.kind, []).append(fault)
    picked = []
    for group in kinds.values():
        places = np.linspace(0, len(group) - 1, min(most, len(group))).astype(int)
        picked += [group[place] for place in dict.fromkeys(places.tolist())]
    return picked


class Study:
    """One model with its verification, against which faults are planted."""

    def __init__(self, migration: wb.Migration, folder: Path, figures: Figures) -> None:
        self.migration, self.name, self.figures = migration, folder.name, figures
        inputs = next(p for p in (folder / "samples.npz", folder / "inputs.npz") if p.exists())
        with np.load(inputs) as file:
            few = [file[name][:2] for name in file.files if not name.startswith("out")]
        self.good = migration.verify([few[: len(migration.program.inputs)]])
        self.mapping, self.module = migration.mapping, migration.convert()
        self.references = migration.references
        alone = {layer.path: layer.alone for layer in self.good.layers}
        self.probing = Probing(self.mapping, self.module, self.references, migration.paddle, alone)
        self.whole = 0

    def module_fault(self, fault: ModuleFault) -> None:
        """Plant, verify, diagnose, mend."""
        before = self._output(fault.path)
        fault.plant()
        try:
            effect = self._effect(fault.path, before)
            found = self._again(fault.path)
            detected, blamed = self._count("module", fault, found, effect)
            if detected and blamed:
                changes = check_integrity(self.mapping, self.module).changes
                told = [text for path, text in changes.items() if _is_in(path, fault.path)]
                self._cause("module", fault, "; ".join(told))
            self._compare_whole(found, self.mapping, self.module, fault)
        finally:
            fault.mend()

    def row_fault(self, fault: RowFault) -> None:
        """Build the faulty row, verify and diagnose it."""
        mapping = self.mapping.with_row(fault.path, fault.row)
        try:
            module = build_row(mapping, fault.row)
        except WorkbenchError:
            self.figures.add("row", "refused")  # the mistake cannot even be built
            return
        effect = self._row_effect(module, fault)
        alone = replace(mapping, rows=(fault.row,))
        runs = []
        for good, reference in zip(self.good.runs, self.references, strict=True):
            check = check_row(alone, fault.path, reference, module)
            layers = [replace(x, alone=check) for x in good.layers if x.path == fault.path]
            runs.append(replace(good, layers=tuple(layers)))
        found = self._merged(tuple(runs))
        detected, _ = self._count("row", fault, found, effect)
        if not detected:
            self._probe(fault, module)
            return
        findings = diagnose(mapping, fault.row, self.references, rules=None)
        told = findings[0].cause if findings else ""
        self._cause("row", fault, told)
        self.figures.add("row", "mended", bool(findings and findings[0].how == "tried"))
        if self._due():
            try:
                self._compare_whole(found, mapping, build(mapping), fault, due=True)
            except WorkbenchError:
                return

    def inner_fault(self, fault: RowFault) -> None:
        """Build the model with a faulty row inside a branch or a loop, verify and diagnose it."""
        mapping = self.mapping.with_row(fault.path, fault.row)
        try:
            module = build(mapping)
        except WorkbenchError:
            self.figures.add("inner", "refused")
            return
        whole = Verification(check_references(mapping, module, self.references))
        process = self.migration.paddle
        found, seen = probed(mapping, module, whole, self.references, process, True)
        first = found.first_mismatch
        blamed = first is not None and _is_in(first.path, fault.path)
        self.figures.kinds.add(f"row {fault.kind}")
        self.figures.add("inner", "planted")
        self.figures.add("inner", "by values", whole.failed)
        self.figures.add("inner", "detected", found.failed)
        self.figures.add("inner", "blamed", blamed)
        if not blamed:
            self.figures.missed.append(f"inside      {self.name}: {fault.kind} in {fault.path}")
            return
        arguments = (self.references, module, None, seen.references)
        told = next((f.cause for f in diagnose_all(mapping, found, *arguments)), "")
        self._cause("inner", fault, told)

    def _probe(self, fault: RowFault, module: torch.fx.GraphModule) -> None:
        """What the inputs hide may show on probing inputs."""
        found = self.probing.check_row(fault.row, module)
        self.figures.add("row", "hidden probed", found.failed)
        if found.failed:
            told = f"hidden      {self.name}: {fault.kind} in {fault.path}"
            self.figures.missed.remove(told)
            self.figures.missed.append(f"{told}: {found.problem}")

    # --- counting -------------------------------------------------------------------------------

    def _count(
        self, level: str, fault: ModuleFault | RowFault, found: Verification, effect: bool
    ) -> tuple[bool, bool]:
        first = found.first_mismatch
        detected, blamed = (
            found.failed,
            first is not None
            and (_is_in(first.path, fault.path) or self._tied(first.path, fault.path)),
        )
        kind = "effect" if effect else "hidden"
        self.figures.kinds.add(f"{level} {fault.kind}")
        self.figures.add(level, kind)
        self.figures.add(level, f"{kind} detected", detected)
        self.figures.add(level, f"{kind} blamed", blamed)
        if not effect and not detected:
            self.figures.missed.append(f"hidden      {self.name}: {fault.kind} in {fault.path}")
        if effect and not blamed:
            self.figures.missed.append(f"not blamed  {self.name}: {fault.kind} in {fault.path}")
        return detected, blamed

    def _tied(self, one: str, other: str) -> bool:
        """True for two layers that hold the same tensor."""
        parts = dict(self.module.named_modules())
        held = [{id(t) for t in parts[path].parameters()} for path in (one, other) if path in parts]
        return len(held) == 2 and not held[0].isdisjoint(held[1])

    def _cause(self, level: str, fault: ModuleFault | RowFault, told: str) -> None:
        named = any(word in told for word in fault.words)
        self.figures.add(level, "diagnosed")
        self.figures.add(level, "named", named)
        if not named:
            self.figures.missed.append(
                f"not named   {self.name}: {fault.kind} in {fault.path}: {told or '–'}"
            )

    def _due(self) -> bool:
        self.whole += 1
        return self.whole % _EVERY == 0

    def _compare_whole(
        self,
        found: Verification,
        mapping: wb.Mapping,
        module: torch.fx.GraphModule,
        fault: ModuleFault | RowFault,
        due: bool = False,
    ) -> None:
        if not (due or self._due()):
            return
        whole = Verification(check_references(mapping, module, self.references))
        first = [v.first_mismatch.path if v.first_mismatch else "" for v in (whole, found)]
        self.figures.add("whole", "compared")
        self.figures.add("whole", "equal", whole.failed == found.failed and first[0] == first[1])
        if first[0] != first[1]:
            self.figures.missed.append(f"whole check differs  {self.name}: {fault.kind} {first}")

    # --- running --------------------------------------------------------------------------------

    def _again(self, path: str) -> Verification:
        """The verification with the row of this path checked again."""
        runs = check_references(self.mapping, self.module, self.references, only={path})
        changes = check_integrity(self.mapping, self.module).changes
        return self._merged(runs, changes)

    def _merged(self, runs: tuple[Run, ...], changes: dict[str, str] | None = None) -> Verification:
        merged = []
        for good, run in zip(self.good.runs, runs, strict=True):
            new = {layer.path: layer for layer in run.layers}
            layers = [new.get(layer.path, layer) for layer in good.layers]
            for path, told in (changes or {}).items():
                layers = [replace(x, changed=told) if x.path == path else x for x in layers]
            merged.append(replace(good, layers=tuple(layers)))
        return Verification(tuple(merged))

    def _output(self, path: str) -> dict[object, torch.Tensor] | None:
        def get(value: wb.Value) -> torch.Tensor | None:
            parameter = self.mapping.program.parameters.get(value.parameter)
            return None if parameter else reference_tensor(self.references[0], value)

        try:
            with untouched(self.module):
                made = RowRunner(self.module).alone(path, get)
        except Exception:  # noqa: BLE001 - it cannot run any more, which is an effect
            return None
        return {v: t for v, t in made.items() if isinstance(t, torch.Tensor)}

    def _effect(self, path: str, before: dict[object, torch.Tensor] | None) -> bool:
        after = self._output(path)
        if before is None or after is None:
            return before is not after
        return any(self._differs(path, t, before[v]) for v, t in after.items() if v in before)

    def _row_effect(self, module: torch.fx.GraphModule, fault: RowFault) -> bool:
        right = build_row(self.mapping, self.mapping[fault.path])
        made = []
        for one in (right, module):
            runner = RowRunner(one)
            try:
                made.append(
                    runner.alone(fault.path, lambda v: reference_tensor(self.references[0], v))
                )
            except Exception:  # noqa: BLE001 - it cannot run, which is an effect
                return True
        return any(
            self._differs(fault.path, made[1][v], tensor)
            for v, tensor in made[0].items()
            if isinstance(tensor, torch.Tensor) and v in made[1]
        )

    def _differs(self, path: str, after: torch.Tensor, before: torch.Tensor) -> bool:
        check = compare(after, before, None)
        allowed = next(x.alone.tolerance for x in self.good.layers if x.path == path)
        return check.problem != "" or (check.error is not None and check.error.max_abs > allowed)


def _is_in(path: str, place: str) -> bool:
    """True for the row itself and, where that is a branch or a loop, rows in it."""
    return path == place or path.startswith(f"{place}.")


def study(folder: Path, most: int, figures: Figures) -> None:
    """Plant the faults in one model."""
    with wb.load(folder) as migration:
        one = Study(migration, folder, figures)
        figures.add("good", "models")
        figures.add("good", "alarms", one.good.failed)
        probes = one.probing.run(True, lambda items, _: items).checks.values()
        figures.add("good", "probes", len(probes))
        figures.add("good", "probe alarms", sum(check.failed for check in probes))
        start = time.perf_counter()
        for fault in chosen(module_faults(one.module), most):
            one.module_fault(fault)
        for row_fault in chosen(row_faults(one.mapping.rows), most):
            one.row_fault(row_fault)
        blocks = blocks_inside(one.mapping.rows)
        inside = [row for _, _, _, block in blocks for row in block.rows]
        for row_fault in chosen(row_faults(inside), most):
            one.inner_fault(row_fault)
        print(f"{folder.name:22s} {time.perf_counter() - start:6.1f} s", flush=True)


def show(figures: Figures) -> None:
    """Print the figures as a table."""
    count = figures.counts

    def share(level: str, name: str, of: str) -> str:
        whole = count[f"{level} {of}"]
        part = count[f"{level} {name}"]
        return f"{part:5d} of {whole:5d}  {part / whole:6.1%}" if whole else "    –"

    print(f"\n{count['good models']} correct models, {len(figures.kinds)} kinds of fault")
    print(f"false alarms                      {count['good alarms']} of {count['good models']}")
    print(f"                  of probed rows  {share('good', 'probe alarms', 'probes')}")
    for level, told in (("module", "planted in the module"), ("row", "planted in the mapping")):
        print(f"\n{told}")
        print(f"  with an effect: detected        {share(level, 'effect detected', 'effect')}")
        print(f"                  right layer     {share(level, 'effect blamed', 'effect')}")
        print(f"  hidden by the inputs: detected  {share(level, 'hidden detected', 'hidden')}")
        if level == "row":
            print(f"                  by probes       {share('row', 'hidden probed', 'hidden')}")
        print(f"  cause named                     {share(level, 'named', 'diagnosed')}")
    print(f"  mended by a tried edit          {share('row', 'mended', 'diagnosed')}")
    print(f"  could not even be built         {count['row refused']:5d}")
    print("\nplanted in rows inside branches and loops")
    print(f"  by the values of the run        {share('inner', 'by values', 'planted')}")
    print(f"  with probes: detected           {share('inner', 'detected', 'planted')}")
    print(f"               right layer        {share('inner', 'blamed', 'planted')}")
    print(f"  cause named                     {share('inner', 'named', 'diagnosed')}")
    print(f"\nwhole verification agrees         {share('whole', 'equal', 'compared')}")
    for line in figures.missed:
        print(f"  {line}")


def main() -> None:
    """Study the models and print the figures."""
    parser = argparse.ArgumentParser(description="Fault injection.")
    parser.add_argument("--most", type=int, default=2, help="faults of a kind in each model")
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    figures = Figures()
    with chosen_models(options.models, "fault_models.py") as folders:
        for folder in folders:
            study(folder, options.most, figures)
    show(figures)


if __name__ == "__main__":
    main()
