"""Probes: a row's own Paddle operators, run alone on inputs that we choose.

The values of a run show only what its inputs reach, and nothing of a branch that was not taken. So
each row's operators are cut out of the saved program, fed with numbers that cross bounds, meet ties
and are tiny or large, and the PyTorch row is compared on the same numbers.
"""

from __future__ import annotations

from workbench.checks.probes.attach import probed

__all__ = ["probed"]
