"""The report as a whole: what it says, that it is one safe file, and that it stays small."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup

from tests.report.page import Page
from tests.report.samples import HOSTILE, Migrated, model, on_disk, verified, with_health
from workbench.checks.results.checks import Check
from workbench.checks.results.verification import Verification
from workbench.core.errors import InputError
from workbench.report import report as report_module
from workbench.report.report import json_path, write_report
from workbench.report.words import visible

NAMES = [f"stage{i // 4}.conv_{i}" for i in range(12)]


def report(migrated: Migrated, folder: Path, lang: str = "en") -> tuple[Page, dict, str]:
    path = write_report(migrated, folder / "report.html", lang)  # type: ignore[arg-type]
    text = path.read_text("utf-8")
    return Page(text), json.loads((folder / "report.json").read_text("utf-8")), text


def migrated(faults: dict[int, float] | None = None) -> Migrated:
    mapping = model(NAMES)
    return Migrated(mapping, verified(mapping, faults))


# --- what it says -----------------------------------------------------------------------------


def test_verdict_comes_first_and_names_what_it_rests_on(tmp_path: Path) -> None:
    page, data, _ = report(migrated(), tmp_path)
    first = page.text.partition("Error by depth")[0]
    assert "✓ Passed" in first
    assert "12 of 12 compared layers and 1 of 1 model outputs agree" in first
    assert "x [2, 8]; x [3, 8]" in " ".join(first.split())
    assert "float64" in first
    assert data["verdict"]["status"] == "passed"
    assert data["verdict"]["compared"] == 12
    assert "Nothing limits this verdict" in first


def test_failure_names_the_first_layer_at_fault_and_why_on_top(tmp_path: Path) -> None:
    page, data, _ = report(migrated({3: 5e-2, 7: 1e-2}), tmp_path)
    first = " ".join(page.text.partition("What this rests on")[0].split())
    assert "✕ Failed" in first
    assert f"First layer at fault {NAMES[3]}" in first
    assert "off by 0.1 where rounding explains 2e-6: 5e4× the tolerance" in first
    assert "nn.Linear(8, 8, bias=False)" in first
    assert f"weight ← {NAMES[3]}.w_3 [8, 8] transposed" in first
    assert "causes): 2" in first
    assert data["verdict"]["failed_alone"] == [NAMES[3], NAMES[7]]
    assert data["worst"][:2] == [NAMES[3], NAMES[7]]


def test_failure_in_the_chain_only_says_so(tmp_path: Path) -> None:
    made = migrated({11: 1e-3})
    assert made.verification is not None
    runs = []
    for run in made.verification.runs:
        last = replace(run.layers[11], alone=Check("exact", run.layers[0].alone.error, 1e-6))
        runs.append(replace(run, layers=(*run.layers[:11], last)))
    page, data, _ = report(Migrated(made.mapping, Verification(tuple(runs))), tmp_path)
    assert data["verdict"]["first"] == {"path": NAMES[11], "how": "chain"}
    assert "First layer that differs in the chain" in page.text
    assert "Every layer agrees alone" in page.text


def test_a_layer_that_could_not_run_is_told_with_its_problem(tmp_path: Path) -> None:
    made = migrated()
    assert made.verification is not None
    run = made.verification.runs[0]
    bad = replace(run.layers[2], alone=Check("wrong", problem="shape [2, 4], Paddle has [2, 8]"))
    run = replace(run, layers=(*run.layers[:2], bad, *run.layers[3:]))
    page, data, _ = report(Migrated(made.mapping, Verification((run,))), tmp_path)
    assert "On Paddle's own inputs: shape [2, 4], Paddle has [2, 8]." in page.text
    assert data["layers"][2]["alone"]["problem"] == "shape [2, 4], Paddle has [2, 8]"
    assert data["operators"][0]["verdict"] == "wrong"


def test_without_a_verification_it_claims_nothing(tmp_path: Path) -> None:
    page, data, _ = report(Migrated(model(NAMES)), tmp_path)
    assert data["verdict"] == {"status": "unverified", "ran": False}
    assert "? Not verified" in page.text
    assert "proves nothing about its numbers" in page.text
    assert "Passed" not in page.text


def test_a_verification_that_compared_nothing_is_not_passed(tmp_path: Path) -> None:
    made = migrated()
    assert made.verification is not None
    nothing = Check("unchecked")
    runs = tuple(
        replace(
            run,
            layers=tuple(replace(layer, alone=nothing, chain=nothing) for layer in run.layers),
            outputs=tuple(replace(output, check=nothing) for output in run.outputs),
        )
        for run in made.verification.runs
    )
    page, data, _ = report(Migrated(made.mapping, Verification(runs)), tmp_path)
    assert data["verdict"]["status"] == "unproven"
    assert "? Not proven" in page.text
    assert "0 layers and 0 of 1 model outputs agree" in page.text
    assert "model: output 1;" in page.text
    assert "It did not run, or Paddle hands out no value" in page.text
    assert {"code": "outputs_unchecked", "count": 1} in data["concerns"]
    _, data, _ = report(Migrated(made.mapping, Verification(())), tmp_path)
    assert data["verdict"]["status"] == "unproven"


def test_operators_without_a_rule_make_it_incomplete(tmp_path: Path) -> None:
    mapping = model(NAMES, unsupported=(2, 5))
    page, data, _ = report(Migrated(mapping), tmp_path)
    assert data["verdict"]["status"] == "incomplete"
    assert "2 operators have no counterpart yet" in page.text
    assert f"no rule for {NAMES[5]}" in page.text
    assert [entry["paths"] for entry in data["unsupported"]] == [[NAMES[2]], [NAMES[5]]]


def test_a_verification_from_before_an_edit_does_not_count(tmp_path: Path) -> None:
    made = migrated()
    row = replace(made.mapping[NAMES[0]], path="renamed")
    made.mapping = made.mapping.with_row(NAMES[0], row)
    page, data, _ = report(made, tmp_path)
    assert data["verdict"]["status"] == "unverified"
    assert data["concerns"][0]["code"] == "stale"
    assert "edited after the last verification" in page.text


def test_references_that_prove_nothing_are_listed(tmp_path: Path) -> None:
    made = migrated()
    assert made.verification is not None
    found = with_health(with_health(made.verification, 1, "constant"), 4, "vanishing scale 3e-12")
    page, data, _ = report(Migrated(made.mapping, found), tmp_path)
    assert data["coverage"]["states"] == {"proven": 10, "weak": 2, "unchecked": 0}
    assert {"state": "weak", "reason": "constant", "paths": [NAMES[1]]} in data["coverage"][
        "groups"
    ]
    assert {"code": "weak", "count": 2} in data["concerns"]
    assert "10 of them on a reference that can reveal an error" in page.text


def test_a_reference_healthy_in_one_run_proves_the_layer(tmp_path: Path) -> None:
    made = migrated()
    assert made.verification is not None
    poor = with_health(made.verification, 1, "constant").runs[0]
    _, data, _ = report(
        Migrated(made.mapping, Verification((poor, made.verification.runs[1]))), tmp_path
    )
    assert data["coverage"]["states"]["weak"] == 0


def test_hand_edits_are_shown_before_and_after(tmp_path: Path) -> None:
    mapping = model(NAMES)
    edited = mapping.edit(NAMES[1], target="nn.GELU", note="the paper says GELU")
    page, data, _ = report(Migrated(edited, verified(edited)), tmp_path)
    (edit,) = data["edits"]
    assert (edit["before"], edit["after"]) == ("nn.ReLU()", "nn.GELU()")
    assert "the paper says GELU" in page.text
    assert {"code": "edited", "count": 1} in data["concerns"]
    assert "--mapping mapping.yaml" in data["reproduce"]


def test_changes_are_told_in_words_and_grouped(tmp_path: Path) -> None:
    page, data, _ = report(migrated(), tmp_path)
    weights = next(change for change in data["changes"] if change["kind"] == "weights")
    assert weights["text"] == "weight: transposed"
    assert len(weights["rows"]) == 4
    assert f"note of {NAMES[5]}" in page.text


def test_model_card_has_hashes_and_dynamic_sizes(tmp_path: Path) -> None:
    mapping = on_disk(model(NAMES), tmp_path)
    page, data, _ = report(Migrated(mapping, origin=str(tmp_path / "inference.json")), tmp_path)
    digest = hashlib.sha256(b"{}").hexdigest()
    assert data["source"]["files"][0] == {"name": "inference.json", "bytes": 2, "sha256": digest}
    assert digest in page.text
    assert data["source"]["inputs"][0]["shape"] == [None, 8]
    assert "float32 [?, 8]" in page.text
    assert data["target"]["changed"] == 4
    assert data["target"]["unused_parameters"] == []
    assert f"workbench migrate {tmp_path}/inference.json --out out/" in page.text


def test_json_holds_all_of_it_and_is_strict(tmp_path: Path) -> None:
    made = migrated()
    assert made.verification is not None
    run = made.verification.runs[0]
    stats = run.layers[0].alone.error
    assert stats is not None
    bad = Check("wrong", replace(stats, max_abs=float("inf"), l2=float("nan")), 0.0)
    run = replace(run, layers=(replace(run.layers[0], alone=bad), *run.layers[1:]))
    path = write_report(Migrated(made.mapping, Verification((run,))), tmp_path)  # type: ignore[arg-type]
    assert path == tmp_path / "report.html"

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    data = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert data["format"] == "workbench-report/1"
    assert data["layers"][0]["alone"]["max_abs"] == "inf"
    assert float(data["layers"][0]["alone"]["l2"]) != float(data["layers"][0]["alone"]["l2"])
    assert len(data["layers"]) == len(NAMES)
    assert len(data["layers"][3]["chain"]["counts"]) == 24


def test_an_empty_model_has_a_report(tmp_path: Path) -> None:
    page, data, _ = report(Migrated(model([])), tmp_path)
    assert data["layers"] == []
    assert "Not verified" in page.text


# --- one safe file ----------------------------------------------------------------------------

_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "h1",
    "h2", "h3", "h4", "p", "span", "a", "code", "pre", "dl", "dt", "dd", "ul", "li", "div", "nav",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "small", "b", "br", "details",
    "summary", "wbr", "figure", "figcaption", "svg", "path", "text", "circle", "g", "rect", "form",
    "input", "select", "option", "label", "output", "script",
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_names_stay_text(tmp_path: Path, lang: str) -> None:
    names = [f"{name}{i}" for i, name in enumerate(HOSTILE * 2)]
    mapping = model(names)
    migration = Migrated(mapping, verified(mapping, {2: 1.0}), origin=HOSTILE[0])
    page, data, text = report(migration, tmp_path, lang)
    assert page.tags <= _TAGS, page.tags - _TAGS
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    handlers = [name for name, _ in page.attributes if name.startswith("on")]
    assert not handlers
    for name in names:
        assert visible(name) in page.text
    assert "7*7" in page.text
    assert not re.search("[\u202e\x00]", text)
    assert data["layers"][1]["path"] == names[1]


def test_hostile_names_stay_text_without_rules_and_with_edits(tmp_path: Path) -> None:
    mapping = model([f"{name}{i}" for i, name in enumerate(HOSTILE)], unsupported=(1, 4))
    page, _, _ = report(Migrated(mapping, origin=f"live {HOSTILE[1]}"), tmp_path)
    assert page.tags <= _TAGS
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_nothing_is_fetched_and_only_our_script_runs(tmp_path: Path) -> None:
    page, _, text = report(migrated({3: 1e-2}), tmp_path)
    attributes = dict(page.attributes)
    policy = next(value for name, value in page.attributes if name == "content" and "src" in value)
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "src" not in attributes
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert "url(" not in text
    assert "@import" not in text
    assert text.lstrip().startswith("<!doctype html>")


def test_links_lead_somewhere(tmp_path: Path) -> None:
    page, _, _ = report(migrated({3: 1e-2}), tmp_path)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for name, value in page.attributes if name == "href" and value}
    assert targets <= set(ids)


def test_two_thousand_layers_fit_in_two_megabytes(tmp_path: Path) -> None:
    names = [
        f"backbone.stage_{i // 200}.inverted_residual_{i // 20}.squeeze_excitation.conv_{i}"
        for i in range(2000)
    ]
    mapping = model(names)
    migration = Migrated(mapping, verified(mapping, {1500: 1e-3}))
    start = time.perf_counter()
    path = write_report(migration, tmp_path / "report.html")  # type: ignore[arg-type]
    assert time.perf_counter() - start < 20
    assert path.stat().st_size < 2_000_000


@pytest.mark.parametrize(("size", "shown"), [(1000, True), (2_000_000, False)])
def test_a_graph_is_shown_where_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, shown: bool
) -> None:
    drawing = Markup(f'<svg class="drawn"><path d="{"M0 0" * (size // 4)}"/></svg>')
    monkeypatch.setattr(report_module, "_graph", lambda mapping, verification: drawing)
    page, _, text = report(migrated(), tmp_path)
    assert ('class="drawn"' in text) == shown
    assert ("would make this file too large" in page.text) != shown
    assert len(text) < 2_000_000


# --- writing ----------------------------------------------------------------------------------


def test_an_interrupted_write_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match="No space left"):
        write_report(migrated(), path)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_folders_are_made_and_model_files_never_overwritten(tmp_path: Path) -> None:
    path = write_report(migrated(), tmp_path / "new" / "inference.html")  # type: ignore[arg-type]
    assert sorted(os.listdir(path.parent)) == ["inference.html", "inference.report.json"]
    assert json_path(Path("a/my_report.html")) == Path("a/my_report.json")
    with pytest.raises(InputError, match=r"HTML file"):
        write_report(migrated(), tmp_path / "report.json")  # type: ignore[arg-type]


def test_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="language 'fr'"):
        write_report(migrated(), tmp_path / "report.html", "fr")  # type: ignore[arg-type]


def test_chinese_report(tmp_path: Path) -> None:
    page, _, text = report(migrated({3: 1e-2}), tmp_path, "zh")
    assert '<html lang="zh-CN">' in text
    assert "✕ 未通过" in page.text
    assert "首个出错的层" in page.text
    assert "转置" in page.text
