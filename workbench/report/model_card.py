"""What the report says of the source, of the target, and of the machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core.dtypes import item_size
from workbench.core.errors import RuntimeFailedError
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.report.changes import weights_by_key
from workbench.sources.interface import name_of

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence


def source_card(migration: Evidence) -> dict[str, Any]:
    """The Paddle model: files with hashes, inputs, outputs, operators, parameters."""
    program = migration.program
    parameters = program.parameters.values()
    return {
        "origin": migration.origin,
        "name": name_of(migration.origin),
        "files": [_file(path) for path in model_files(migration)],
        "inputs": [value_entry(value) for value in program.inputs],
        "outputs": [value_entry(value) for value in program.outputs],
        "operators": sum(1 for _ in program.walk()),
        "parameters": len(program.parameters),
        "elements": sum(_elements(parameter.shape) for parameter in parameters),
        "bytes": sum(parameter.nbytes for parameter in parameters),
        "dtypes": dict(Counter(parameter.dtype for parameter in parameters)),
    }


def target_card(mapping: Mapping) -> dict[str, Any]:
    """The PyTorch model: what it is made of, and where its weights come from."""
    rows = list(mapping.walk())
    weights = [weight for row in rows for _, weight in weights_by_key(row)]
    unique = dict.fromkeys(weights)
    used = {weight.parameter for weight in weights}
    used |= {value.parameter for row in mapping.unsupported for value in row.reads}
    unused = [name for name in mapping.program.parameters if name not in used]
    return {
        "class": "torch.fx.GraphModule",
        "rows": len(rows),
        "layers": sum(row.is_layer for row in rows),
        "functions": sum(not row.is_layer and not row.is_parameter for row in rows),
        "bare_parameters": sum(row.is_parameter for row in rows),
        "tensors": len(unique),
        "elements": sum(_elements(weight.final_shape) for weight in unique),
        "bytes": sum(
            _elements(weight.final_shape) * item_size(weight.final_dtype) for weight in unique
        ),
        "dtypes": dict(Counter(weight.final_dtype for weight in unique)),
        "copied": sum(not weight.steps for weight in unique),
        "changed": sum(bool(weight.steps) for weight in unique),
        "shared": len(weights) - len(unique),
        "unused_parameters": unused,
        "statuses": dict(Counter(row.status for row in rows)),
    }


def environment_card(migration: Evidence) -> dict[str, Any]:
    """Versions and machine."""
    from workbench.core.version import __version__

    found = {
        "workbench": __version__,
        "torch": _version("torch"),
        "paddle": paddle_version(migration),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
    }
    if os.environ.get("PADDLE_PYTHON"):
        found["paddle_python"] = os.environ["PADDLE_PYTHON"]
    return found


def reproduce_command(migration: Evidence) -> str:
    """The command that does this migration again, or Python lines for a live layer."""
    edited = any(row.edited for row in migration.mapping.walk())
    if migration.origin.startswith("live "):
        edits = '\nm.mapping = m.mapping.apply("mapping.yaml")' if edited else ""
        kind = migration.origin.removeprefix("live ")
        return (
            "import workbench as wb\n"
            f"m = wb.load(layer, input_spec=[...])  # layer: {kind}{edits}\n"
            'm.verify()\nm.report("report.html")'
        )
    edits = " --mapping mapping.yaml" if edited else ""
    return f"workbench migrate {shlex.quote(migration.origin)} --out out/{edits}{_flags(migration)}"


def _flags(migration: Evidence) -> str:
    """The options that ask for what was run."""
    thorough = migration.verification is not None and migration.verification.thorough
    code = migration.code
    flags = f" --code {shlex.quote(code)}" if code else ""
    flags += "".join(f" --rewrite {name}" for name in migration.rewrites)
    flags += " --thorough" if thorough else ""
    flags += " --gradients" if migration.gradient_parity else ""
    flags += " --training" if migration.training_parity else ""
    task = migration.task_parity
    flags += f" --task {shlex.quote(task.source)}" if task else ""
    return flags + (" --benchmark" if migration.timings else "")


def model_files(migration: Evidence) -> list[Path]:
    """The files that the model was read from: those the person gave where they still exist."""
    origin = Path(migration.origin)
    if origin.is_file():
        program = migration.program
        params = program.params_file
        if program.source is not None and origin.resolve() != program.source.resolve():
            params = origin.with_suffix(".pdiparams")  # translated: the person's own file
        return [path for path in (origin, params) if path is not None and path.is_file()]
    given = (migration.program.source, migration.program.params_file)
    return [path for path in given if path is not None and path.is_file()]


def paddle_version(migration: Evidence) -> str:
    """The version that computed the reference if its process still runs, else the installed one."""
    if migration.verification is not None and migration.runtime.alive:
        with contextlib.suppress(RuntimeFailedError):
            return migration.runtime.version()
    return _version("paddlepaddle") or _version("paddlepaddle-gpu")


def value_entry(value: Value) -> dict[str, Any]:
    """Name, dtype and shape of a value; a dynamic dimension is None."""
    shape = [None if dim < 0 else dim for dim in value.shape]
    return {"name": value.label, "dtype": value.dtype, "shape": shape}


def operator_counts(program: Program) -> list[tuple[str, int]]:
    """How often each operator stands in the program, the most frequent first."""
    return Counter(op.name for op in program.walk()).most_common()


def _elements(shape: Iterable[int]) -> int:
    return int(np.prod(tuple(shape), dtype=np.int64))


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
