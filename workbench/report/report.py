"""Write the report: one HTML file that opens offline, and the same content as JSON beside it."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import jinja2
from markupsafe import Markup

from workbench.checks.results.checks import VERDICTS
from workbench.checks.results.verification import Verification
from workbench.core.errors import InputError
from workbench.core.files import write_whole
from workbench.core.mapping import STATUSES, Mapping
from workbench.export.manifest import note_files
from workbench.export.verdict import verdict_now
from workbench.report import words
from workbench.report.changes import change_groups
from workbench.report.charts import depth_chart, large_histogram, mini_histogram
from workbench.report.content import current_verification, plain, report_content
from workbench.report.scopes import OPEN
from workbench.report.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.checks.evidence import Evidence

#: How many layers share a line of a table by name; the JSON has all.
LISTED = 50
#: The whole file stays below this; a drawing of the graph that does not fit is left out.
LIMIT = 2_000_000


def write_report(migration: Evidence, path: Path, lang: str = "en") -> Path:
    """Write the report of a migration and its `.json`; returns the path of the HTML file.

    A module that was changed after its verification is judged again first.
    `path` is a file, or an existing folder for `report.html` in it. Files are replaced whole or
    not at all. Raises `InputError` for an unknown language or a path that cannot be written.
    """
    texts = Texts(lang)
    path = _html_path(Path(path))
    if migration.references:
        verdict_now(migration)
    data = report_content(migration)
    verification = current_verification(migration)
    text = render(migration.mapping, verification, data, texts, json_path(path).name)
    told = json.dumps(plain(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(json_path(path), told)
        write_whole(path, text)
        note_files(path.parent, path.name, json_path(path).name)
    except OSError as error:
        raise InputError(f"The report cannot be written to {path}: {error.strerror}.") from error
    return path


def json_path(path: Path) -> Path:
    """`report.html` → `report.json`; a name that a model file could have gets `.report.json`."""
    if "report" in path.stem:
        return path.with_suffix(".json")
    return path.with_name(f"{path.stem}.report.json")


def _html_path(path: Path) -> Path:
    path = path.expanduser()
    if path.is_dir():
        return path / "report.html"
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"The report is an HTML file, {path} is not.", "Use a name like report.html."
        )
    return path


# --- HTML -------------------------------------------------------------------------------------


def render(
    mapping: Mapping,
    verification: Verification | None,
    data: dict[str, Any],
    texts: Texts,
    json_name: str,
) -> str:
    """The HTML of the report for its content."""
    by_path = {layer["path"]: layer for layer in (*data["layers"], *data["parameters"])}
    checks = {layer.path: layer for layer in (verification.layers if verification else ())}
    graph = _graph(mapping, verification)
    depth = _depth(verification, by_path, texts)
    script = _resource("filter.js")
    environment = _environment()
    environment.globals |= _functions(texts, by_path) | {
        "data": data,
        "v": data["verdict"],
        "by_path": by_path,
        "checks": checks,
        "signs": words.SIGNS,
        "verdicts": VERDICTS,
        "worst": [by_path[path] for path in data["worst"] if path in by_path],
        "groups": change_groups(mapping),
        "statuses": _statuses(data["target"]["statuses"], texts),
        "sections": _sections(data, bool(depth), bool(graph)),
        "depth": depth,
        "graph": "",
        "graph_left_out": False,
        "json_name": json_name,
        "open_scopes": OPEN,
        "style": Markup(_resource("style.css")),
        "script": Markup(script),
        "policy": policy(script),
    }
    template = environment.get_template("template.html.j2")
    text = template.render(graph_left_out=bool(graph))
    if graph and len(text.encode(errors="replace")) + len(graph.encode(errors="replace")) < LIMIT:
        return template.render(graph=graph)
    return text


def policy(script: str) -> str:
    """Content-Security-Policy: nothing from outside, no script but our own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _functions(texts: Texts, by_path: dict[str, Any]) -> dict[str, Any]:
    """What the template calls."""

    def link(path: str) -> Markup:
        number = by_path.get(path, {}).get("number")
        name = Markup("<code>{}</code>").format(_breakable(path))
        return Markup('<a href="#l{}">{}</a>').format(number, name) if number else name

    def word(verdict: str) -> Markup:
        told = f"{words.SIGNS[verdict]} {texts('v_' + verdict)}"
        return Markup('<span class="v {}">{}</span>').format(verdict, told)

    def short(verdict: str) -> Markup:
        """A verdict in the long table: only what needs attention has a colour."""
        if verdict in ("exact", "rounding"):
            return Markup("{} {}").format(words.SIGNS[verdict], texts(f"v_{verdict}"))
        return word(verdict)

    return {
        "t": texts,
        "short": short,
        "breakable": _breakable,
        "listed": LISTED,
        "link": link,
        "word": word,
        "mini": lambda check: Markup(mini_histogram(check)),
        "large": lambda *told: Markup(large_histogram(*told)),
        "differing": _differing,
        "sci": words.scientific,
        "times": words.times,
        "counted": words.counted,
        "size": words.size,
        "dims": _dims,
        "cosine": _cosine,
    }


