"""Graphs in the notebook: Netron for program and converted model, and our own layer graph."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from workbench.core.errors import InputError
from workbench.core.scope_tree import scope_tree, scopes_in
from workbench.notebook import selection
from workbench.notebook.editor import open_session
from workbench.notebook.fallback import StillWidget
from workbench.notebook.netron_model import netron_json
from workbench.notebook.netron_server import shared_server
from workbench.report.layer_graph import auto_folded, layer_graph_svg

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence

#: What `m.graph(kind)` can show.
KINDS = {
    "netron": "the Paddle program, in Netron",
    "torch": "the converted model, in Netron",
    "both": "both side by side, in Netron",
    "layers": "our own layer graph, coloured by error",
}
_HERE = Path(__file__).parent
_LARGEST_WEIGHTS = 256 << 20
_POLL = 0.7


def show_graph(migration: Evidence, kind: str = "netron") -> Any:
    """A graph of a migration; see `KINDS`."""
    if kind == "layers":
        return LayerGraph(migration)
    if kind not in KINDS:
        known = ", ".join(f"'{name}' ({text})" for name, text in KINDS.items())
        raise InputError(f"There is no graph '{kind}'.", f"Choose {known}.")
    frames = []
    if kind in ("netron", "both"):
        frames.append({"title": "Paddle", "path": _paddle_page(migration)})
    if kind in ("torch", "both"):
        frames.append({"title": "PyTorch", "path": _torch_page(migration)})
    return NetronGraph(frames)


def _paddle_page(migration: Evidence) -> str:
    files = migration.files
    source = files.program if files is not None else migration.program.source
    if source is None or not source.is_file():
        raise InputError(
            "The program has no file that Netron could open.",
            "Show the converted model: m.graph('torch'), or the layers: m.graph('layers').",
        )
    shown: dict[str, Path | bytes] = {source.name: source}
    weights = files.params if files is not None else None
    if source.suffix == ".pdmodel" and weights is not None and _small(weights):
        shown[f"{source.stem}.pdiparams"] = weights
    return shared_server().show(source.name, shown)


def _small(weights: Path) -> bool:
    """Netron reads a weight file whole into the browser."""
    return weights.is_file() and weights.stat().st_size <= _LARGEST_WEIGHTS


def _torch_page(migration: Evidence) -> str:
    source = migration.program.source
    name = source.name if source is not None else ""
    text = netron_json(migration.mapping, name)
    return shared_server().show("model.netron", {"model.netron": text.encode()})


class NetronGraph(anywidget.AnyWidget):  # type: ignore[misc]
    """Netron pages served by this process, side by side.

    The browser reaches them at 127.0.0.1, or through jupyter-server-proxy where the kernel runs on
    another machine.
    """

    _esm = (_HERE / "netron_graph.js").read_text(encoding="utf-8")
    _css = (_HERE / "graphs.css").read_text(encoding="utf-8")

    frames = traitlets.List().tag(sync=True)
    port = traitlets.Int(0).tag(sync=True)
    height = traitlets.Int(640).tag(sync=True)

    def __init__(self, frames: list[dict[str, str]], height: int = 640) -> None:
        super().__init__(frames=frames, port=shared_server().port, height=height)

    @property
    def urls(self) -> list[str]:
        """Addresses of the pages for a browser on this machine."""
        return [shared_server().url(frame["path"]) for frame in self.frames]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and a line of text for viewers without a kernel."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        text = "Netron's graph shows while the kernel runs: run the cell."
        return {**bundle[0], "text/html": f"<p>{text}</p>", "text/plain": text}, bundle[1]


class LayerGraph(StillWidget):
    """The layers of a migration, coloured by error.

    Scopes fold; a click on a layer selects its row in the editor, and the other way round.
    """

    _esm = (_HERE / "layer_graph.js").read_text(encoding="utf-8")
    _css = (_HERE / "graphs.css").read_text(encoding="utf-8")

    svg = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(640).tag(sync=True)

    def __init__(self, migration: Evidence, height: int = 640) -> None:
        self._migration = weakref.ref(migration)
        self._folded = auto_folded(migration.mapping, self._values()[1])
        self._columns = 0
        super().__init__(svg=self._draw(), height=height)
        self._shown = self._state()
        self.on_msg(self._received)
        selection.listen(migration, self._selected)
        self._watch()

    # --- drawing --------------------------------------------------------------------------------

    def _values(self) -> tuple[dict[str, float], dict[str, str]]:
        """Errors and verdicts by path: those of the editor, else those of the verification."""
        migration = self._migration()
        if migration is None:
            return {}, {}
        session = open_session(migration)
        if session is not None:
            rows = session.model.rows
            checks = {rows[k].path: c for k, c in session.model.alone.items() if k in rows}
        elif migration.verification is not None:
            checks = {layer.path: layer.own for layer in migration.verification.layers}
        else:
            checks = {}
        errors = {path: c.error.relative for path, c in checks.items() if c.error is not None}
        return errors, {path: check.verdict for path, check in checks.items()}

    def _draw(self) -> str:
        migration = self._migration()
        if migration is None:
            return ""
        errors, verdicts = self._values()
        return layer_graph_svg(
            migration.mapping, errors, verdicts, folded=self._folded, columns=self._columns
        )

    def _state(self) -> tuple[Any, Any, int]:
        """What the drawing depends on."""
        migration = self._migration()
        if migration is None:
            return None, None, 0
        session = open_session(migration)
        revision = session.revision if session is not None else 0
        return migration.mapping, migration.verification, revision

    def refresh(self) -> None:
        """Draw again if the mapping or its checks changed."""
        state = self._state()
        if any(new is not old for new, old in zip(state, self._shown, strict=True)):
            self._shown = state
            self.svg = self._draw()

    # --- folding and selecting ------------------------------------------------------------------

    def fold(self, path: str, folded: bool) -> None:
        """Fold or open one scope."""
        (self._folded.add if folded else self._folded.discard)(path)
        self.svg = self._draw()

    def fold_all(self, how: str) -> None:
        """Fold "all", "none", or what does not fail ("auto")."""
        migration = self._migration()
        if migration is None:
            return
        every = {scope.path for scope in scopes_in(scope_tree(migration.mapping))}
        auto = auto_folded(migration.mapping, self._values()[1])
        self._folded = {"all": every, "none": set(), "auto": auto}.get(how, auto)
        self.svg = self._draw()

    def select(self, path: str) -> None:
        """Show a row, opening the scopes around it."""
        steps = path.split(".")
        around = {".".join(steps[:n]) for n in range(1, len(steps))}
        if self._folded & around:
            self._folded -= around
            self.svg = self._draw()
        self.send({"type": "select", "path": path})

    def _selected(self, path: str, _: Any) -> None:
        self.select(path)

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        kind, path = content.get("type"), str(content.get("path", ""))
        if kind == "fold":
            self.fold(path, bool(content.get("folded")))
        elif kind == "all":
            self.fold_all(str(content.get("how")))
        elif kind == "columns":
            self._set_columns(int(content.get("columns", 0)))
        elif kind == "select":
            migration = self._migration()
            if migration is not None:
                selection.select(migration, path, self)

    def _set_columns(self, columns: int) -> None:
        columns = max(0, min(columns, 6))
        if columns != self._columns:
            self._columns = columns
            self.svg = self._draw()

    def _watch(self) -> None:
        graph = weakref.ref(self)

        async def look() -> None:
            while (found := graph()) is not None and found.comm is not None:
                found.refresh()
                del found
                await asyncio.sleep(_POLL)

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = loop.create_task(look())

    def still_html(self) -> str:
        """The drawing itself."""
        return str(self.svg)

    def __repr__(self) -> str:
        migration = self._migration()
        return f"LayerGraph({migration.mapping!r})" if migration is not None else "LayerGraph()"
