"""Why a layer differs from Paddle: the mistake that explains it, and the edit that mends it."""

from __future__ import annotations

from workbench.checks.diagnosis.diagnose import diagnose, diagnose_all

__all__ = ["diagnose", "diagnose_all"]