def _breakable(path: str) -> Markup:
    """A path that may be broken after its dots."""
    return Markup(".<wbr>").join(words.visible(path).split("."))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["short"] = lambda name: name.partition(".")[2] or name
    return environment


def _finalize(value: Any) -> Any:
    """Text from the model with hidden characters made visible; markup of ours as it is."""
    return (
        words.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
    )


@cache
def _resource(name: str) -> str:
    return resources.files("workbench.report").joinpath(name).read_text(encoding="utf-8")


def _sections(data: dict[str, Any], depth: bool, graph: bool) -> list[str]:
    shown = {
        "unsupported": bool(data["unsupported"]),
        "depth": depth,
        "models": True,
        "comparison": bool(data["comparison"]),
        "gradients": bool(data["gradients"]),
        "training": bool(data["training"]),
        "task": bool(data["task"]),
        "worst": bool(data["worst"]),
        "scopes": bool(data["scopes"]),
        "operators": True,
        "mapping": True,
        "coverage": data["verdict"]["ran"],
        "graph": graph,
        "benchmark": bool(data["benchmark"]),
        "environment": True,
        "layers": True,
    }
    return [key for key, there in shown.items() if there]


def _statuses(counts: dict[str, int], texts: Texts) -> str:
    found = [status for status in STATUSES if counts.get(status)]
    return ", ".join(f"{counts[status]} {texts('st_' + status)}" for status in found)


def _dims(shape: Iterable[int | None]) -> str:
    return words.dims([-1 if dim is None else dim for dim in shape])


def _differing(entry: dict[str, Any]) -> str:
    if entry["elements"] is None:
        return ""
    return f"{words.counted(entry['mismatches'])} / {words.counted(entry['elements'])}"


def _cosine(value: float | None) -> str:
    """Digits enough to see how far from 1 it is."""
    if value is None:
        return ""
    return f"{value:.9f}".rstrip("0").ljust(3, "0")


def _depth(verification: Verification | None, by_path: dict[str, Any], texts: Texts) -> Markup:
    if verification is None:
        return Markup("")
    anchors = {path: f"l{layer['number']}" for path, layer in by_path.items() if layer["number"]}
    told = {
        "title": str(texts("s_depth")),
        "exact": str(texts("axis_exact")),
        "layer": str(texts("axis_layer")),
    }
    return Markup(depth_chart(verification.layers, anchors, told))


def _graph(mapping: Mapping, verification: Verification | None) -> Markup:
    """The layer graph as SVG; empty when there is no drawing."""
    if importlib.util.find_spec("workbench.report.layer_graph") is None:
        return Markup("")
    from workbench.report.layer_graph import layer_graph_svg

    layers = verification.layers if verification else ()
    errors = {layer.path: layer.alone.error.relative for layer in layers if layer.alone.error}
    svg = layer_graph_svg(mapping, errors, {layer.path: layer.verdict for layer in layers})
    svg = words.visible(svg)
    return Markup(svg if harmless(svg) else "")


def harmless(svg: str) -> bool:
    """True for a well-formed drawing without scripts, handlers or links to elsewhere."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return False
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2].lower()
        if tag in ("script", "foreignobject", "iframe", "image"):
            return False
        for key, value in element.attrib.items():
            name = key.rpartition("}")[2].lower()
            if name.startswith("on") or (name == "href" and not value.startswith("#")):
                return False
    return True
