"""A transplant as one HTML page that opens offline: the verdict, the pairing, the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from workbench.app.transplant.table import Pairing
from workbench.report.fragments import verification_html
from workbench.report.pieces import box, code, facts, head, table

if TYPE_CHECKING:
    from workbench.app.transplant.transplant import Transplant

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem}}
</style></head><body><h1>{title}</h1>{verdict}{pairs}{proof}</body></html>
"""


def page(transplant: Transplant) -> str:
    """The whole page; raises as `Transplant.verify` does where nothing was verified yet."""
    found = transplant.verification or transplant.verify()
    names = transplant.migration.name, type(transplant.target).__name__
    title = Markup("{} → {}").format(*names)
    told = facts(
        [
            ("Verdict", "passed" if transplant.passed else found.outcome),
            ("Tensors", repr(transplant.mapping).removeprefix("Table(").removesuffix(")")),
            ("Nothing fills", ", ".join(transplant.mapping.missing) or "–"),
            ("Not used", ", ".join(transplant.mapping.unused) or "–"),
            *[(cause.path, cause.cause) for cause in found.diagnosis],
            *[("Note", note) for note in found.notes],
        ]
    )
    lines = [
        (code(row.key), str(list(row.shape)), code(" + ".join(row.source)), _steps(row), row.why)
        for row in transplant.mapping.rows
    ]
    pairs = table(("target", "shape", "source", "steps", "why"), lines, "csccc")
    verdict = box(head("Transplant", str(title)), told)
    return Markup(_PAGE).format(
        title=title, verdict=verdict, pairs=box(head("Pairs", ""), pairs),
        proof=Markup(verification_html(found)),
    )  # fmt: skip


def _steps(row: Pairing) -> str:
    return "; ".join(row.steps)
