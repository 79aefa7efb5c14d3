"""Compare rows with their own Paddle operators on probing inputs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx

from workbench.checks.layers.run import Progress, check_real
from workbench.checks.probes.cropping import cropped
from workbench.checks.probes.identity import identity
from workbench.checks.probes.inputs import probing_inputs
from workbench.checks.probes.inside import Recorder
from workbench.checks.probes.record import Prober, Recorded
from workbench.checks.results.checks import Check
from workbench.checks.rounding.judging import first_line, worst
from workbench.checks.twin.twin import is_wide
from workbench.checks.twin.wide_model import WideValues, wide_model
from workbench.checks.values.block_rows import blocks_inside
from workbench.checks.values.row_runner import Lookup, RowRunner
from workbench.checks.values.source_values import PaddleValues
from workbench.core.integers import Count, Dim, IntOp, Item
from workbench.core.mapping import Mapping as RowMapping
from workbench.core.mapping import Row
from workbench.core.program import Program
from workbench.core.traits import Trait
from workbench.core.values import ARRAY, LIST, Value
from workbench.sources.interface import Runtime
from workbench.sources.reference import Reference
from workbench.sources.registry import source_of

#: A row is probed when its operands have at most so many bytes; rows are probed until all sets
#: together have so many.
ROW_BYTES, ALL_BYTES = 48 * 2**20, 512 * 2**20
_UNCHECKED = Check("unchecked")


@dataclass(frozen=True, slots=True)
class Probed:
    """What probing found: the checks by path of row.

    `references` hold Paddle's values on the inputs at which a row failed. `unprobed` counts the
    rows that were to be probed and could not, by reason. `probers` keep the references' files.
    """

    checks: Mapping[str, Check] = field(default_factory=dict)
    references: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    unprobed: Mapping[str, int] = field(default_factory=dict)
    probers: tuple[Prober, ...] = ()


NOTHING = Probed()


def probe_rows(
    mapping: RowMapping,
    module: fx.GraphModule,
    references: Sequence[Reference],
    runtime: Runtime,
    checks: Mapping[str, Check],
    weak: Collection[str] = (),
    everything: bool = True,
    progress: Progress = lambda items, _: items,
) -> Probed:
    """Probe the rows inside blocks, which runs compare on few values, those that keep boxes by
    thresholds, and the `weak` ones, which no run proved; with `everything`, every row.

    `references` are Paddle's values of a verification; where several are, those of the smallest
    inputs are taken. `checks` are those of the layers alone: one at fault is not probed, one that
    could not be compared is, on the values of the run too.
    """
    inside = any(r.blocks or _keeps(r) or _changes_rows(r) for r in mapping.rows)
    if not references or not (everything or weak or inside):
        return NOTHING
    given = runtime, checks, weak, everything, progress
    wide = wide_model(mapping, references)
    if wide is None or wide.runner is None:
        return _probed(mapping, module, references, *given)
    values = [one.wide for one in references if one.wide is not None]
    narrow = {name for one in references if one.twin for name in one.twin.narrow}

    def proven_wide(row: Row) -> bool:
        names = {op.short_name for op in row.parts}
        return row.path not in wide.loose and not narrow & names

    found = _probed(wide.mapping, wide.runner.module, values, *given, proven_wide)
    if all(map(proven_wide, mapping.walk())):
        return found
    rest = _probed(mapping, module, references, *given, lambda row: not proven_wide(row))
    unprobed = Counter(found.unprobed) + Counter(rest.unprobed)
    return Probed(
        {**found.checks, **rest.checks}, {**found.references, **rest.references}, unprobed,
        (*found.probers, *rest.probers),
    )  # fmt: skip


def _probed(
    mapping: RowMapping,
    module: fx.GraphModule,
    references: Sequence[Reference],
    runtime: Runtime,
    checks: Mapping[str, Check],
    weak: Collection[str],
    everything: bool,
    progress: Progress,
    wanted: Callable[[Row], bool] = lambda row: True,
) -> Probed:
    probing = Probing(mapping, module, references, runtime, checks, weak)
    return probing.run(everything, progress, wanted)


@dataclass(frozen=True, slots=True)
class _Job:
    """One row, the graph that it is in, and the values that it had.

    `unseen` says that it was not compared on these.
    """

    row: Row
    runner: RowRunner
    base: Lookup
    unseen: bool


class Probing:
    """Probes the rows of one mapping and of its module."""

    def __init__(
        self,
        mapping: RowMapping,
        module: fx.GraphModule,
        references: Sequence[Reference],
        runtime: Runtime,
        checks: Mapping[str, Check],
        weak: Collection[str] = (),
    ) -> None:
        self.mapping, self.module, self.alone, self.weak = mapping, module, checks, weak
        self.lenient = not is_wide(mapping.program)
        smallest = min(references, key=lambda r: sum(a.size for a in r.inputs))
        kind = PaddleValues if self.lenient else WideValues
        self.paddles = kind(mapping.program, smallest)
        self.runner = RowRunner(module)
        self.prober = Prober(source_of(mapping.program).slicer(mapping), runtime)
        self.makers = {value: row.path for row in mapping.rows for value in row.values}
        self.left = ALL_BYTES
        self.checks: dict[str, Check] = {}
        self.references: dict[str, tuple[Reference, ...]] = {}
        self.unprobed: dict[str, int] = {}
        self._known: dict[str, tuple[Check, tuple[Reference, ...]]] = {}

    def run(
        self,
        everything: bool,
        progress: Progress,
        wanted: Callable[[Row], bool] = lambda row: True,
    ) -> Probed:
        """Probe the rows that are wanted: those in blocks, the weak ones, those that keep boxes,
        tables whose rows are changed; with `everything`, every row.
        """
        jobs = [*self._inner(), *self._outer(everything)]
        for job in progress([job for job in jobs if wanted(job.row)], "probing"):
            if self._alone(job.row).failed or job.row.path not in job.runner.rows:
                continue
            try:
                self._probe(job)
            except Exception as error:  # noqa: BLE001 - probing must not cost the verification
                self._leave(f"probing failed, {first_line(error)}")
        return Probed(self.checks, self.references, self.unprobed, (self.prober,))

    def check_row(self, row: Row, module: fx.GraphModule) -> Check:
        """Probe one row outside blocks as this module has it; it need not be the mapping's."""
        self._probe(_Job(row, RowRunner(module), self._recorded, False))
        return self.checks.get(row.path, _UNCHECKED)

    # --- which rows -------------------------------------------------------------------------------

    def _outer(self, everything: bool) -> Iterator[_Job]:
        for row in self.mapping.rows:
            wanted = everything or row.path in self.weak or _keeps(row) or _changes_rows(row)
            if wanted and self._may_show(row):
                yield _Job(row, self.runner, self._recorded, self._is_unseen(row))

    def _may_show(self, row: Row) -> bool:
        """True when a probe may show more than the values of the run."""
        unproven = self._is_unseen(row) or row.path in self.weak
        return _probable(row) and (unproven or not row.is_only(Trait.LINEAR))

    def _is_unseen(self, row: Row) -> bool:
        return self._alone(row).verdict == "unchecked"

    def _alone(self, row: Row) -> Check:
        return self.alone.get(row.path, _UNCHECKED)

    def _inner(self) -> Iterator[_Job]:
        parts = dict(self.module.named_modules())
        for row in self.mapping.rows:
            if not row.blocks or row.path not in self.runner.rows:
                continue
            recorder = Recorder()
            recorder.record(self.runner, row, self._recorded)

            def base(value: Value, recorder: Recorder = recorder) -> Any:
                return self._inside(recorder, value)

            for _, owner, _, block in blocks_inside((row,)):
                name = f"{owner.path}.{block.name}"
                part = parts.get(name)
                if not isinstance(part, fx.GraphModule):
                    continue
                runner = RowRunner(part)
                for inner in filter(self._may_show, block.rows):
                    yield _Job(inner, runner, base, self._is_unseen(inner))

    # --- values -----------------------------------------------------------------------------------

    def _recorded(self, value: Value) -> Any:
        """What Paddle computed, or what the file stores; else what our row makes of Paddle's."""
        found = self.paddles.get(value)
        if found is not None or value not in self.makers:
            return found
        try:
            return self.runner.alone(self.makers[value], self._recorded).get(value)
        except Exception:  # noqa: BLE001 - what it is cannot be known then
            return None

    def _inside(self, recorder: Recorder, value: Value) -> Any:
        if value in recorder.values:
            return recorder.values[value]
        known = self.mapping.program.known.get(value.id)
        if known is None or value in self.makers:
            return self._recorded(value)
        try:
            items = [_integer(item, lambda v: self._inside(recorder, v)) for item in known.items]
        except (TypeError, AttributeError):
            return None
        made = torch.tensor(items).reshape(known.array.shape)
        return made.to(torch.int32 if value.dtype == "int32" else torch.int64)

    # --- one row ----------------------------------------------------------------------------------

    def _probe(self, job: _Job) -> None:
        row = job.row
        part = self.prober.slicer.cut(row, lambda v: isinstance(job.base(v), torch.Tensor))
        if part is None:
            return self._leave("the operators cannot be run apart from the rest")
        values = {*part.feeds, *(v for v in row.reads if v.dtype not in (LIST, ARRAY, "none"))}
        found = {value: job.base(value) for value in sorted(values, key=lambda v: v.id)}
        tensors = cropped(part, {v: t for v, t in found.items() if isinstance(t, torch.Tensor)})
        key = identity(row, part, tensors, job.unseen)
        if key not in self._known:
            size = sum(t.numel() * t.element_size() for t in tensors.values())
            if size > min(ROW_BYTES, self.left):
                return self._leave("the values are too large")
            probes = probing_inputs(part, tensors, job.unseen)
            if not all(job.base(value) is not None for value in _entries(job)):
                return self._leave("what is read is not known")
            self.left -= size * len(probes)
            recorded = self.prober.record(part, probes) if probes else []
            if probes and not recorded:
                return self._leave("Paddle refuses to run the operators alone")
            self._known[key] = self._judged(job, recorded)
        check, references = self._known[key]
        self.checks[row.path] = check
        if references:
            self.references[row.path] = references
        return None

    def _leave(self, reason: str) -> None:
        self.unprobed[reason] = self.unprobed.get(reason, 0) + 1

    def _judged(
        self, job: _Job, recorded: Sequence[Recorded]
    ) -> tuple[Check, tuple[Reference, ...]]:
        checks: list[Check] = []
        kept: list[Recorded] = []
        for one in recorded:
            check = self._check(job, one)
            if check.failed and not one.probe.recorded:
                check = self._in_domain(job, one, check)
            if check.failed and (self._excused(check, one) or not self.prober.repeats(one)):
                check = _UNCHECKED
            if check.failed:
                kept.append(one)
                check = replace(check, problem=_told(check, one))
            checks.append(check)
        self.prober.drop([one for one in recorded if one not in kept])
        return worst(checks), tuple(one.reference for one in kept)

    def _check(self, job: _Job, one: Recorded) -> Check:
        return check_real(job.row, job.runner, self._values(job, one))

    def _values(self, job: _Job, one: Recorded) -> PaddleValues:
        return _ProbeValues(self.mapping.program, one.reference, job.base)

    def _in_domain(self, job: _Job, one: Recorded, check: Check) -> Check:
        """The check without places where the frameworks have no finite number and do not agree.

        Outside the domain of an operator (`erfinv(2)`, `log(0)`) nothing says what Paddle gives.
        """
        if check.error is None or math.isfinite(check.error.max_abs):
            return check
        return check_real(job.row, job.runner, _Finite(self._values(job, one), job.row.values))

    def _excused(self, check: Check, one: Recorded) -> bool:
        """True where a difference on numbers that no run has shown accuses nobody: torch refuses
        them, or the kernels round differently in the program's own dtypes.
        """
        if one.probe.recorded:
            return False
        if check.error is None:
            return check.cause == "raised"
        return self.lenient and check.verdict == "suspicious"


