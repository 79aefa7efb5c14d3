"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores

import pytest

import workbench as wb
from tests.oracle.case import Case
from tests.oracle.check import run_paddle
from workbench.app.migration import Migration
from workbench.report.content import report_content
from workbench.report.report import render
from workbench.report.texts import Texts
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

DATA = Path(__file__).parents[1] / "data"
SAMPLES = ("digits_classifier", "crnn_recognizer", "transformer_encoder", "legacy_classifier")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--properties N`: random cases for each family of operators."""
    parser.addoption("--properties", type=int, default=4, help="random cases for each family")


@pytest.fixture(scope="session")
def oracle() -> Iterator[PaddleProcess]:
    """One Paddle process for all operator cases; it is restarted should it die."""
    with PaddleProcess("tests.oracle.worker", timeout=120) as process:
        yield process


@pytest.fixture(scope="session")
def worker() -> Iterator[PaddleRuntime]:
    """One Paddle process for tests that run whole models; give it to a migration as `_runtime`."""
    with PaddleRuntime(timeout=300) as process:
        yield process


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the sample models."""
    return DATA


@pytest.fixture(autouse=True)
def _every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model a test verifies, its report can be rendered."""
    verify = Migration.verify

    def rendered(migration: Migration, *arguments: Any, **options: Any) -> Any:
        found = verify(migration, *arguments, **options)
        data = report_content(migration)
        page = render(migration.mapping, migration.verification, data, Texts("en"), "report.json")
        assert "</html>" in page
        return found

    monkeypatch.setattr(Migration, "verify", rendered)


@pytest.fixture
def opened(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> Callable[[Case], wb.Migration]:
    """Export a case and open it."""

    def open_(exported: Case) -> wb.Migration:
        run_paddle(exported, oracle, tmp_path)
        migration = wb.load(tmp_path)
        migration._runtime = worker
        return migration

    return open_
