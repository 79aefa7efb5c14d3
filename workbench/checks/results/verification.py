"""What a verification found: one check a layer, one an output, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.checks.results.checks import VERDICTS, Finding, LayerCheck, OutputCheck, Run
from workbench.checks.results.comparison import Comparison, compare, load, save
from workbench.checks.results.proof import Unproven, told_of, unproven
from workbench.checks.results.statistics import L2_GOOD, L2_INVESTIGATE, ErrorStats
from workbench.core import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `m.verify()`: a run for each set of inputs, and what follows from them."""

    runs: tuple[Run, ...]
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default_factory=tuple)
    diagnosis: tuple[Finding, ...] = ()
    scopes: tuple[LayerCheck, ...] = ()
    thorough: bool = False

    @property
    def passed(self) -> bool:
        """True when nothing differs by more than rounding explains and everything is proven."""
        return self.outcome == "passed"

    @property
    def failed(self) -> bool:
        """True when a layer alone or an output differs by more than rounding explains."""
        return any(
            any(layer.failed for layer in run.layers)
            or any(output.check.failed for output in run.outputs)
            for run in self.runs
        )

    @property
    def outcome(self) -> str:
        """*passed*, *failed*, or *not proven*: nothing differs, but something was never compared
        with a reference that could show it.
        """
        if self.failed:
            return "failed"
        return "not proven" if self.unproven or not self.outputs else "passed"

    @property
    def unproven(self) -> tuple[Unproven, ...]:
        """The outputs and layers that no run and no probe proved, and why."""
        return unproven(self.runs)

    @property
    def layers(self) -> tuple[LayerCheck, ...]:
        """The worst check of each layer over all runs, in program order."""
        return tuple(
            max(checks, key=_severity)
            for checks in zip(*(run.layers for run in self.runs), strict=True)
        )

    @property
    def outputs(self) -> tuple[OutputCheck, ...]:
        """The worst check of each output over all runs."""
        return tuple(
            max(
                checks,
                key=lambda output: (VERDICTS.index(output.check.verdict), output.check.ratio),
            )
            for checks in zip(*(run.outputs for run in self.runs), strict=True)
        )

    @property
    def first_mismatch(self) -> LayerCheck | None:
        """The first layer that differs alone; else the first that differs in the chain, if the
        model fails.
        """
        causes = self.root_causes
        if causes:
            return causes[0]
        if self.failed:
            for layer in self.layers:
                if layer.chain.failed:
                    return layer
        return None

    @property
    def root_causes(self) -> tuple[LayerCheck, ...]:
        """The layers at fault themselves, in program order; all other errors come from these.

        Of a loop or branch and the layers inside it that are at fault, only those inside.
        """
        bad = [layer for layer in self.layers if layer.failed]
        return tuple(
            layer
            for layer in bad
            if not any(other.path.startswith(f"{layer.path}.") for other in bad)
        )

    @property
    def verdict(self) -> str:
        """Worst verdict of layers alone and outputs."""
        found = [layer.verdict if layer.changed else layer.own.verdict for layer in self.layers]
        found += [output.check.verdict for output in self.outputs]
        return max(found, key=VERDICTS.index, default="unchecked")

    @property
    def largest_error(self) -> LayerCheck | None:
        """The layer with the largest scale-relative error alone, of those with a verdict."""
        measured = [
            layer
            for layer in self.layers
            if layer.alone.error is not None and layer.alone.verdict != "unchecked"
        ]
        return max(
            measured,
            key=lambda layer: layer.alone.error.relative if layer.alone.error else 0.0,
            default=None,
        )

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        if not self.failed:
            return f"{self.outcome}: {self._agreed}"
        bad = self.first_mismatch
        if bad is None:
            told = next((o.check.problem for o in self.outputs if o.check.problem), "")
            return f"failed: {told or 'the outputs differ although every layer agrees'}"
        found = next((f for f in self.diagnosis if f.path == bad.path and f.how != "changed"), None)
        cause = f"; cause: {found.cause}" if found else ""
        where = f"{bad.path} ({', '.join(bad.ops)})"
        return f"failed: first layer that differs is {where}: {bad.why}{cause}"

    @property
    def _agreed(self) -> str:
        """What agrees, the largest error, and what is not proven."""
        count, outputs = len(self.layers), self.outputs
        agree = sum(layer.verdict != "unchecked" for layer in self.layers)
        compared = sum(output.check.verdict != "unchecked" for output in outputs)
        ends = f"{compared} of {len(outputs)} outputs" if outputs else "no output"
        told = f"{agree} of {count} layers and {ends} agree with Paddle within rounding"
        largest = self.largest_error
        if largest and largest.alone.error:
            error = largest.alone.error.relative
            told += f"; largest error of a layer {error:.1e} of its scale ({largest.path})"
        drawn = sum("random" in layer.traits for layer in self.layers)
        if drawn:
            told += f"; {drawn} of them not compared, since they draw random numbers"
        missing = self.unproven
        return f"{told}. Not proven: {told_of(missing)}" if missing else told

    def frame(self, level: str = "layer") -> pd.DataFrame:
        """One line a layer: errors alone and in the chain, tolerances, verdicts, health.

        With `level="scope"` one line a scope, as `m.check_scopes()` found them. Raises ValueError
        for another level.
        """
        import pandas as pd

        if level not in ("layer", "scope"):
            raise ValueError(f"level is 'layer' or 'scope', not {level!r}")
        checks = self.layers if level == "layer" else self.scopes
        return pd.DataFrame([_line(check) for check in checks])

    def save(self, path: str | Path) -> Path:
        """Write everything as JSON, to be compared with later; raises `InputError`."""
        return save(self, self.summary, path)

    @classmethod
    def load(cls, path: str | Path) -> Verification:
        """Read what `save` wrote; raises `InputError` when the file is not such a one."""
        return load(cls, path)

    def compare(self, earlier: Verification | str | Path) -> Comparison:
        """What changed since an earlier verification, which may be a file that `save` wrote."""
        before = earlier if isinstance(earlier, Verification) else self.load(earlier)
        return compare(self, before)

    def histograms(self) -> Figure:
        """Error histograms of the layers, alone and in the chain, over the depth of the model."""
        figure: Figure = shown.drawn(self, "histograms")
        return figure

    def __repr__(self) -> str:
        return f"Verification({self.summary})"

    def _repr_html_(self) -> str:
        return shown.html(self)


