"""Editor and graphs as widgets, without a browser: what they hold, say and leave behind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.holder import Holder
from tests.small_programs import classifier, deep
from workbench.checks.results.checks import Check
from workbench.core.errors import InputError, MappingError
from workbench.editing.edits import edit_row
from workbench.notebook import selection
from workbench.notebook.editor import Editor, default_file, editor_script, session_for
from workbench.notebook.graphs import LayerGraph, show_graph
from workbench.notebook.static import MOST_ROWS, table_html
from workbench.sources.interface import ModelFiles


class Migration(Holder):
    """Enough of a migration for the widgets."""

    files = None
    origin = ""


@pytest.fixture
def migration() -> Migration:
    return Migration(classifier())


def test_the_editor_opens_with_its_table(migration: Migration, tmp_path: Path) -> None:
    editor = Editor(migration, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    told = json.loads(editor.snapshot)
    assert len(told["rows"]) == 7
    assert editor.version == told["version"]
    assert "7 rows" in repr(editor)
    data, _ = editor._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "head.mystery" in data["text/html"]


def test_editors_of_one_migration_share_their_session(migration: Migration, tmp_path: Path) -> None:
    one = Editor(migration, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    one.session.handle({"type": "edit", "edits": {"head.fc": {"note": "hello"}}})
    two = Editor(migration, live=False)  # type: ignore[arg-type]
    assert one.session is two.session
    assert two.model.rows["head.fc"].edited == {"note": "hello"}
    assert migration.mapping["head.fc"].edited == {"note": "hello"}
    assert "hello" in two.snapshot
    other = Migration(classifier())
    again = Editor(other, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    assert again.session is not one.session
    assert other.mapping["head.fc"].edited == {"note": "hello"}, "found in the file"


def test_selecting_a_row_from_python(migration: Migration, tmp_path: Path) -> None:
    editor = Editor(migration, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    editor.select("head.fc")
    with pytest.raises(MappingError, match="no row 'nope'"):
        editor.select("nope")


def test_the_script_is_whole_and_asks_nobody(tmp_path: Path) -> None:
    script = editor_script()
    assert script.count("export default") == 1
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script)
    assert "innerHTML" not in script, "texts go in as texts"
    assert "import " not in re.sub(r"//.*", "", script)


def test_where_edits_are_kept(migration: Migration) -> None:
    for name, wanted in (
        ("inference.json", "mapping.yaml"),
        ("det.json", "det.mapping.yaml"),
        ("model.pdmodel", "model.mapping.yaml"),
    ):
        program = Path("/models/ocr") / name
        migration.files = ModelFiles(program, program.with_suffix(".pdiparams"))  # type: ignore[assignment]
        assert default_file(migration) == program.parent / wanted  # type: ignore[arg-type]
    migration.files = None
    migration.origin = "paddle.nn.Layer <LeNet>"
    assert default_file(migration) == Path("paddle_nn_Layer_LeNet.mapping.yaml")  # type: ignore[arg-type]


# --- static table -------------------------------------------------------------------------------


def test_the_static_table_escapes_what_comes_from_the_model() -> None:
    mapping = classifier()
    row = replace(mapping["head.fc"], path="<script>alert(1)</script>", notes=("<b>&",))
    html = table_html(mapping.with_row("head.fc", row))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html


def test_a_long_table_shows_what_needs_attention() -> None:
    mapping = deep(2000)
    last = list(mapping.walk())[-1].path
    html = table_html(mapping, {last: Check("wrong")})
    assert html.count("<tr>") == MOST_ROWS + 1
    assert last in html
    assert "✕ wrong" in html
    assert f"{2000 - MOST_ROWS} unremarkable rows are not shown" in html
    assert len(html) < 300_000


# --- graphs -------------------------------------------------------------------------------------


def test_the_layer_graph_follows_the_mapping(migration: Migration) -> None:
    graph = LayerGraph(migration)  # type: ignore[arg-type]
    assert "head.fc" in graph.svg
    assert "head.fc" in graph._repr_mimebundle_()[0]["text/html"]
    graph._received(None, {"type": "fold", "path": "head", "folded": True}, [])
    assert 'data-path="head.fc"' not in graph.svg
    graph._received(None, {"type": "all", "how": "none"}, [])
    assert 'data-path="head.fc"' in graph.svg
    graph._received(None, {"type": "all", "how": "all"}, [])
    assert 'data-path="head.fc"' not in graph.svg
    graph.select("head.fc")
    assert 'data-path="head.fc"' in graph.svg
    migration.mapping = edit_row(migration.mapping, "head.fc", {"rename": "head.out"})
    graph.refresh()
    assert 'data-path="head.out"' in graph.svg
    before = graph.svg
    graph.refresh()
    assert graph.svg is before, "nothing changed, nothing drawn"
    graph._received(None, {"type": "columns", "columns": 2}, [])
    graph._received(None, {"type": "nonsense"}, [])


def test_the_graph_takes_its_errors_from_the_editor(migration: Migration, tmp_path: Path) -> None:
    graph = LayerGraph(migration)  # type: ignore[arg-type]
    assert "wlg-wrong" not in graph.svg.split("</style>")[1]
    session = session_for(migration, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    session.model.alone["head.fc"] = Check("wrong", problem="shape")
    session.revision += 1
    graph.refresh()
    assert "wlg-wrong" in graph.svg.split("</style>")[1]


def test_selection_goes_both_ways(migration: Migration, tmp_path: Path) -> None:
    graph = LayerGraph(migration)  # type: ignore[arg-type]
    sent: list[Any] = []
    graph.send = sent.append
    session = session_for(migration, tmp_path / "m.yaml", live=False)  # type: ignore[arg-type]
    told: list[Any] = []
    session.send = told.append
    session.handle({"type": "select", "key": "head.fc"})
    assert sent == [{"type": "select", "path": "head.fc"}]
    graph._received(None, {"type": "select", "path": "block.conv2d"}, [])
    assert told[-1] == {"type": "reveal", "key": "block.conv2d"}
    assert len(sent) == 1, "the graph does not hear itself"
    del graph
    selection.select(migration, "head.fc", None)


def test_graphs_that_do_not_exist(migration: Migration) -> None:
    with pytest.raises(InputError, match="There is no graph 'pie'"):
        show_graph(migration, "pie")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no file that Netron could open"):
        show_graph(migration, "netron")  # type: ignore[arg-type]


def test_netron_pages(migration: Migration, tmp_path: Path) -> None:
    from urllib.request import urlopen

    source = tmp_path / "inference.json"
    source.write_text("{}")
    migration.program = replace(migration.program, source=source)
    graph = show_graph(migration, "both")  # type: ignore[arg-type]
    assert [frame["title"] for frame in graph.frames] == ["Paddle", "PyTorch"]
    for url in graph.urls:
        with urlopen(url, timeout=10) as answer:
            assert b"Netron" in answer.read()
    with urlopen(f"{graph.urls[1]}data/model.netron", timeout=10) as answer:
        assert json.loads(answer.read())["signature"].startswith("netron:")
    assert "run the cell" in graph._repr_mimebundle_()[0]["text/plain"]
