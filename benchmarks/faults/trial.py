"""One program, its correct conversion, and faults planted in fresh conversions of it."""

from __future__ import annotations

import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import workbench as wb
from benchmarks.faults import helpers
from benchmarks.faults.bundle_kinds import bundle_faults
from benchmarks.faults.function_kinds import function_faults, slip_faults
from benchmarks.faults.other_kinds import (
    changed_module_faults,
    control_faults,
    mapping_faults,
    output_faults,
)
from benchmarks.faults.planting import Fault
from benchmarks.faults.rule_kinds import rule_faults
from benchmarks.faults.visible import Looker, Shown
from workbench.checks.results.verification import Verification
from workbench.conversion.apply import make_mapping
from workbench.conversion.book import RuleBook
from workbench.conversion.context import Context
from workbench.core.errors import ConversionError, WorkbenchError
from workbench.core.mapping import Mapping, Row
from workbench.sources.paddle.rules import DEFAULT
from workbench.sources.paddle.runtime import PaddleRuntime

#: Some slips make endless loops.
SECONDS = 120


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises `TimeoutError` in what takes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Record:
    """What became of one fault, or of a correct program (`place` is "healthy")."""

    program: str
    family: str
    place: str
    kind: str
    target: str
    level: str = ""
    how: str = ""
    size: float = 0.0
    found: str = ""  # "default", "thorough" or nothing
    right: bool = False
    accused: list[str] = field(default_factory=list)
    named: bool | None = None
    told: str = ""
    seconds: float = 0.0
    paths: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """As `Fault.id`, with the program."""
        return f"{self.program}: {self.place}: {self.kind} @ {self.target}"


class Trial:
    """One program of the collection; verifies it once for the values that are right."""

    def __init__(self, folder: Path) -> None:
        helpers.register()
        self.folder, self.name = folder, folder.name
        family = folder / "family.txt"
        self.family = family.read_text().strip() if family.exists() else "sample"
        self.process = PaddleRuntime()
        migration = self.migration()
        self.mapping: Mapping = migration.mapping
        self.module = migration.convert()
        self._looker: Looker | None = None

    def migration(self) -> wb.Migration:
        """A fresh one, on the same Paddle process."""
        made = wb.load(self.folder)
        made._runtime = self.process
        return made

    def close(self) -> None:
        """End Paddle's process."""
        self.process.close()

    @property
    def looker(self) -> Looker:
        """The right values on the inputs that the collection made."""
        if self._looker is None:
            names = [value.name for value in self.mapping.program.inputs]
            feeds = []
            for path in sorted(self.folder.glob("feed*.npz")) or [self.folder / "samples.npz"]:
                with np.load(path) as file:
                    known = [
                        name if name in file.files else file.files[i]
                        for i, name in enumerate(names)
                    ]
                    feeds.append([file[name] for name in known])
            self._looker = Looker(self.module, feeds)
        return self._looker

    # --- faults -------------------------------------------------------------------------------

    def faults(self) -> Iterator[Fault]:
        """Every fault that fits this program."""
        returned: list[Any] = []
        make_mapping(self.mapping.program, _Listening(returned))
        yield from rule_faults(returned)
        yield from slip_faults(self.mapping)
        yield from function_faults(self.mapping)
        yield from control_faults(self.mapping)
        yield from output_faults(self.mapping)
        yield from mapping_faults(self.mapping)
        yield from changed_module_faults(self.migration())
        yield from bundle_faults(self.migration())

    # --- verdicts -----------------------------------------------------------------------------

    def healthy(self) -> list[Record]:
        """The correct program, by default and thorough: each failure is a false alarm."""
        found = []
        for kind in ("default", "thorough"):
            start = time.perf_counter()
            record = Record(self.name, self.family, "healthy", kind, "")
            try:
                verified = self.migration().verify(thorough=kind == "thorough")
                record.accused = _accused(verified)
                record.found, record.how = kind if verified.failed else "", verified.outcome
                record.told = "" if verified.passed else str(verified)[:600]
            except WorkbenchError as error:
                record.found, record.told = kind, f"{type(error).__name__}: {error}"[:600]
            record.seconds = time.perf_counter() - start
            found.append(record)
        return found

    def begun(self, fault: Fault) -> Record:
        """A record that says that the fault crashed the process, as long as no other follows."""
        told = "the process died"
        return Record(
            self.name, self.family, fault.place, fault.kind, fault.target, "crashed", told=told
        )

    def run(self, fault: Fault) -> Record:
        """Plant one fault, see whether it shows, and verify the model with it."""
        record = Record(self.name, self.family, fault.place, fault.kind, fault.target)
        try:
            with limited(SECONDS):
                self._run(fault, record)
        except TimeoutError as error:
            record.level, record.told = record.level or "endless", str(error)
        return record

    def _run(self, fault: Fault, record: Record) -> None:
        if fault.place == "bundle":
            return self._export(fault, record)
        looker, migration = self.looker, self.migration()  # both before anything is faulty
        with ExitStack() as stack:
            try:
                stack.enter_context(fault.plant(migration))
                module = migration.convert()
            except ConversionError as error:
                record.level, record.told = "refused", str(error)[:300]
                return
            except TimeoutError:
                raise
            except Exception as error:  # noqa: BLE001 - a mistake that no one could overlook
                record.level, record.told = "broken", f"{type(error).__name__}: {error}"[:300]
                return
            paths = fault.paths or changed_paths(self.mapping, migration.mapping)
            shown = looker.look(module, paths)
            if not paths and shown.level == "hidden":
                shown = Shown("idle", "", 0.0)  # the rules make what they made before
            record.level, record.how, record.size = shown.level, shown.how, shown.size
            record.paths = list(paths)[:8]
            if shown.level in ("plain", "fine"):
                self._verify(migration, fault, record, paths)

    def _export(self, fault: Fault, record: Record) -> None:
        """Verify the correct model, then write a faulty bundle, which should be refused."""
        start = time.perf_counter()
        looker, migration = self.looker, self.migration()
        migration.verify()
        record.level, record.how = "plain", "refused"
        with fault.plant(migration), tempfile.TemporaryDirectory() as folder:
            try:
                written = migration.export(Path(folder) / "bundle")
                record.found, record.told = "" if written.verified else "default", "not verified"
                shown = looker.look(loaded(written.folder), ())
                record.level, record.how, record.size = shown.level, shown.how, shown.size
            except WorkbenchError as error:
                record.found, record.told = "default", f"{type(error).__name__}: {error}"[:300]
        record.right = bool(record.found)
        if record.found:
            record.named = any(word in record.told for word in fault.words)
        record.seconds = time.perf_counter() - start

    def _verify(
        self, migration: wb.Migration, fault: Fault, record: Record, paths: tuple[str, ...]
    ) -> None:
        start = time.perf_counter()
        for kind in ("default", "thorough"):
            try:
                verified = migration.verify(thorough=kind == "thorough")
            except TimeoutError:
                raise
            except Exception as error:  # noqa: BLE001 - told, but not as a fault
                record.told = f"{type(error).__name__}: {error}"[:300]
                continue
            record.told = "; ".join(str(one) for one in verified.diagnosis)[:500]
            record.told = record.told or verified.outcome
            if verified.failed:
                record.found = kind
                record.accused = _accused(verified)
                record.right = _right(verified, paths)
                told = " ".join(f"{one} {one.remedy}" for one in verified.diagnosis).lower()
                if fault.words:
                    record.named = any(word.lower() in told for word in fault.words)
                break
        record.seconds = time.perf_counter() - start