def _severity(layer: LayerCheck) -> tuple[int, int, float]:
    return (
        VERDICTS.index(layer.verdict if layer.changed else layer.own.verdict),
        VERDICTS.index(layer.chain.verdict),
        layer.own.ratio,
    )


def _line(layer: LayerCheck) -> dict[str, Any]:
    line: dict[str, Any] = {
        "path": layer.path,
        "ops": ", ".join(layer.ops),
        "target": layer.target,
        "shape": layer.shape,
        "verdict": layer.verdict,
    }
    for name, check in (("alone", layer.alone), ("chain", layer.chain)):
        error = check.error
        line[f"{name}_max_abs"] = error.max_abs if error else None
        line[f"{name}_relative"] = error.relative if error else None
        line[f"{name}_l2"] = error.l2 if error else None
        line[f"{name}_cosine"] = error.cosine if error else None
        line[f"{name}_tolerance"] = check.tolerance
        line[f"{name}_verdict"] = check.verdict
    line["l2_threshold"] = _document_verdict(layer.alone.error)
    line["probe_max_abs"] = layer.probe.error.max_abs if layer.probe.error else None
    line["probe_tolerance"] = layer.probe.tolerance
    line["probe_verdict"] = layer.probe.verdict
    line["problem"] = layer.own.problem or layer.chain.problem
    line["changed"] = layer.changed
    line["health"] = "; ".join(layer.health)
    return line


def _document_verdict(error: ErrorStats | None) -> str:
    """What the reference documents' flat thresholds would say."""
    if error is None:
        return ""
    if error.l2 <= L2_GOOD:
        return "good"
    return "investigate" if error.l2 > L2_INVESTIGATE else "fair"
