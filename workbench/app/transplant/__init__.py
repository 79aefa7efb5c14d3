"""Weights of a model into a module that the user already has, with proof."""

from __future__ import annotations

from workbench.app.transplant.transplanting import Transplant, transplant

__all__ = ["Transplant", "transplant"]
