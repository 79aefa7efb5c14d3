"""The command line: `workbench inspect | migrate | verify | report | export | benchmark`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.app.printing import print_comparison, print_operators, print_verdict
from workbench.core.errors import ConversionError, InputError, ModelFileError, WorkbenchError

if TYPE_CHECKING:
    from workbench.app.migration import Migration
    from workbench.checks.results.verification import Verification
    from workbench.export.bundle import Bundle

NOT_PROVEN, USAGE_ERROR, FAILED, OK = 3, 2, 1, 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0: done, and for `migrate` and `verify` the model is complete and agrees with Paddle. 1: the
    model cannot be converted, differs, or answers a task otherwise. 2: wrong usage or unreadable
    input. 3: nothing differs, but something was compared with nothing that could show it.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ModelFileError, InputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workbench",
        description="Migrate a PaddlePaddle model to PyTorch and prove the result.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in _COMMANDS:
        add(commands)
    return parser


def _command(commands: Any, name: str, run: Any, told: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    added.add_argument("model", help="folder, inference.json, .pdmodel, or path prefix")
    added.add_argument("--names", help=".pdparams file that names the layers")
    added.set_defaults(run=run)
    return added


def _add_inspect(commands: Any) -> None:
    told = "Show inputs, outputs, operators with and without a rule, scopes."
    _command(commands, "inspect", _inspect, told)


def _add_migrate(commands: Any) -> None:
    told = "Convert, verify, and write the bundle and the report."
    command = _command(commands, "migrate", _migrate, told)
    command.add_argument("--out", required=True, help="folder for the bundle")
    for options in (_take_inputs, _take_checks, _take_code, _take_report, _take_formats):
        options(command)


def _add_verify(commands: Any) -> None:
    told = "Compare every layer with Paddle; or check a bundle."
    command = _command(commands, "verify", _verify, told)
    command.add_argument("--layers", action="store_true", help="print a line for every layer")
    command.add_argument("--scopes", action="store_true", help="also check blocks of layers")
    command.add_argument(
        "--precision", choices=("tf32", "bfloat16", "float16"),
        help="also tell what tensor cores in this format make of the model",
    )  # fmt: skip
    command.add_argument("--save", metavar="FILE", help="keep the result as JSON")
    for options in (_take_inputs, _take_checks, _take_code):
        options(command)


def _add_report(commands: Any) -> None:
    command = _command(commands, "report", _report, "Verify and write the HTML report only.")
    command.add_argument("--out", default="report.html", help="HTML file (default: report.html)")
    for options in (_take_inputs, _take_checks, _take_code, _take_report):
        options(command)


def _add_export(commands: Any) -> None:
    command = _command(commands, "export", _export, "Write the bundle only.")
    command.add_argument("--out", required=True, help="folder for the bundle")
    for options in (_take_inputs, _take_code, _take_formats):
        options(command)


def _add_benchmark(commands: Any) -> None:
    told = "Time loading, conversion and a forward pass."
    command = _command(commands, "benchmark", _benchmark, told)
    command.add_argument("--repeat", type=int, default=10, help="timed forward passes")
    for options in (_take_inputs, _take_code):
        options(command)


def _add_transplant(commands: Any) -> None:
    told = "Fill a PyTorch module of your own from the model, with proof."
    command = _command(commands, "transplant", _transplant, told)
    command.add_argument(
        "--target", required=True, metavar="EXPRESSION",
        help="Python that makes the module: \"torchvision.models.resnet18()\"",
    )  # fmt: skip
    command.add_argument("--out", required=True, help="folder for tensors, table and report")
    command.add_argument("--inputs", help=".npz with one array per input")


_COMMANDS = (
    _add_inspect, _add_migrate, _add_verify, _add_report, _add_export, _add_benchmark,
    _add_transplant,
)  # fmt: skip


def _take_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--inputs", help=".npz with one array per input")
    command.add_argument("--mapping", help="mapping.yaml with edits to apply")


def _take_checks(command: argparse.ArgumentParser) -> None:
    command.add_argument("--task", metavar="FOLDER", help="samples.npz or images for both models")
    command.add_argument("--compare", metavar="FILE", help="tell what changed since a saved result")
    command.add_argument("--answer", metavar="FILE.py:NAME", help="function: outputs to answers")
    command.add_argument(
        "--thorough", action="store_true",
        help="verify with odd sizes, large, negative and equal values, padding, more seeds",
    )  # fmt: skip
    command.add_argument("--gradients", action="store_true", help="compare gradients too")
    command.add_argument("--training", action="store_true", help="compare a few training steps too")
    command.add_argument(
        "--batch-norm", choices=("stored", "train"), default="stored",
        help="statistics in --gradients and --training: as exported, or of the batch",
    )  # fmt: skip


def _take_code(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--code", metavar="FILE.py", help="own code: its migrate(m) is called after loading"
    )
    command.add_argument(
        "--rewrite", action="append", default=[], metavar="NAME",
        help="put a faster call of torch in place of several rows, as inspect offers",
    )  # fmt: skip


def _take_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("--benchmark", action="store_true", help="time both frameworks too")
    command.add_argument(
        "--lang", choices=("en", "zh"), default="en", help="language of the report"
    )


def _take_formats(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format", action="append", default=[], metavar="NAME",
        help="also write pt2, torchscript or onnx; may be repeated",
    )  # fmt: skip


def _load(options: argparse.Namespace) -> Migration:
    from workbench.app.migration import load

    migration = load(options.model, names=options.names)
    if getattr(options, "code", None):
        from workbench.app.own_file import use_file

        use_file(migration, options.code)
    for name in getattr(options, "rewrite", ()):
        migration.rewrite(name)
    if getattr(options, "mapping", None):
        migration.mapping = migration.mapping.apply(options.mapping)
    return migration


def _inspect(options: argparse.Namespace) -> int:
    with _load(options) as migration:
        program, mapping = migration.program, migration.mapping
        print(f"model       {migration.origin}")
        for word, values in (("input", program.inputs), ("output", program.outputs)):
            for value in values:
                print(f"{word:11s} {value!r}")
        size = sum(parameter.nbytes for parameter in program.parameters.values())
        print(f"parameters  {len(program.parameters)} tensors, {size / 1e6:.1f} MB")
        print(f"mapping     {mapping!r}")
        for name, count in migration.offers.items():
            print(f"offer       {name} in {count} places: --rewrite {name}")
        print_operators(migration)
        scopes = Counter(row.scope.strip("/").split("/")[0] for row in mapping.walk() if row.scope)
        if scopes:
            print("\nscopes (rows)")
            for name, count in scopes.items():
                print(f"  {name:40s} {count}")
        return FAILED if mapping.unsupported else OK


def _migrate(options: argparse.Namespace) -> int:
    from workbench.export.place import examine

    examine(Path(options.out))  # before minutes of verification
    start = time.perf_counter()
    with _load(options) as migration:
        migration.convert()
        converted = time.perf_counter() - start
        verification = migration.verify(options.inputs, thorough=options.thorough)
        agreed = _more_checks(migration, options)
        bundle = _exported(migration, options)
        report = migration.report(Path(options.out) / "report.html", lang=options.lang)
        rows = list(migration.mapping.walk())
        print(f"model     {migration.origin}")
        print(f"layers    {len(rows)} rows, {sum(row.is_layer for row in rows)} of them modules")
        print(f"converted in {converted:.2f} s, verified in {verification.seconds:.2f} s")
        print_verdict(verification)
        print(f"bundle    {bundle.folder}")
        print(f"report    {report}")
        complete = set(options.format) <= set(bundle.formats)
        return _code(verification, agreed and complete)


def _code(verification: Verification | None, rest: bool) -> int:
    """The exit code of a verification, and of all else that was asked for."""
    if verification is None or verification.failed or not rest:
        return FAILED
    return OK if verification.passed else NOT_PROVEN


def _exported(migration: Migration, options: argparse.Namespace) -> Bundle:
    """The bundle; formats that failed are told and left out."""
    from workbench.export.bundle import FormatError

    try:
        bundle = migration.export(options.out, formats=options.format)
    except FormatError as error:
        print(f"error: {error}", file=sys.stderr)
        bundle = error.bundle
    for name, told in bundle.formats.items():
        print(f"{name:9s} {told}")
    return bundle


def _more_checks(migration: Migration, options: argparse.Namespace) -> bool:
    """Gradients, training, task, comparison, times where asked for; false when one differs."""
    from workbench.checks.tasks.task import has_task, user_function

    agreed = True
    if options.gradients:
        found = migration.gradients(options.inputs, batch_norm=options.batch_norm)
        agreed = found.passed
        print(f"gradients {found.summary}")
        for note in found.notes:
            print(f"          {note}")
    if options.training:
        trained = migration.training(options.inputs, batch_norm=options.batch_norm)
        agreed = agreed and trained.passed
        print(f"training  {trained.summary}")
        for warning in trained.warnings:
            print(f"          {warning}")
    beside = migration.files.program.parent if migration.files else Path()
    labelled = options.run is not _verify and has_task(beside)
    folder = options.task or (beside if labelled else None)
    if folder:
        answer = user_function(options.answer) if options.answer else None
        task = migration.task(folder, answer=answer)
        agreed = agreed and task.passed
        print(f"task      {task}")
    if options.compare:
        print_comparison(migration.compare(options.compare))
    if getattr(options, "benchmark", False):
        migration.benchmark(options.inputs)
    return agreed


def _verify_bundle(folder: Path) -> int:
    """Needs no Paddle: the bundle holds its values."""
    from workbench.export.bundle_check import check_bundle

    found = check_bundle(folder)
    for line in found.compared:
        print(f"output    {line}")
    for problem in found.problems:
        print(f"differs   {problem}")
    for name in found.added:
        print(f"added     {name!r} is not of the bundle")
    told = "passed: every file is as it was written, and every output agrees with Paddle"
    print(f"verdict   {told if found.passed else 'failed'}")
    return OK if found.passed else FAILED


def _verify(options: argparse.Namespace) -> int:
    from workbench.export.bundle_check import looks_like_bundle

    if looks_like_bundle(Path(options.model)):
        return _verify_bundle(Path(options.model))
    with _load(options) as migration:
        verification = migration.verify(options.inputs, thorough=options.thorough)
        if options.scopes:
            verification = migration.check_scopes()
            for scope in verification.scopes:
                error = scope.alone.error
                told = f"{error.relative:9.2e}" if error else "        –"
                print(f"{scope.verdict:10s} {told} {scope.path} ({scope.target})")
        if options.layers:
            for layer in verification.layers:
                error = layer.alone.error
                told = f"{error.relative:9.2e}" if error else "        –"
                print(f"{layer.verdict:10s} {told} {layer.path} ({', '.join(layer.ops)})")
        print_verdict(verification)
        if options.precision:
            print(f"\nprecision {options.precision}")
            print_verdict(migration.check_precision(options.precision))
        agreed = _more_checks(migration, options)
        if options.save:
            print(f"saved     {verification.save(options.save)}")
        return _code(verification, agreed)


def _report(options: argparse.Namespace) -> int:
    with _load(options) as migration:
        try:
            verification = migration.verify(options.inputs, thorough=options.thorough)
        except ConversionError as error:
            print(f"error: {error}", file=sys.stderr)
            migration.report(options.out, lang=options.lang)
            return FAILED
        agreed = _more_checks(migration, options)
        print(f"report    {migration.report(options.out, lang=options.lang)}")
        return _code(verification, agreed)


def _export(options: argparse.Namespace) -> int:
    with _load(options) as migration:
        if options.inputs:
            migration.verify(options.inputs)
        bundle = _exported(migration, options)
        for name, size in bundle.files.items():
            print(f"{size:12,d}  {bundle.folder / name}")
        complete = set(options.format) <= set(bundle.formats)
        return _code(migration.verification, complete)


def _transplant(options: argparse.Namespace) -> int:
    from workbench.app.transplant.command import run

    made = run(options.model, options.target, options.out, options.inputs)
    found = made.verification
    assert found is not None
    print(f"target    {type(made.target).__name__}: {made.mapping!r}")
    print_verdict(found)
    for key in made.mapping.missing:
        print(f"missing   {key}")
    for name in made.mapping.unused:
        print(f"unused    {name}")
    print(f"folder    {options.out}")
    return OK if made.passed else FAILED if found.failed else NOT_PROVEN


def _benchmark(options: argparse.Namespace) -> int:
    with _load(options) as migration:
        for line in migration.benchmark(options.inputs, options.repeat):
            print(line)
        return OK


if __name__ == "__main__":
    sys.exit(main())
