"""A transplant as one HTML page that opens offline: the verdict, the pairing, the proof."""

from __future__ import annotations

from markupsafe import Markup

from workbench.app.transplant.table import Pairing, Table
from workbench.checks.results.verification import Verification
from workbench.report.fragments import verification_html
from workbench.report.pieces import box, code, facts, head, table

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem}}
</style></head><body><h1>{title}</h1>{verdict}{pairs}{proof}</body></html>
"""


def page(names: tuple[str, str], passed: bool, table_: Table, found: Verification) -> str:
    """The whole page: of a transplant between these, with its table and its proof."""
    title = f"{names[0]} → {names[1]}"
    told = facts(
        [
            ("Verdict", "passed" if passed else found.outcome),
            ("Tensors", repr(table_).removeprefix("Table(").removesuffix(")")),
            ("Nothing fills", ", ".join(table_.missing) or "–"),
            ("Not used", ", ".join(table_.unused) or "–"),
            *[(cause.path, cause.cause) for cause in found.diagnosis],
            *[("Note", note) for note in found.notes],
        ]
    )
    lines = [
        (code(row.key), str(list(row.shape)), code(" + ".join(row.source)), _steps(row), row.why)
        for row in table_.rows
    ]
    pairs = table(("target", "shape", "source", "steps", "why"), lines, "csccc")
    verdict = Markup(box(head("Transplant", title), told))
    return Markup(_PAGE).format(
        title=title, verdict=verdict, pairs=Markup(box(head("Pairs", ""), pairs)),
        proof=Markup(verification_html(found)),
    )  # fmt: skip


def _steps(row: Pairing) -> str:
    return "; ".join(row.steps)