def loaded(folder: Path) -> Any:
    """The model of a bundle, as a user's script loads it."""
    spec = importlib.util.spec_from_file_location("bundle_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.load().eval()


def _accused(verified: Verification) -> list[str]:
    layers = [f"{layer.path} ({','.join(layer.ops)})" for layer in verified.root_causes]
    return (layers or [f"output {one.name}" for one in verified.outputs if one.check.failed])[:12]


def _right(verified: Verification, paths: tuple[str, ...]) -> bool:
    """True when the first at fault is a faulty row, or holds one, and nobody else is accused."""
    causes = [layer.path for layer in verified.root_causes]
    if paths == ("",):
        return not causes
    return bool(causes) and all(
        any(
            path == one or one.startswith(f"{path}.") or path.startswith(f"{one}.") for one in paths
        )
        for path in causes
    )


def changed_paths(before: Mapping, after: Mapping) -> tuple[str, ...]:
    """Rows that are made otherwise than before."""
    right = {_key(row): row for row in before.walk()}
    return tuple(
        row.path
        for row in after.walk()
        if _key(row) not in right or _essence(right[_key(row)]) != _essence(row)
    )


def _key(row: Row) -> Any:
    return row.op.index if row.op is not None else next(iter(row.weights.values())).parameter


def _essence(row: Row) -> Any:
    return row.call, tuple((value.id, place) for value, place in row.outputs)


class _Listening(RuleBook):
    """The usual rules; what they return is noted."""

    def __init__(self, returned: list[Any]) -> None:
        super().__init__(DEFAULT)
        self.returned = returned

    def find(self, name: str) -> Any:
        """The rule with an ear on it."""
        rule = super().find(name)
        return rule and _Heard(rule, self.returned)


class _Heard:
    def __init__(self, rule: Any, returned: list[Any]) -> None:
        self.rule, self.returned = rule, returned
        self.place, self.doc, self.names = rule.place, rule.doc, rule.names

    def apply(self, context: Context) -> Any:
        """What the rule returns."""
        found = self.rule.apply(context)
        self.returned.append((context, found))
        return found


def as_line(record: Record) -> dict[str, Any]:
    """For a line of JSON."""
    return asdict(record) | {"id": record.id}
