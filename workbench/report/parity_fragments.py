"""Short HTML forms of the parity checks for notebooks."""

from __future__ import annotations

from markupsafe import Markup

from workbench.checks.results.comparison import Comparison, LayerChange
from workbench.checks.results.gradients import GradientCheck, GradientParity
from workbench.checks.results.training import TrainingParity
from workbench.checks.tasks.task import TaskParity
from workbench.report.pieces import ROWS, box, code, facts, folded, head, more, table, word
from workbench.report.words import SIGNS, dims, scientific, times, visible


def gradients_html(found: GradientParity) -> str:
    """The verdict, the gradients that differ, and those of inputs and parameters."""
    status = found.summary.partition(":")[0]
    told = found.summary.partition(": ")[2]
    ends = [check for check in found.checks if check.kind != "value"]
    bad = [check for check in found.checks if check.failed or check.chain.failed]
    near = sorted(ends, key=lambda check: -max(check.alone.ratio, check.chain.ratio))[:8]
    title = "gradients that differ" if bad else "closest to the tolerance"
    return box(
        head(f"{SIGNS[status]} Gradients {status}", visible(told)),
        facts(
            [
                ("inputs", visible(", ".join(found.inputs))),
                *(("note", visible(note)) for note in found.notes),
            ]
        ),
        Markup('<p class="wb-note">{}</p>').format(title),
        _gradients(bad[:ROWS] or near),
        folded("all inputs and parameters", _gradients(ends[:ROWS]),
               more(len(ends), "frame() has all of them")),
    )  # fmt: skip


def _gradients(checks: list[GradientCheck]) -> Markup:
    names = ("gradient of", "kind", "shape", "alone", "÷", "chain", "÷", "verdict")
    return table(names, [_gradient(check) for check in checks], "ccsrrrrc")


def _gradient(check: GradientCheck) -> tuple[object, ...]:
    cells: list[object] = [code(check.name), check.kind, dims(check.shape)]
    for one in (check.alone, check.chain):
        cells += [scientific(one.error.relative) if one.error else "", times(one.ratio)]
    bad = check.chain.failed and not check.failed
    worst = check.chain if bad else check.alone
    return (*cells, word(worst.verdict, SIGNS, " in the chain" if bad else ""))


def comparison_html(found: Comparison) -> str:
    """What changed since an earlier verification."""
    names = ("", "layer", "where", "before", "÷", "now", "÷")
    lines = [_change(change) for change in found.changes[:ROWS]]
    return box(
        head("Since the earlier verification", visible(found.summary)),
        table(names, lines, "cccrrrr") if lines else Markup(""),
        more(len(found.changes), "frame() has all of them"),
    )


def _change(change: LayerChange) -> tuple[object, ...]:
    cells: list[object] = [change.kind, code(change.path), change.place]
    for check in (change.before, change.now):
        cells += [word(check.verdict, SIGNS), times(check.ratio)] if check else ["", ""]
    return tuple(cells)


def task_html(found: TaskParity) -> str:
    """Scores, agreement, and the samples with different answers."""
    lines = [(visible(d.sample), visible(d.paddle), visible(d.torch)) for d in found.disagreements]
    skipped = [(visible(name), visible(why)) for name, why in found.skipped[:ROWS]]
    return box(
        head("Task parity", visible(str(found))),
        table(("sample", "Paddle", "PyTorch"), lines) if lines else Markup(""),
        table(("left out", "because"), skipped) if skipped else Markup(""),
    )


def training_html(found: TrainingParity) -> str:
    """Losses side by side, and what differs on purpose."""
    lines = [
        (course.optimiser, step, f"{theirs:.8g}", f"{ours:.8g}", scientific(bound))
        for course in found.courses
        for step, (theirs, ours, bound) in enumerate(
            zip(course.paddle, course.torch, course.tolerance, strict=True)
        )
    ]
    return box(
        head("Training parity", visible(found.summary)),
        table(("optimiser", "step", "Paddle", "PyTorch", "tolerance"), lines, "crrrr"),
        _statistics(found),
        facts([("note", visible(warning)) for warning in found.warnings]),
    )


def _statistics(found: TrainingParity) -> Markup:
    """The running statistics of batch norm closest to their tolerance, or beyond it."""
    lines = [
        (course.optimiser, code(one.path), one.key, scientific(one.apart), f"{one.factor:.6g}",
         scientific(one.check.error.relative) if one.check.error else "", times(one.check.ratio),
         word(one.check.verdict, SIGNS))
        for course in found.courses
        for one in course.worst_statistics[:3]
    ]  # fmt: skip
    names = ("optimiser", "batch norm", "", "apart", "n / (n - 1)", "error", "÷", "verdict")
    return table(names, lines, "cccrrrrc") if lines else Markup("")
