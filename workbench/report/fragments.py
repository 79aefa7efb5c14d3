"""Short HTML forms of Program, Mapping and Verification for notebooks.

They take colours from the notebook's theme, need no script, escape everything, and stay short: long
tables scroll and show their first rows with the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from workbench.checks.results.checks import Check, LayerCheck
from workbench.checks.results.verification import Verification
from workbench.core.mapping import STATUSES, Mapping, Row
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.report.changes import unsupported_rows
from workbench.report.charts import mini_histogram, relative_tolerance
from workbench.report.content import status_of, worst_layers
from workbench.report.model_card import operator_counts
from workbench.report.pieces import (  # fmt: skip
    ROWS,
    box,
    code,
    facts,
    folded,
    head,
    more,
    table,
    word,
)
from workbench.report.words import SIGNS, call_text, counted, dims, scientific, size, times, visible

if TYPE_CHECKING:
    from workbench.export.bundle import Bundle


def program_html(program: Program) -> str:
    """Inputs, outputs, parameters and operators of a program."""
    count = sum(1 for _ in program.walk())
    total = size(sum(parameter.nbytes for parameter in program.parameters.values()))
    parameters = f"{counted(len(program.parameters))} parameters ({total})"
    first = head("Program", f"{counted(count)} operators, {parameters}")
    values = table(
        ("", "name", "dtype", "shape"),
        [
            *(("input", *_value(value)) for value in program.inputs),
            *(("output", *_value(value)) for value in program.outputs),
        ],
    )
    operators = [(code(name), counted(number)) for name, number in operator_counts(program)]
    return box(first, values, folded("operators", table(("operator", "count"), operators, "cr")))


def mapping_html(mapping: Mapping) -> str:
    """The rows of a mapping; operators without a rule first."""
    rows = list(mapping.walk())
    counts = Counter(row.status for row in rows)
    told = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    shown = [_row(mapping, row) for row in rows[:ROWS]]
    lines = table(("layer", "Paddle", "output", "PyTorch", "notes", "status"), shown, "ccsccc")
    return box(
        head("Mapping", f"{counted(len(rows))} rows: {told}" if rows else "no rows"),
        _unsupported(mapping),
        lines if rows else "",
        more(len(rows), "m.mapping.frame() has all of them"),
    )


def verification_html(verification: Verification) -> str:
    """The verdict, what it rests on, and the layers that matter most."""
    status = status_of(None, verification)
    layers = verification.layers
    compared = sum(layer.verdict != "unchecked" for layer in layers)
    told = verification.summary.partition(": ")[2]
    first = Markup('<p class="wb-head"><b class="wb-{}">{} {}</b> {}</p>').format(
        status,
        SIGNS[status],
        verification.outcome,
        visible(told),
    )
    known = facts(
        [
            ("layers compared", f"{counted(compared)} of {counted(len(layers))}"),
            *(
                (f"run {number}", visible(", ".join(run.inputs)))
                for number, run in enumerate(verification.runs, 1)
            ),
            *((visible(output.name), _output(output.check)) for output in verification.outputs[:8]),
            *_unproven(layers),
            *(("note", visible(note)) for note in verification.notes),
        ]
    )
    worst = worst_layers(verification)
    near = _layers(worst)
    title = "layers at fault first" if verification.first_mismatch else "closest to the tolerance"
    return box(
        first,
        known,
        Markup('<p class="wb-note">{}</p>{}').format(title, near) if worst else "",
        folded(
            "all layers", _layers(layers[:ROWS]), more(len(layers), "v.frame() has all of them")
        ),
    )


# --- rows -------------------------------------------------------------------------------------


def bundle_html(bundle: Bundle) -> str:
    """The files of an exported bundle with their sizes."""
    proof = "verified against Paddle" if bundle.verified else "not verified"
    files = table(
        ("file", "size"),
        [(code(name), f"{size / 1e3:,.1f} kB") for name, size in bundle.files.items()],
        "cr",
    )
    return box(head(f"Bundle {bundle.folder}", proof), files)


def _value(value: Value) -> tuple[Any, ...]:
    return code(value.label), value.dtype, dims(value.shape)


def _row(mapping: Mapping, row: Row) -> tuple[Any, ...]:
    shape = dims(row.values[0].shape) if row.values else ""
    notes = row.note if row.status != "unsupported" else row.reason
    ops = " + ".join(name.partition(".")[2] or name for name in row.ops)
    return (
        code(row.path),
        visible(ops),
        shape,
        code(call_text(mapping, row)),
        visible(notes),
        word(row.status, {"unsupported": "✕", "edited": "✎", "custom": "✎"}),
    )


def _unsupported(mapping: Mapping) -> Markup:
    entries = unsupported_rows(mapping)
    if not entries:
        return Markup("")
    lines = [
        (code(entry["op"]), counted(len(entry["paths"])), visible(entry["reason"]),
         visible(entry["hint"]))
        for entry in entries
    ]  # fmt: skip
    return table(("without a rule", "rows", "reason", "what to do"), lines, "crcc")


def _unproven(layers: Iterable[LayerCheck]) -> list[tuple[str, str]]:
    """How many layers were compared on a reference that proves little."""
    found = Counter(layer.health[0] for layer in layers if layer.health)
    told = ", ".join(f"{count} {visible(health)}" for health, count in found.items())
    return [("prove little", f"{told} in Paddle")] if found else []


def _layers(layers: Iterable[LayerCheck]) -> Markup:
    names = ("layer", "Paddle", "alone", "error ÷ scale", "tolerance", "÷", "chain",
             "error ÷ scale", "verdict")  # fmt: skip
    return table(names, [_layer(layer) for layer in layers], "ccxrrrxrc")


def _layer(layer: LayerCheck) -> tuple[Any, ...]:
    alone, chain = layer.alone, layer.chain
    ops = " + ".join(name.partition(".")[2] or name for name in layer.ops)
    told = [word(layer.verdict, SIGNS)]
    if chain.failed and not alone.failed:
        told.append(Markup("<br>{}").format(word(chain.verdict, SIGNS, " in the chain")))
    problem = alone.problem or chain.problem
    told += [Markup("<br>{}").format(visible(text)) for text in (problem, *layer.health) if text]
    return (
        code(layer.path),
        visible(ops),
        Markup(mini_histogram(alone)),
        scientific(alone.error.relative) if alone.error else "",
        scientific(relative_tolerance(alone)) if alone.error else "",
        times(alone.ratio) if alone.error else "",
        Markup(mini_histogram(chain)),
        scientific(chain.error.relative) if chain.error else "",
        Markup("").join(told),
    )


def _output(check: Check) -> Markup:
    told = check.problem
    if check.error is not None:
        told = (
            f"error {scientific(check.error.relative)} of its scale, {times(check.ratio)} its "
            f"tolerance, cosine {check.error.cosine:.7g}"
        )
    return Markup("{} {}").format(word(check.verdict, SIGNS), visible(told))
