"""The errors of the workbench, under the name that programs import."""

from workbench.core.errors import *  # noqa: F403
