"""The scopes of the model (an encoder block, a neck) in the report: a line each."""

from __future__ import annotations

from typing import Any

from workbench.checks.results.checks import VERDICTS, LayerCheck
from workbench.checks.results.verification import Verification
from workbench.report.entries import check_entry

#: Scopes that stand open; the others are folded.
OPEN = 12


def scope_entries(verification: Verification | None) -> list[dict[str, Any]]:
    """Each scope with its checks and the layer inside that is nearest to its tolerance."""
    if verification is None:
        return []
    layers = [layer for layer in verification.layers if layer.alone.error is not None]
    return [_entry(scope, layers) for scope in _ordered(verification.scopes)]


def _ordered(scopes: tuple[LayerCheck, ...]) -> list[LayerCheck]:
    """Scopes that differ before the others."""
    return sorted(scopes, key=lambda scope: not (scope.alone.failed or scope.chain.failed))


def _entry(scope: LayerCheck, layers: list[LayerCheck]) -> dict[str, Any]:
    inside = [layer for layer in layers if layer.path.startswith(f"{scope.path}.")]
    worst = max(inside, key=lambda layer: layer.alone.ratio, default=None)
    verdicts = (scope.alone.verdict, scope.chain.verdict)
    return {
        "path": scope.path,
        "layers": int(scope.target.partition(" ")[0]),
        "verdict": max(verdicts, key=VERDICTS.index),
        "alone": check_entry(scope.alone),
        "chain": check_entry(scope.chain),
        "largest": worst.path if worst else "",
        "largest_ratio": worst.alone.ratio if worst else 0.0,
    }