class _ProbeValues(PaddleValues):
    """Paddle's values on probing inputs; what Paddle was not fed is as it was in the run."""

    def __init__(self, program: Program, reference: Reference, base: Lookup) -> None:
        super().__init__(program, reference)
        self._base = base

    def get(self, value: Value) -> torch.Tensor | None:
        found = super().get(value)
        return self._base(value) if found is None else found


class _Finite(PaddleValues):
    """Values of which those of a row that are not finite count as not recorded."""

    def __init__(self, values: PaddleValues, made: Collection[Value]) -> None:
        self._values, self._made = values, set(made)

    def get(self, value: Value) -> torch.Tensor | None:
        return self._values.get(value)

    def is_recorded(self, value: Value) -> bool:
        return self._values.is_recorded(value)

    def beside(self, value: Value, ours: Any) -> torch.Tensor | None:
        """Paddle's value, with ours where Paddle has no finite number."""
        theirs = self._values.beside(value, ours)
        if theirs is None or not isinstance(ours, torch.Tensor) or value not in self._made:
            return theirs
        if ours.shape != theirs.shape or not theirs.is_floating_point():
            return theirs
        return torch.where(torch.isfinite(theirs), theirs, ours.to(theirs.dtype))


def _entries(job: _Job) -> Iterator[Value]:
    """The values with which the graph of a row begins."""
    runner = job.runner
    left, seen = list(runner.rows[job.row.path]), set[fx.Node]()
    while left:
        node = left.pop()
        value = runner.value(node)
        if node.op == "placeholder" and value is not None:
            yield value
        elif value is None or value in job.row.values or job.base(value) is None:
            left += [source for source in node.all_input_nodes if source not in seen]
            seen.update(node.all_input_nodes)


