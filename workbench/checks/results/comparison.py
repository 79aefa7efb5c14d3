"""Two verifications of one model compared: what changed since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from workbench.checks.results.checks import VERDICTS, Check, LayerCheck, OutputCheck
from workbench.core import shown
from workbench.core.errors import InputError
from workbench.core.files import LARGEST_DOCUMENT, read_text, write_whole
from workbench.core.plain_data import from_plain, to_plain

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "workbench-verification/1"
#: What may have become of a layer.
KINDS = ("worse", "better", "new", "gone")
#: A layer of equal verdict got worse when it uses this many times more of its tolerance, unless
#: it uses less than `QUIET` of it.
FACTOR, QUIET = 3.0, 0.3
Found = TypeVar("Found")


class Compared(Protocol):
    """What is compared of a verification: its layers and outputs, each in the worst of its runs."""

    @property
    def layers(self) -> tuple[LayerCheck, ...]:
        """The layers, in program order."""

    @property
    def outputs(self) -> tuple[OutputCheck, ...]:
        """The outputs, in fetch order."""

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer that changed: verdicts and error over tolerance, before and now, in the worst way.

    `place` is *alone*, *chain* or *output*.
    """

    path: str
    kind: str
    place: str
    before: Check | None
    now: Check | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of `v.compare(earlier)`: layers and outputs that changed, in program order."""

    changes: tuple[LayerChange, ...]
    same: int
    before: str
    now: str

    def of(self, kind: str) -> tuple[LayerChange, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)

    @property
    def regressed(self) -> bool:
        """True when a layer or an output got worse."""
        return bool(self.of("worse"))

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        counts = [f"{len(self.of(kind))} {kind}" for kind in KINDS if self.of(kind)]
        told = ", ".join(counts) or "nothing changed"
        return f"{told}; {self.same} as before. Before: {self.before}. Now: {self.now}."

    def frame(self) -> pd.DataFrame:
        """One line a change."""
        import pandas as pd

        return pd.DataFrame([_line(change) for change in self.changes], columns=list(_COLUMNS))

    def __repr__(self) -> str:
        return f"Comparison({self.summary})"

    def _repr_html_(self) -> str:
        return shown.html(self)


_COLUMNS = ("path", "change", "where", "before", "before_ratio", "now", "now_ratio")


def _line(change: LayerChange) -> dict[str, Any]:
    checks = (change.before, change.now)
    verdicts = [check.verdict if check else None for check in checks]
    ratios = [check.ratio if check else None for check in checks]
    cells = (
        change.path, change.kind, change.place,
        verdicts[0], ratios[0], verdicts[1], ratios[1],
    )  # fmt: skip
    return dict(zip(_COLUMNS, cells, strict=True))


def compare(now: Compared, earlier: Compared) -> Comparison:
    """What changed between two verifications, layer by layer and at the outputs."""
    before = {layer.path: layer for layer in earlier.layers}
    current = {layer.path: layer for layer in now.layers}
    changes: list[LayerChange] = []
    same = 0
    for path, layer in current.items():
        if path not in before:
            changes.append(LayerChange(path, "new", "alone", None, _own(layer)))
            continue
        change = _layer_change(before[path], layer)
        changes += [change] if change else []
        same += change is None
    changes += [
        LayerChange(path, "gone", "alone", _own(layer), None)
        for path, layer in before.items()
        if path not in current
    ]
    for number, (old, new) in enumerate(zip(earlier.outputs, now.outputs, strict=False), 1):
        kind = _kind(old.check, new.check)
        if kind:
            name = new.name if not new.name.startswith("%") else f"output {number}"
            changes.append(LayerChange(name, kind, "output", old.check, new.check))
    return Comparison(tuple(changes), same, _short(earlier), _short(now))


def _layer_change(before: LayerCheck, now: LayerCheck) -> LayerChange | None:
    for place, old, new in (
        ("alone", _own(before), _own(now)),
        ("chain", before.chain, now.chain),
    ):
        kind = _kind(old, new)
        if kind:
            return LayerChange(now.path, kind, place, old, new)
    return None


def _own(layer: LayerCheck) -> Check:
    """The check of the layer itself; *wrong* when the module was changed."""
    if layer.failed and not layer.own.failed:
        return Check("wrong", layer.alone.error, layer.alone.tolerance, problem=layer.why)
    return layer.own


def _kind(before: Check, now: Check) -> str:
    """*worse*, *better*, or nothing when it is as before."""
    ranks = VERDICTS.index(before.verdict), VERDICTS.index(now.verdict)
    if before.failed or now.failed:
        if ranks[0] != ranks[1]:
            return "worse" if ranks[1] > ranks[0] else "better"
    elif "unchecked" in (before.verdict, now.verdict):
        if ranks[0] == ranks[1]:
            return ""
        return "worse" if now.verdict == "unchecked" else "better"
    low, high = sorted((before.ratio, now.ratio))
    if high > QUIET and high > FACTOR * low:
        return "worse" if now.ratio > before.ratio else "better"
    return ""


def _short(verification: Compared) -> str:
    return verification.summary.partition(";")[0]


# --- files ------------------------------------------------------------------------------------


def save(verification: Any, summary: str, path: str | Path) -> Path:
    """Write a verification as JSON, whole or not at all; raises `InputError` when it cannot be."""
    data = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "summary": summary,
        "verification": to_plain(verification),
    }
    path = Path(path).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(data, separators=(",", ":"), allow_nan=False))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def load(kind: type[Found], path: str | Path) -> Found:
    """A verification, of the class `kind`, from its file; raises `InputError` when it is none."""
    hint = "Write one with v.save(path), or workbench verify MODEL --save FILE."
    try:
        data = json.loads(read_text(Path(path).expanduser(), LARGEST_DOCUMENT))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.", hint) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{path} holds no verification of this version ({FORMAT}).", hint)
    try:
        return from_plain(kind, data["verification"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}.", hint) from error
