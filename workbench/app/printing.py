"""What the command line prints of a model, a verification and a comparison."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.app.migration import Migration
    from workbench.checks.results.comparison import Comparison
    from workbench.checks.results.verification import Verification


def print_operators(migration: Migration) -> None:
    """Each operator of the program with its count and its rule, then the rows without one."""
    counts = Counter(op.name for op in migration.program.walk())
    print(f"\noperators   {len(counts)} kinds, {sum(counts.values())} ops")
    for name, count in counts.most_common():
        covered = migration.rules.states(name)
        rule = migration.rules.find(name)
        place = rule.place if rule else "built in" if covered else "no rule"
        print(f"  {name:40s} {count:5d}  {place}")
    for row in migration.mapping.unsupported:
        print(f"\nunsupported {row.path} ({', '.join(row.ops)}): {row.reason}")
        if row.hint:
            print(f"            → {row.hint}")


def print_verdict(verification: Verification) -> None:
    """The verdict of a verification with its largest error, outputs, notes and causes."""
    largest = verification.largest_error
    if largest is not None and largest.alone.error is not None:
        error = largest.alone.error
        print(
            f"largest   {error.relative:.2e} of the layer's scale ({error.max_abs:.2e} absolute), "
            f"layer {largest.path}"
        )
    for output in verification.outputs:
        found = output.check.error
        told = f"largest difference {found.max_abs:.2e}" if found else "not compared"
        print(f"output    {output.name} {list(output.shape)}: {output.check.verdict}, {told}")
        for word in output.health:
            print(f"          reference is {word}: comparing it proves little")
    print(f"verdict   {verification.summary}")
    for note in verification.notes:
        print(f"          {note}")
    for finding in verification.diagnosis:
        print(f"cause     {finding}")
        if finding.command or finding.remedy:
            print(f"          → {finding.command or finding.remedy}")
    others = len(verification.root_causes) - len({f.path for f in verification.diagnosis})
    if others > 0:
        print(f"          {others} more layers at fault, see --layers or the report")


def print_comparison(found: Comparison) -> None:
    """What changed since a saved verification."""
    print(f"since     {found.summary}")
    for change in found.changes:
        checks = (change.before, change.now)
        told = " → ".join(f"{c.verdict} ({c.ratio:.3g}× its tolerance)" for c in checks if c)
        print(f"  {change.kind:6s} {change.path} {change.place}: {told}")
