"""The content of the report as plain data: what `report.json` holds and the template shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workbench.checks.layers.as_run import TIMES
from workbench.checks.results.checks import VERDICTS, LayerCheck, OutputCheck, Run
from workbench.checks.results.proof import REASONS, Unproven
from workbench.checks.results.statistics import EDGES, L2_GOOD, L2_INVESTIGATE
from workbench.checks.results.verification import Verification
from workbench.checks.values.closeness import EXACT, WRONG
from workbench.core.calls import Weight
from workbench.core.mapping import Mapping, Row
from workbench.report.changes import change_groups, hand_edits, unsupported_rows, weights_by_key
from workbench.report.coverage import STATES, concerns, coverage, grouped
from workbench.report.entries import check_entry
from workbench.report.model_card import (
    environment_card,
    reproduce_command,
    source_card,
    target_card,
)
from workbench.report.parity import gaps_content, parity_concerns, parity_content
from workbench.report.scopes import scope_entries
from workbench.report.words import call_text, document_verdict

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

FORMAT = "workbench-report/1"
#: How many layers are shown in detail.
DETAILED = 8


def report_content(migration: Evidence) -> dict[str, Any]:
    """Everything that the report says, in plain types; numbers that are not finite are texts."""
    mapping, verification = migration.mapping, current_verification(migration)
    stale = migration.verification is not None and verification is None
    states = coverage(mapping, verification)
    layers = _layers(mapping, verification)
    data = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": _verdict(mapping, verification),
        "concerns": concerns(mapping, verification, states, stale),
        "source": source_card(migration),
        "target": target_card(mapping),
        "method": {
            "exact": EXACT, "times": TIMES, "wrong": WRONG,
            "l2_good": L2_GOOD, "l2_investigate": L2_INVESTIGATE,
            "histogram_edges_log10": [float(edge) for edge in EDGES],
        },
        "runs": [_run(run) for run in verification.runs] if verification else [],
        "outputs": [_output(output) for output in verification.outputs] if verification else [],
        "worst": [layer.path for layer in worst_layers(verification)],
        "spread": _spread(verification),
        "operators": _operators(layers),
        "layers": layers,
        "parameters": _parameters(mapping, verification),
        "changes": [
            {"kind": group.kind, "text": group.text, "rows": [list(row) for row in group.rows]}
            for group in change_groups(mapping)
        ],
        "edits": hand_edits(mapping),
        "unsupported": unsupported_rows(mapping),
        "scopes": scope_entries(verification),
        "coverage": {
            "states": dict.fromkeys(STATES, 0) | Counter(covered.state for covered in states),
            "groups": grouped(states),
            "notes": list(verification.notes) if verification else [],
            "gaps": gaps_content(migration, verification),
        },
        **parity_content(migration, verification),
        "environment": environment_card(migration),
        "reproduce": reproduce_command(migration),
    }  # fmt: skip
    data["concerns"] = [*data["concerns"], *parity_concerns(data)]
    return data


def current_verification(migration: Evidence) -> Verification | None:
    """The verification, unless it was made before an edit: then it says nothing of this mapping."""
    found = migration.verification
    if found is None:
        return None
    now = {row.path: (row.ops, row.target) for row in migration.mapping.walk()}
    current = all(now.get(layer.path) == (layer.ops, layer.target) for layer in found.layers)
    return found if current else None


def status_of(mapping: Mapping | None, verification: Verification | None) -> str:
    """*passed*, *failed*, *unproven*, *unverified* (not run), *incomplete* (ops without a rule)."""
    if mapping is not None and mapping.unsupported:
        return "incomplete"
    if verification is None:
        return "unverified"
    return {"not proven": "unproven"}.get(verification.outcome, verification.outcome)


def _verdict(mapping: Mapping, verification: Verification | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "status": status_of(mapping, verification),
        "ran": verification is not None,
    }
    if verification is None:
        return found
    layers = verification.layers
    largest = verification.largest_error
    return found | {
        "summary": verification.summary,
        "worst": verification.verdict,
        "seconds": verification.seconds,
        "layers": len(layers),
        "compared": sum(layer.verdict != "unchecked" for layer in layers),
        "probed": sum(layer.probe.verdict != "unchecked" for layer in layers),
        "failed_alone": [layer.path for layer in layers if layer.failed],
        "failed_chain_only": [
            layer.path for layer in layers if layer.chain.failed and not layer.failed
        ],
        "failed_outputs": [out.name for out in verification.outputs if out.check.failed],
        "unproven": _unproven(verification),
        "first": _first(verification),
        "largest": largest.path if largest else None,
        "l2": dict.fromkeys(("good", "fair", "investigate"), 0)
        | Counter(document_verdict(layer.alone.error) for layer in layers if layer.alone.error),
        "verdicts": dict(Counter(layer.verdict for layer in layers)),
    }


def _unproven(verification: Verification) -> list[dict[str, Any]]:
    """What was compared with nothing that could show an error, by reason."""
    groups: dict[str, list[Unproven]] = {reason: [] for reason in REASONS}
    for one in verification.unproven:
        groups[one.reason].append(one)
    return [
        {
            "reason": reason,
            "outputs": [one.path for one in group if one.is_output],
            "layers": [one.path for one in group if not one.is_output],
        }
        for reason, group in groups.items()
        if group
    ]


def _first(verification: Verification) -> dict[str, Any] | None:
    layer = verification.first_mismatch
    if layer is None:
        return None
    how = "alone" if layer.alone.failed else "probe" if layer.probe.failed else "chain"
    return {"path": layer.path, "how": how}


def worst_layers(verification: Verification | None, count: int = DETAILED) -> list[LayerCheck]:
    """Layers at fault in program order, then those closest to their tolerance."""
    if verification is None:
        return []
    bad = [layer for layer in verification.layers if layer.failed]
    rest = sorted(
        (layer for layer in verification.layers if not layer.failed and layer.alone.ratio > 0),
        key=lambda layer: (not bad and layer.chain.failed, layer.alone.ratio),
        reverse=True,
    )
    return [*bad, *rest][:count]


def _spread(verification: Verification | None) -> list[dict[str, Any]]:
    """How much of their tolerance the layers use, alone."""
    bounds = ((0.0, "exact"), (0.1, "0.1"), (0.5, "0.5"), (1.0, "1"), (WRONG, f"{WRONG:g}"))
    counts = dict.fromkeys([*(name for _, name in bounds), "more", "unchecked"], 0)
    for layer in verification.layers if verification else ():
        if layer.alone.verdict == "unchecked":
            counts["unchecked"] += 1
            continue
        ratio = layer.alone.ratio
        counts[next((name for bound, name in bounds if ratio <= bound), "more")] += 1
    return [{"bucket": name, "layers": count} for name, count in counts.items()]


# --- layers -----------------------------------------------------------------------------------


def _layers(mapping: Mapping, verification: Verification | None) -> list[dict[str, Any]]:
    checks = _checks(verification)
    rows = [row for row in mapping.walk() if not row.is_parameter]
    return [
        _layer(mapping, number, row, checks.get(row.path)) for number, row in enumerate(rows, 1)
    ]


def _parameters(mapping: Mapping, verification: Verification | None) -> list[dict[str, Any]]:
    """Bare parameters that were checked: they are no layers, but one may be the first that differs
    or have the largest error.
    """
    checks = _checks(verification)
    rows = [row for row in mapping.walk() if row.is_parameter and row.path in checks]
    return [_layer(mapping, None, row, checks[row.path]) for row in rows]


def _checks(verification: Verification | None) -> dict[str, LayerCheck]:
    return {layer.path: layer for layer in (verification.layers if verification else ())}


def _layer(
    mapping: Mapping, number: int | None, row: Row, check: LayerCheck | None
) -> dict[str, Any]:
    shape = row.values[0].shape if row.values else ()
    return {
        "number": number,
        "path": row.path,
        "ops": list(row.ops),
        "index": row.op.index if row.op else "",
        "scope": row.scope,
        "target": row.target,
        "call": call_text(mapping, row),
        "shape": [None if dim < 0 else dim for dim in shape],
        "checked_shape": list(check.shape) if check else None,
        "dtype": row.values[0].dtype if row.values else "",
        "status": row.status,
        "weights": [_weight(key, weight) for key, weight in weights_by_key(row)],
        "notes": list(row.notes),
        "edited": bool(row.edited),
        "verdict": check.verdict if check else "unchecked",
        "health": list(check.health) if check else [],
        "alone": check_entry(check.alone) if check else None,
        "chain": check_entry(check.chain) if check else None,
        "probe": check_entry(check.probe) if check else None,
        "l2_threshold": document_verdict(check.alone.error) if check else "",
    }


def _weight(key: str, weight: Weight) -> dict[str, Any]:
    return {
        "key": key or "value",
        "parameter": weight.parameter,
        "steps": [str(step) for step in weight.steps],
        "shape": list(weight.shape),
        "final_shape": list(weight.final_shape),
    }


def _operators(layers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each operator and what it became."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for layer in layers:
        key = (" + ".join(layer["ops"]), layer["target"] or layer["status"])
        groups.setdefault(key, []).append(layer)
    lines = [
        {
            "ops": ops,
            "target": target,
            "count": len(group),
            "verdict": max((layer["verdict"] for layer in group), key=VERDICTS.index),
            "relative": _largest(group, "relative"),
            "ratio": _largest(group, "ratio"),
        }
        for (ops, target), group in groups.items()
    ]
    return sorted(lines, key=lambda line: (-VERDICTS.index(line["verdict"]), -line["count"]))


def _largest(layers: Iterable[dict[str, Any]], figure: str) -> float | None:
    found = [layer["alone"][figure] for layer in layers if layer["alone"]]
    return max((number for number in found if number is not None), default=None)


# --- runs and outputs -------------------------------------------------------------------------


def _run(run: Run) -> dict[str, Any]:
    return {
        "told": run.told,
        "inputs": list(run.inputs),
        "layers": len(run.layers),
        "failed": sum(layer.failed for layer in run.layers),
        "failed_chain": sum(layer.chain.failed for layer in run.layers),
        "ratio": _closest(run, "alone"),
        "chain_ratio": _closest(run, "chain"),
        "outputs": [_output(output) for output in run.outputs],
    }


def _closest(run: Run, way: str) -> dict[str, Any] | None:
    """The layer that uses most of its tolerance."""
    layer = max(run.layers, key=lambda layer: getattr(layer, way).ratio, default=None)
    return {"path": layer.path, "ratio": getattr(layer, way).ratio} if layer else None


def _output(output: OutputCheck) -> dict[str, Any]:
    return {
        "name": output.name,
        "shape": list(output.shape),
        "dtype": output.dtype,
        "health": list(output.health),
        **check_entry(output.check),
        "l2_threshold": document_verdict(output.check.error),
    }


def plain(data: Any) -> Any:
    """The content for strict JSON: tuples as lists, numbers that are not finite as texts."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    return data
