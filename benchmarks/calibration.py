"""Calibration: how much of their tolerance correct layers use, and how often one would fail.

Usage: python -m benchmarks.calibration [--picture FILE.svg] [MODEL ...]

Every layer runs in float64 too, which a verification does only where it matters to the verdict.
Without models: the samples in data/ and the nets of the fault bench. Every layer of every run is
counted alone and in the chain. With a picture, the distribution of error over tolerance is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import workbench as wb
from benchmarks.models import chosen_models
from workbench.core.errors import WorkbenchError

EDGES = np.array([0, *np.logspace(-3, 1, 17)])


def measure(folder: Path) -> dict[str, list[float]]:
    """Error over tolerance of every layer, alone and in the chain; prints a line."""
    found: dict[str, list[float]] = {"alone": [], "chain": [], "failed": []}
    try:
        with wb.load(folder) as migration:
            inputs = next((p for p in (folder / "inputs.npz",) if p.exists()), None)
            runs = [migration.verify(inputs)]
    except WorkbenchError as error:
        print(f"{folder.name:28s} not verified: {str(error).splitlines()[0][:80]}", flush=True)
        return found
    for verification in runs:
        found["failed"].append(float(verification.failed))
        for run in verification.runs:
            for layer in run.layers:
                for name in ("alone", "chain"):
                    check = getattr(layer, name)
                    judged = check.error is not None and check.verdict != "unchecked"
                    if judged and check.tolerance:
                        found[name].append(check.ratio)
    worst = [max(found[name], default=0.0) for name in ("alone", "chain")]
    verdict = "failed" if any(found["failed"]) else "passed"
    print(
        f"{folder.name:28s} {verdict}  {len(found['alone']):6d} checks   "
        f"worst alone {worst[0]:7.3f}   in the chain {worst[1]:7.3f}",
        flush=True,
    )
    return found


def table(name: str, ratios: Sequence[float]) -> str:
    """Quantiles and exceedances of one way to check."""
    values = np.asarray(ratios)
    quantiles = np.quantile(values, (0.5, 0.9, 0.99, 0.999, 1.0))
    told = "  ".join(f"{number:8.4f}" for number in quantiles)
    beyond = ", ".join(f"{np.mean(values > bound):.2%} above {bound:g}" for bound in (0.1, 0.5, 1))
    return f"{name:12s} {len(values):7d}  {told}   {beyond}"


def draw(ratios: dict[str, list[float]], path: Path) -> None:
    """Histogram of error over tolerance, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "workbench"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2))
    places = np.arange(len(EDGES) - 1)
    for shift, (name, label) in enumerate((("alone", "alone"), ("chain", "in the chain"))):
        counts, _ = np.histogram(np.clip(ratios[name], 0, EDGES[-1] * 0.999), EDGES)
        share = 100 * counts / max(counts.sum(), 1)
        axes.bar(places + 0.4 * shift, share, 0.4, label=label, color=("#3b6ea8", "#d08b2c")[shift])
    axes.set_xticks(
        places + 0.2, ["0 – 0.001", *(f"{edge:.2g}" for edge in EDGES[1:-1])],
        rotation=60, fontsize=7,
    )  # fmt: skip
    limit = int(np.searchsorted(EDGES, 1.0)) - 0.3
    axes.axvline(limit, color="#b22222", linewidth=1)
    axes.text(limit + 0.1, axes.get_ylim()[1] * 0.9, "fails", color="#b22222", fontsize=8)
    axes.set_xlabel("error over tolerance (from this value on)")
    axes.set_ylabel("% of layer checks")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure all models, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description="Calibration of the tolerances.")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {"alone": [], "chain": [], "failed": []}
    with chosen_models(options.models, "fault_models.py") as folders:
        for folder in folders:
            for name, values in measure(folder).items():
                ratios[name] += values
    print("\nerror over tolerance    median       90 %       99 %     99.9 %        max")
    print(table("alone", ratios["alone"]))
    print(table("in the chain", ratios["chain"]))
    failed = int(sum(ratios["failed"]))
    print(f"{failed} of {len(ratios['failed'])} verifications of correct models failed")
    if options.picture:
        draw(ratios, options.picture)


if __name__ == "__main__":
    main()
