"""The layer graph: what it shows, how it folds, and that nothing from the model is trusted."""

from __future__ import annotations

import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.small_programs import ProgramMaker, branching, classifier, deep
from workbench.core.mapping import Mapping
from workbench.report.layer_graph import auto_folded, layer_graph_svg, scope_tree, scopes_in
from workbench.report.layer_graph_style import level_of
from workbench.report.report import harmless

SVG = "{http://www.w3.org/2000/svg}"


def items(svg: str) -> dict[str, ElementTree.Element]:
    """The lines of a drawing by path."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return {path: g for g in found if (path := g.get("data-path")) is not None}


def texts(svg: str) -> str:
    """All texts of a drawing."""
    return " ".join(t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def test_every_layer_is_there_with_its_target() -> None:
    svg = layer_graph_svg(classifier())
    assert {"block", "block.conv2d", "block.re_lu", "head.fc", "head.mystery"} <= set(items(svg))
    assert "nn.Conv2d" in texts(svg)
    assert "✕ unsupported" in texts(svg)
    assert "image" in texts(svg)
    assert "output" in texts(svg)


def test_errors_and_verdicts_are_told_by_colour_sign_and_number() -> None:
    errors = {"head.fc": 0.3, "block.conv2d": 3e-8, "block.re_lu": 0.0}
    verdicts = {"head.fc": "wrong", "block.conv2d": "rounding", "block.re_lu": "exact"}
    found = items(layer_graph_svg(classifier(), errors, verdicts))
    assert found["head.fc"].get("class") == "wlg-item wlg-e6 wlg-wrong"
    assert "✕ 3.0e-1" in "".join(found["head.fc"].itertext())
    assert found["block.conv2d"].get("class") == "wlg-item wlg-e1 wlg-rounding"
    assert "≈ 3.0e-8" in "".join(found["block.conv2d"].itertext())
    assert "✓ 0" in "".join(found["block.re_lu"].itertext())
    assert found["head.mystery"].get("class") == "wlg-item wlg-none"


def test_a_folded_scope_shows_the_worst_inside() -> None:
    errors = {"head.fc": 0.3, "head.mystery": 1e-9}
    svg = layer_graph_svg(classifier(), errors, {"head.fc": "wrong"}, folded={"head"})
    found = items(svg)
    assert "head.fc" not in found
    assert found["head"].get("data-scope") == "1"
    assert "2 layers" in "".join(found["head"].itertext())
    assert "✕ 3.0e-1" in "".join(found["head"].itertext())


@pytest.mark.parametrize(
    ("error", "level"),
    [(None, "none"), (0.0, "e0"), (9e-8, "e1"), (1e-7, "e2"), (2e-3, "e5"), (1.0, "e6"),
     (float("inf"), "e6"), (float("nan"), "e6")],
)  # fmt: skip
def test_levels(error: float | None, level: str) -> None:
    assert level_of(error) == level


def test_infinite_errors_are_drawn() -> None:
    errors = {"head.fc": float("inf"), "block.conv2d": float("nan")}
    assert "∞" in texts(layer_graph_svg(classifier(), errors))


# --- size ---------------------------------------------------------------------------------------


def test_two_thousand_layers_fold_to_what_can_be_read() -> None:
    mapping = deep(2000)
    bad = [row.path for row in mapping.walk()][1234]
    start = time.perf_counter()
    svg = layer_graph_svg(mapping, {bad: 0.5}, {bad: "wrong"})
    assert time.perf_counter() - start < 2
    assert len(items(svg)) <= 120
    assert bad in items(svg), "the failing layer is in view"
    assert len(svg) < 150_000
    shut = auto_folded(mapping)
    depths = {path.count(".") for path in shut}
    assert len(depths) == 1 or max(depths) - min(depths) <= 2
    every = layer_graph_svg(mapping, folded=set(), columns=1)
    assert len(items(every)) >= 2000


def test_all_scopes_folded_leave_the_outermost() -> None:
    mapping = deep(200)
    svg = layer_graph_svg(mapping, folded={s.path for s in scopes_in(scope_tree(mapping))})
    assert all("." not in path for path in items(svg))


# --- lines --------------------------------------------------------------------------------------


def paths(svg: str, kind: str) -> int:
    """How many lines of a kind are drawn."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return sum(kind in (path.get("class") or "").split() for path in found)


def test_data_that_skips_layers_has_a_line_of_its_own() -> None:
    make = ProgramMaker()
    x = first = make.input("x", -1, 4)
    for number in range(4):
        x = make.linear(x, f"fc_{number}", 4)
    straight = make.mapping(x)
    assert paths(layer_graph_svg(straight, columns=1), "wlg-head") == 0
    y = make.op("pd_op.add", {"x": x, "y": first}, (-1, 4))
    residual = layer_graph_svg(make.mapping(y), columns=1)
    assert paths(residual, "wlg-head") == 1
    for columns in (2, 3):
        assert harmless(layer_graph_svg(make.mapping(y), columns=columns))


def test_branches_models_without_layers_and_stored_tensors() -> None:
    assert "choose.then_branch.relu" in items(layer_graph_svg(branching()))
    make = ProgramMaker()
    assert harmless(layer_graph_svg(make.mapping(make.input("x", 2))))
    assert harmless(layer_graph_svg(make.mapping(make.parameter("w", 2))))


# --- a hostile model ----------------------------------------------------------------------------

HOSTILE = "</text></svg><script>alert(1)</script>\"'&\x00\x1b]0;"


def renamed(mapping: Mapping, path: str, new: str) -> Mapping:
    """The mapping with a name that no check has seen."""
    return mapping.with_row(path, replace(mapping[path], path=new, notes=(HOSTILE,)))


def test_names_from_the_model_cannot_break_out() -> None:
    mapping = renamed(classifier(), "head.fc", f"head.{HOSTILE}")
    mapping = renamed(mapping, "block.re_lu", f"{HOSTILE}.relu")
    value = replace(mapping.program.inputs[0], name=HOSTILE)
    mapping = replace(mapping, program=replace(mapping.program, inputs=(value,)))
    svg = layer_graph_svg(mapping, {f"head.{HOSTILE}": 1.0}, {f"head.{HOSTILE}": "wrong"})
    assert harmless(svg)
    assert "<script" not in svg
    assert "\x00" not in svg


def test_the_drawing_is_safe_and_needs_nothing_from_outside() -> None:
    svg = layer_graph_svg(classifier())
    assert harmless(svg)
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in svg
