"""Plots of errors and weights. Every function returns a figure, which a notebook shows as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from workbench.checks.results.checks import Check, LayerCheck
from workbench.checks.results.statistics import EDGES
from workbench.checks.results.verification import Verification
from workbench.core.errors import InputError
from workbench.notebook.figures import (
    ALONE,
    CHAIN,
    FAINT,
    FAULT,
    INK,
    Plot,
    fading,
    legend,
    message,
    plain,
    shortened,
    styled,
)
from workbench.report.charts import relative_tolerance
from workbench.report.content import worst_layers
from workbench.report.words import scientific, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from workbench.core.calls import Weight
    from workbench.core.mapping import Mapping

#: Layers shown one by one, and columns of the heat map; more layers share a column.
SMALL_MULTIPLES, COLUMNS = 8, 400
#: Points of a scatter plot, and elements of a weight that its histogram looks at.
POINTS, ELEMENTS = 20_000, 4_000_000
#: Shares below this are drawn as faint as this.
_FAINTEST = 1e-4
_LOW, _HIGH = float(EDGES[0]), float(EDGES[-1])
#: Where elements without any error stand on the axis of log10 errors.
_EXACT = _LOW - 1.0
_NOTHING = "Nothing was compared with Paddle, so there is nothing to draw."


def histograms(verification: Verification) -> Figure:
    """Distribution of the relative errors: a heat map over the depth, and the worst layers each.

    Errors are relative to the largest magnitude of the layer's output in Paddle; the lines are the
    tolerances.
    """
    layers = verification.layers
    if not any(layer.alone.error or layer.chain.error for layer in layers):
        return message(_NOTHING)
    worst = worst_layers(verification, SMALL_MULTIPLES)
    rows = -(-len(worst) // 4)
    figure = Plot(10.5, 4.6 + 1.7 * rows)
    parts: Any = figure.subfigures(2, 1, height_ratios=[4.6, max(1.7 * rows, 0.01)])
    for part in parts:
        part.set_facecolor("none")
    _heat_maps(parts[0], layers)
    if worst:
        _small_multiples(parts[1], worst, rows)
    return figure


def error_by_depth(verification: Verification) -> Figure:
    """Largest error of each layer, alone and in the chain, with what rounding explains."""
    layers = verification.layers
    if not any(layer.alone.error or layer.chain.error for layer in layers):
        return message(_NOTHING)
    figure = Plot(10.5, 3.4)
    axes = styled(figure.add_subplot(), "Largest error of each layer, relative to its scale")
    numbers = np.arange(1, len(layers) + 1)
    alone, chain = _errors(layers, "alone"), _errors(layers, "chain")
    bounds, chain_bounds = _tolerances(layers, "alone"), _tolerances(layers, "chain")
    low, floor = _floor(alone, chain, bounds)
    axes.fill_between(
        numbers, low, bounds, step="mid", color=ALONE, alpha=0.18, lw=0, label="tolerance, alone"
    )
    axes.plot(numbers, chain_bounds, color=CHAIN, lw=0.8, ls="--", label="tolerance, in the chain")
    axes.plot(numbers, _lifted(chain, floor), color=CHAIN, lw=1.2, label="error in the chain")
    axes.plot(numbers, _lifted(alone, floor), "o", color=ALONE, ms=3, label="error alone")
    bad = np.array([layer.failed for layer in layers])
    if bad.any():
        heights = np.nan_to_num(_lifted(alone, floor), nan=1.0, posinf=1.0)
        axes.plot(
            numbers[bad], heights[bad], "o", mfc="none", mec=FAULT, ms=9, mew=1.6, label="at fault"
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=floor / 2)
    axes.annotate(
        "exact", (0, floor), (-6, 0), xycoords=("axes fraction", "data"), color=INK, fontsize=8,
        textcoords="offset points", ha="right", va="center",
    )  # fmt: skip
    axes.set_xlim(0.5, len(layers) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer, in the order in which the program runs")
    axes.set_ylabel("error ÷ scale")
    axes.grid(axis="y", color=FAINT, lw=0.6)
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1.08), ncols=5)
    return figure


def scatter(reference: Any, candidate: Any) -> Figure:
    """Candidate against reference, element by element, and their difference.

    Takes numpy arrays or tensors of equal shape. Large ones are thinned out, but the elements that
    differ most stay. Raises `InputError` when the shapes differ.
    """
    theirs, ours = _flat(reference), _flat(candidate)
    if np.shape(reference) != np.shape(candidate):
        raise InputError(
            f"The reference has shape {list(np.shape(reference))}, the candidate "
            f"{list(np.shape(candidate))}.",
            "Compare tensors of equal shape.",
        )
    finite = np.isfinite(theirs) & np.isfinite(ours)
    theirs, ours = theirs[finite], ours[finite]
    if not len(theirs):
        return message("There are no finite elements to compare.")
    difference = ours - theirs
    scale = float(np.abs(theirs).max())
    largest = float(np.abs(difference).max())
    kept = _thinned(np.abs(difference))
    figure = Plot(9, 3.8)
    left, right = figure.subplots(1, 2)
    title = f"{len(difference):,} elements, {(~finite).sum():,} more not finite"
    styled(left, title if not finite.all() else f"{len(difference):,} elements")
    ends = [min(theirs.min(), ours.min()), max(theirs.max(), ours.max())]
    left.plot(ends, ends, color=INK, lw=0.8)
    left.plot(theirs[kept], ours[kept], ".", color=ALONE, ms=3, alpha=0.6, rasterized=True)
    left.set_xlabel("Paddle (reference)")
    left.set_ylabel("PyTorch (candidate)")
    told = (
        f"largest difference {scientific(largest)}, {scientific(largest / (scale or 1))} of scale"
    )
    styled(right, told)
    right.axhline(0, color=INK, lw=0.8)
    right.plot(theirs[kept], difference[kept], ".", color=CHAIN, ms=3, alpha=0.6, rasterized=True)
    right.set_xlabel("Paddle (reference)")
    right.set_ylabel("PyTorch − Paddle")
    right.ticklabel_format(axis="y", scilimits=(-2, 3))
    right.yaxis.get_offset_text().set_color(INK)
    return figure


def weight_distributions(mapping: Mapping, path: str) -> Figure:
    """The weights of one layer before and after conversion: values, shapes, and the steps between.

    Steps such as a transposition move elements and leave the distribution as it is; a difference
    between the two curves means that values were changed or dropped. Raises `KeyError` when there
    is no such row.
    """
    weights = mapping[path].weights
    if not weights:
        return message(f"{plain(path)} has no weights.")
    columns = min(len(weights), 3)
    rows = -(-len(weights) // columns)
    figure = Plot(3.6 * columns, 2.7 * rows + 0.3)
    figure.suptitle(shortened(path, 90), color=INK, fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(weights) :]:
        axes.set_visible(False)
    for axes, (key, weight) in zip(grid.flat, weights.items(), strict=False):
        _weight(axes, mapping, key, weight)
    legend(grid.flat[0], loc="upper right")
    return figure


# --- heat maps --------------------------------------------------------------------------------


def _heat_maps(part: Any, layers: Sequence[LayerCheck]) -> None:
    top, bottom = part.subplots(2, 1, sharex=True)
    _heat_map(top, layers, "alone", "Errors alone: each layer fed Paddle's own inputs", ALONE)
    _heat_map(bottom, layers, "chain", "Errors in the chain: each layer fed our own values", CHAIN)
    bottom.set_xlabel("layer, in the order in which the program runs")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))


def _heat_map(axes: Axes, layers: Sequence[LayerCheck], way: str, title: str, colour: str) -> None:
    styled(axes, title)
    shares = np.stack([_shares(getattr(layer, way)) for layer in layers], axis=1)
    bounds = _tolerances(layers, way)
    image = axes.imshow(
        np.ma.masked_invalid(_pooled(shares)),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(0.5, len(layers) + 0.5, _EXACT, _HIGH),
        cmap=fading(colour),
        norm=LogNorm(_FAINTEST, 1.0, clip=True),
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(bounds)
    axes.step(np.arange(1, len(layers) + 1), logs, where="mid", color=INK, lw=0.8)
    ticks = np.arange(_LOW, _HIGH + 1, 2)
    axes.set_yticks([_EXACT + 0.25, *ticks], ["exact", *(f"1e{tick:.0f}" for tick in ticks)])
    axes.set_ylim(_EXACT, _top(shares, logs))
    axes.set_ylabel("error ÷ scale")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01, aspect=14)
    bar.set_label("share of elements", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=7, which="both")
    bar.ax.set_facecolor("none")
    bar.outline.set_visible(False)


def _shares(check: Check) -> np.ndarray:
    """Shares of elements in the lane of exact ones, an empty lane, and each bin; NaN where none."""
    found = np.full(len(EDGES) + 1, np.nan)
    if check.error is not None and check.error.elements:
        total = max(check.error.zeros + sum(check.error.counts), 1)
        found[0] = check.error.zeros / total
        found[2:] = np.asarray(check.error.counts) / total
        found[found == 0] = np.nan
    return found


def _pooled(shares: np.ndarray) -> np.ndarray:
    """At most `COLUMNS` columns; each shows the largest share of its layers, so none gets lost."""
    if shares.shape[1] <= COLUMNS:
        return shares
    groups = np.array_split(np.nan_to_num(shares), COLUMNS, axis=1)
    pooled = np.stack([group.max(axis=1) for group in groups], axis=1)
    return np.where(pooled == 0, np.nan, pooled)


def _top(shares: np.ndarray, logs: np.ndarray) -> float:
    """Upper end of the axis: above every error and tolerance."""
    used = np.flatnonzero(np.isfinite(shares[2:]).any(axis=1))
    errors = float(EDGES[used[-1] + 1]) if len(used) else -4.0
    bounds = logs[np.isfinite(logs)]
    return min(max(errors, float(bounds.max(initial=-4.0)), -4.0) + 0.5, _HIGH)


def _small_multiples(part: Any, layers: Sequence[LayerCheck], rows: int) -> None:
    grid = part.subplots(rows, 4, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(layers) :]:
        axes.set_visible(False)
    for axes, layer in zip(grid.flat, layers, strict=False):
        _small(axes, layer)
    for axes in grid[:, 0]:
        axes.set_ylabel("share of elements", fontsize=8)
    for axes in grid.flat[max(len(layers) - 4, 0) : len(layers)]:
        axes.set_xlabel("error ÷ scale", fontsize=8)
        axes.tick_params(labelbottom=True)
    legend(grid.flat[0], loc="upper right")


def _small(axes: Axes, layer: LayerCheck) -> None:
    told = layer.alone.problem or f"{times(layer.alone.ratio)} its tolerance"
    title = f"{shortened(layer.path, 30)}\n{shortened(told, 34)}"
    styled(axes, title, 8, FAULT if layer.failed else INK)
    places = np.array([_EXACT + 0.25, *(EDGES[:-1] + 0.25)])
    for check, colour, label in ((layer.alone, ALONE, "alone"), (layer.chain, CHAIN, "chain")):
        shares = np.nan_to_num(np.delete(_shares(check), 1))
        if label == "alone":
            axes.bar(places, shares, 0.46, color=colour, alpha=0.75, label=label)
        else:
            axes.stairs(shares[1:], EDGES, color=colour, lw=1.2, label=label)
            axes.stairs(shares[:1], [_EXACT, _EXACT + 0.5], color=colour, lw=1.2)
        if check.tolerance and check.error is not None:
            axes.axvline(np.log10(relative_tolerance(check)), color=colour, lw=0.9, ls="--")
    ticks = np.arange(_LOW + 2, _HIGH + 1, 4)
    axes.set_xticks([_EXACT + 0.25, *ticks], ["exact", *(f"1e{tick:.0f}" for tick in ticks)])
    axes.set_ylim(0, 1)


# --- numbers ----------------------------------------------------------------------------------


def _errors(layers: Sequence[LayerCheck], way: str) -> np.ndarray:
    checks = [getattr(layer, way) for layer in layers]
    return np.array([check.error.relative if check.error else np.nan for check in checks])


def _tolerances(layers: Sequence[LayerCheck], way: str) -> np.ndarray:
    """Relative tolerances; NaN where there is none."""
    checks = [getattr(layer, way) for layer in layers]
    return np.array(
        [(relative_tolerance(check) or np.nan) if check.error else np.nan for check in checks]
    )


def _floor(*series: np.ndarray) -> tuple[float, float]:
    """Lower end of what was measured, and the lane below it for exact layers."""
    values = np.concatenate(series)
    values = values[np.isfinite(values) & (values > 0)]
    low = 10.0 ** np.floor(np.log10(values.min(initial=1e-6)))
    return float(low), float(low / 3)


def _lifted(values: np.ndarray, floor: float) -> np.ndarray:
    """Exact layers on their lane: a logarithm has no zero."""
    return np.where(values == 0, floor, values)


def _flat(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float().numpy() if str(values.dtype) == "torch.bfloat16" else values.numpy()
    flat = np.asarray(values).reshape(-1)
    return np.abs(flat) if np.iscomplexobj(flat) else flat.astype(np.float64)


def _thinned(difference: np.ndarray) -> np.ndarray:
    """Which elements to draw: an even choice, and those that differ most."""
    if len(difference) <= POINTS:
        return np.arange(len(difference))
    even = np.linspace(0, len(difference) - 1, POINTS).astype(int)
    worst = np.argpartition(difference, -200)[-200:]
    return np.union1d(even, worst)


# --- weights ----------------------------------------------------------------------------------


def _weight(axes: Axes, mapping: Mapping, key: str, weight: Weight) -> None:
    before = mapping.program.parameters[weight.parameter].data
    after = weight.apply(before)
    first, second = _sample(before, weight.dtype), _sample(after, weight.final_dtype)
    if not first.size or not second.size:
        styled(axes, f"{plain(key)}: empty")
        return
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    edges = np.linspace(low, high if high > low else low + 1, 61)
    counts, _ = np.histogram(first, edges)
    axes.stairs(counts / first.size, edges, fill=True, color=ALONE, alpha=0.5, label="Paddle")
    counts, _ = np.histogram(second, edges)
    axes.stairs(counts / second.size, edges, color=CHAIN, lw=1.2, label="PyTorch")
    steps = plain(", ".join(str(step) for step in weight.steps) or "copied")
    shape = "" if before.shape == after.shape else f"\n{before.shape} → {after.shape}"
    sampled = ", sampled" if max(before.size, after.size) > ELEMENTS else ""
    styled(axes, f"{plain(key or 'value')} ← {shortened(weight.parameter)}: {steps}{shape}", 8)
    axes.set_xlabel(f"value (mean {first.mean():.3g}, std {first.std():.3g}{sampled})", fontsize=8)
    axes.set_ylabel("share of elements", fontsize=8)


def _sample(array: np.ndarray, dtype: str) -> np.ndarray:
    """The finite elements, of a large tensor a random choice that is the same each time."""
    flat = np.asarray(array).reshape(-1)
    if flat.size > ELEMENTS:
        flat = flat[np.random.default_rng(0).integers(0, flat.size, ELEMENTS)]
    if dtype == "bfloat16":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    flat = np.abs(flat) if np.iscomplexobj(flat) else flat.astype(np.float64)
    kept: np.ndarray = flat[np.isfinite(flat)]
    return kept