def _keeps(row: Row) -> bool:
    """True for a row that keeps boxes by their scores: thresholds that a run may not meet."""
    return row.op is not None and Trait.SCORED_BY_CLASS in row.op.traits


def _probable(row: Row) -> bool:
    if row.op is None or row.blocks or row.call is None or not row.is_comparable:
        return False
    values = (*row.reads, *row.values)
    return bool(row.values) and not any(value.dtype in (LIST, ARRAY, "none") for value in values)


def _changes_rows(row: Row) -> bool:
    """True for a table of which some rows are not those of the file: a run may look up others."""
    if row.op is None or Trait.EMBEDDING not in row.op.traits:
        return False
    padded = row.op.attributes.get("padding_idx", -1) != -1
    return padded or any(weight.steps for weight in row.weights.values())


def _told(check: Check, one: Recorded) -> str:
    return f"on probing inputs ({one.probe.told}): {check.told}"


def _integer(item: Any, get: Callable[[Value], Any]) -> Any:
    """A symbolic integer as a number."""
    if isinstance(item, Dim):
        return get(item.value).shape[item.axis]
    if isinstance(item, Count):
        return get(item.value)
    if isinstance(item, Item):
        return int(get(item.value).reshape(-1)[item.index])
    if isinstance(item, IntOp):
        return item.function(_integer(item.left, get), _integer(item.right, get))
    return item
