"""The application of a bundle: written where Paddle's files tell it, kept where it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.checks.tasks.preprocessing import read_preprocessing
from workbench.core.errors import WorkbenchError
from workbench.export.pipeline.application import LABELS, PIPELINE, write_pipeline
from workbench.export.pipeline.trial import PipelineError, try_pipeline

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence


def add_pipeline(migration: Evidence, folder: Path) -> dict[str, Any] | None:
    """Write `pipeline.py` beside `model.py`; returns what the manifest says of it.

    None where no file says what comes before the model. Where it cannot be written, or does
    something else than task parity, nothing is left and the manifest says why.
    """
    config = migration.files.config if migration.files else None
    if config is None:
        return None
    try:
        steps = read_preprocessing(config)
        made = write_pipeline(folder, migration.program, steps)
        compared = try_pipeline(migration, folder, made, steps)
    except WorkbenchError as error:
        return _left_out(folder, error.message.replace(str(config), config.name))
    except PipelineError as error:
        return _left_out(folder, f"{error}.")
    except (TypeError, ValueError, AttributeError, KeyError, ImportError) as error:
        return _left_out(folder, f"{config.name} cannot be understood: {error}.")
    needs = list(made.needs)
    return {"gives": made.gives, "task": made.task, "needs": needs, "compared": compared}


def _left_out(folder: Path, why: str) -> dict[str, Any]:
    for name in (PIPELINE, LABELS):
        (folder / name).unlink(missing_ok=True)
    return {"left_out": why}
