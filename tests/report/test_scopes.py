"""Scopes in the report: those that differ come first, each with its nearest layer."""

from __future__ import annotations

from pathlib import Path

import workbench as wb
from workbench.checks.results.checks import Check, LayerCheck, Run
from workbench.checks.results.statistics import ErrorStats
from workbench.checks.results.verification import Verification
from workbench.report.scopes import OPEN, scope_entries


def _check(verdict: str, error: float) -> Check:
    stats = ErrorStats(error, error, 1.0, error, 1.0, 1, 4, 3, (0,) * 24)
    return Check(verdict, stats, 1e-6, 1e-7)


def _layer(path: str, error: float, target: str = "nn.Linear") -> LayerCheck:
    check = _check("wrong" if error > 1e-6 else "rounding", error)
    return LayerCheck(path, ("pd_op.matmul",), target, (4,), "float32", check, check)


def test_scopes_that_differ_come_first_with_their_nearest_layer() -> None:
    layers = (_layer("a.x", 2e-7), _layer("a.y", 4e-7), _layer("b.x", 5e-6), _layer("bb.x", 9e-7))
    scopes = (_layer("a", 3e-7, "2 layers"), _layer("b", 5e-6, "1 layers"))
    entries = scope_entries(Verification((Run(("x [4]",), layers, ()),), scopes=scopes))
    assert [entry["path"] for entry in entries] == ["b", "a"]
    assert [entry["largest"] for entry in entries] == ["b.x", "a.y"]
    assert [entry["layers"] for entry in entries] == [1, 2]
    assert entries[0]["verdict"] == "wrong"


def test_the_report_lists_scopes_and_folds_those_beyond(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "transformer_encoder") as migration:
        migration.verify()
        text = migration.report(tmp_path / "report.html").read_text("utf-8")
        section = text[text.index('id="scopes"') :]
        section = section[: section.index("</section>")]
        paths = [scope.path for scope in migration.verification.scopes]  # type: ignore[union-attr]
        assert 0 < len(paths) <= OPEN
        assert all(f"<code>{path}</code>" in section for path in paths)
        assert "not compared" in section  # alone only on request
        migration.check_scopes()
        text = migration.report(tmp_path / "report.html").read_text("utf-8")
        section = text[text.index('id="scopes"') :]
        assert "not compared" not in section[: section.index("</section>")]
