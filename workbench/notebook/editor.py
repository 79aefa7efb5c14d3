"""The mapping editor in the notebook: a widget over `EditorModel`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from workbench.checks.values.revealing_inputs import chosen_samples
from workbench.core.errors import MappingError, WorkbenchError
from workbench.core.files import belongs
from workbench.editing.file import EditFile
from workbench.notebook import selection
from workbench.notebook.fallback import StillWidget
from workbench.notebook.jobs import kernel_jobs
from workbench.notebook.live import Checker, LiveChecker
from workbench.notebook.model import EditorModel
from workbench.notebook.session import Session
from workbench.notebook.static import table_html
from workbench.notebook.wire import Json

if TYPE_CHECKING:
    from workbench.checks.evidence import Evidence
    from workbench.checks.results.verification import Verification
    from workbench.sources.reference import Reference
from workbench.sources.registry import source_of

_HERE = Path(__file__).parent
_PARTS = (
    "dom", "charts", "state", "cells", "walk", "grid", "field", "sections", "weights", "draft",
    "bulk", "panel", "toolbar", "status", "main",
)  # fmt: skip
_POLL = 0.5


def editor_script() -> str:
    """The editor's JavaScript: one module, assembled from its parts."""
    return _joined("editor_js", _PARTS, "js")


def editor_style() -> str:
    """The editor's style sheet."""
    return _joined("editor_css", ("base", "table", "panel"), "css")


def _joined(folder: str, parts: Iterable[str], kind: str) -> str:
    files = (_HERE / folder / f"{part}.{kind}" for part in parts)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


class Editor(StillWidget):
    """The mapping editor of a migration, as `m.edit()` shows it.

    Every change is validated, saved in `file` at once, and checked against Paddle's values. All
    editors of one migration show the same table and share their history.
    """

    _esm = editor_script()
    _css = editor_style()

    snapshot = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    height = traitlets.Int(600).tag(sync=True)

    def __init__(
        self,
        migration: Evidence,
        file: str | Path | None = None,
        live: bool = True,
        height: int = 600,
    ) -> None:
        self.session = session_for(migration, file, live)
        super().__init__(
            snapshot=self.session.snapshot_text(), version=self.session.revision, height=height
        )
        _views(self.session).add(self)
        self.on_msg(self._received)

    def _received(self, _: Any, content: Json, __: Any) -> None:
        self.session.handle(content)
        if content.get("type") == "ready":
            self.session.start_live()

    def select(self, path: str) -> None:
        """Select a row, unfolding the scopes around it."""
        self.session.reveal(path)

    @property
    def model(self) -> EditorModel:
        """The editor without its widget."""
        return self.session.model

    def still_html(self) -> str:
        """The mapping as a static table."""
        model = self.session.model
        return table_html(model.mapping, model.alone, model.chain)

    def __repr__(self) -> str:
        return f"Editor({self.session.model.mapping!r})"


# --- one session a migration ------------------------------------------------------------------

#: Where a migration keeps its session, so that both go together.
_ATTRIBUTE = "_editor_session"
_shown: weakref.WeakKeyDictionary[Session, weakref.WeakSet[Editor]] = weakref.WeakKeyDictionary()


def _views(session: Session) -> weakref.WeakSet[Editor]:
    return _shown.setdefault(session, weakref.WeakSet())


def session_for(migration: Evidence, file: str | Path | None = None, live: bool = True) -> Session:
    """The session of a migration; when it is first asked for, the saved edits are applied."""
    found = open_session(migration)
    if found is not None:
        found.poll(migration.verification)
        return found
    keeper = EditFile(file if file is not None else default_file(migration))
    model = EditorModel(migration, keeper)
    told = model.load().notices
    reference = weakref.ref(migration)
    checker: Checker | None = None
    if live:
        checker = LiveChecker(migration.program, _recorded(reference), migration.rules)
    session = Session(model, lambda _: None, kernel_jobs(), checker, _verifier(reference))
    session.send = _broadcast(weakref.ref(session), told)
    if migration.verification is not None:
        session.take_verification(migration.verification)
    setattr(migration, _ATTRIBUTE, session)
    session.link = _Link(migration, session)
    _watch(reference, weakref.ref(session))
    return session


def open_session(migration: Any) -> Session | None:
    """The session of a migration if an editor was opened, else None."""
    found: Session | None = getattr(migration, _ATTRIBUTE, None)
    return found


class _Link:
    """Carries the selection between the editor and the graphs of a migration."""

    def __init__(self, migration: Any, session: Session) -> None:
        self.migration = weakref.ref(migration)
        self.session = session
        selection.listen(migration, self.selected)
        session.on_select.append(self.tell)

    def selected(self, path: str, _: Any) -> None:
        with contextlib.suppress(WorkbenchError):
            self.session.reveal(path)

    def tell(self, key: str) -> None:
        migration = self.migration()
        if migration is not None:
            selection.select(migration, self.session.model.rows[key].path, self)


def _broadcast(reference: Any, first: list[str]) -> Callable[[Json], None]:
    """Send to every open view; what was found while opening goes with the first message."""

    def send(message: Json) -> None:
        session = reference()
        if session is None:
            return
        if first and message.get("type") in ("changed", "info"):
            message = {**message, "notices": [*message.get("notices", ()), *first], "id": None}
            first.clear()
        for view in list(_views(session)):
            if view.comm is not None:
                view.send(message)

    return send


def _recorded(reference: Any) -> Callable[[], Sequence[Reference]]:
    """Paddle's values of the last verification, if there was one."""

    def recorded() -> Sequence[Reference]:
        migration = reference()
        return migration.references if migration is not None else ()

    return recorded


def _verifier(reference: Any) -> Callable[[Callable[[int, int, str], None]], Verification]:
    """Verify with progress told to the editor, in a Paddle process of its own."""

    def run(tell: Callable[[int, int, str], None]) -> Verification:
        migration = reference()
        before = [one.inputs for one in migration.references] or None
        samples = chosen_samples(migration.program, before, thorough=False, nan=False)

        def progress(items: Iterable[Any], label: str) -> Iterable[Any]:
            every = list(items)
            for number, item in enumerate(every):
                if number % 5 == 0:
                    tell(number, len(every), label)
                yield item

        with contextlib.closing(source_of(migration.program).runtime()) as runtime:
            return migration.prove(samples, runtime, show=progress)  # type: ignore[no-any-return]

    return run


def _watch(migration: Any, session: Any) -> None:
    """Look every half second whether a cell, a file or another editor changed something."""

    async def look() -> None:
        while migration() is not None and session() is not None:
            with contextlib.suppress(WorkbenchError):
                session().poll(migration().verification)
            await asyncio.sleep(_POLL)

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    task = loop.create_task(look())
    session()._watch = task


def default_file(migration: Evidence) -> Path:
    """Where the edits are kept: beside the model, or in the working folder for a live one.

    Raises `MappingError` for one that is there already but lies elsewhere: edits would be written
    through the link.
    """
    files = migration.files
    if files is None:
        name = re.sub(r"\W+", "_", str(migration.origin)).strip("_")
        return Path(f"{name}.mapping.yaml" if name else "mapping.yaml")
    stem = files.program.name.split(".")[0]
    folder = files.program.parent
    path = folder / ("mapping.yaml" if stem == "inference" else f"{stem}.mapping.yaml")
    if os.path.lexists(path) and not belongs(path, folder):
        raise MappingError(
            f"{path} is no regular file of the model's folder, so edits are not kept there.",
            "Remove it, or name another file: Editor(m, file=...) of workbench.notebook.editor.",
        )
    return path
