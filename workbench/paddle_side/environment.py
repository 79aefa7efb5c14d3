"""Environment variables that must be set before Paddle is imported."""

from __future__ import annotations

#: Paddle 2 programs are loaded with the PIR API off.
LEGACY = {"FLAGS_enable_pir_api": "0"}
